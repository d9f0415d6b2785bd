use super::Step;
use super::error::{Failure, Unstorable};
use crate::workflow::{Input, Workflow};

impl Step {
    /// Ends this generation of the run and begins the next one under the same id, with a new input and an
    /// empty journal: `return step.restart(input)`. Use it for runs that never end.
    ///
    /// The attached children of the old generation are cancelled. What the old generation did stays done:
    /// its undos are dropped with its journal.
    ///
    /// The new generation has new derived values ([`uuid`](Self::uuid), [`random`](Self::random)), and its
    /// [`now`](Self::now) begins with the time of the restart. Its waits see the events that were accepted
    /// since the old generation began, except those that a wait of the old one took. So no event is lost
    /// between the last wait of the one and the first wait of the other.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
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
    /// Always: the `Err` is what ends the body. If the input cannot be stored, the run fails.
    #[doc(alias = "continue-as-new")]
    pub fn restart<W: Workflow, T>(&self, input: <W::Input as Input>::Start) -> Result<T, Failure> {
        let mut operations = self.operations.lock();
        let input = <W::Input as Input>::encode(&input, operations.terms.limits.event)
            .map_err(|cause| Unstorable { what: "the input of the next generation", cause })?;
        operations.outbox.restart(input);
        Err(Failure::msg("the run restarts"))
    }
}
