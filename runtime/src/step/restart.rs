use super::Step;
use super::error::{Failure, Unstorable};
use crate::workflow::{Input, Workflow};

impl Step {
    /// Ends this generation of the run and begins the next, under the same id, with a new input and an
    /// empty journal: `return step.restart(input)`.
    ///
    /// It is for runs without an end: what such a run has done once is of no more use to it, and is
    /// gone with the journal. The old generation's attached children are cancelled; what it did stays
    /// done, as its undos are gone, too. Values that are derived ([`uuid`](Self::uuid),
    /// [`random`](Self::random)) differ from one generation to the next, and [`now`](Self::now) begins
    /// with the time of the restart. A wait sees the events that were accepted since the generation
    /// before its own began, but for those that were taken; so none is lost between the last wait of
    /// the one and the first of the other.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # async fn look(day: u32) -> Result<(), Failure> { Ok(()) }
    /// #[workflow(input)]
    /// async fn patrol(day: u32, step: Step) -> Result<(), Failure> {
    ///     step.run("look", look(day)).await?;
    ///     step.sleep("rest", "1 day").await;
    ///     return step.restart(day + 1);
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Always: that is what ends the body. An input that cannot be stored fails the run.
    pub fn restart<W: Workflow, T>(&self, input: <W::Input as Input>::Start) -> Result<T, Failure> {
        let mut operations = self.operations.lock();
        let input = <W::Input as Input>::encode(&input, operations.terms.limits.event)
            .map_err(|cause| Unstorable { what: "the input of the next generation", cause })?;
        operations.outbox.restart(input);
        Err(Failure::msg("the run begins anew"))
    }
}
