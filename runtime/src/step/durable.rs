use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An operation that a workflow's body may await: its outcome is checkpointed, so that a resumed
/// run gets it back instead of doing it again.
#[diagnostic::on_unimplemented(
    message = "this is awaited outside of a step, so it would run again on every resume",
    label = "not a durable operation",
    note = "a workflow's body runs from its start each time the run resumes; only steps remember what they did",
    note = "put it in a step: `step.run(\"name-of-the-step\", ..).await`"
)]
pub trait Durable {
    /// What awaiting it gives.
    type Output;
    /// The future behind it.
    type Fut: Future<Output = Self::Output>;

    /// Turns the operation into its future.
    fn into_durable(self) -> Self::Fut;
}

/// What a step gives: it is written to the journal as JSON and read back for the body, the first
/// time too.
#[diagnostic::on_unimplemented(
    message = "the outcome `{Self}` of a step cannot be stored",
    label = "this step's outcome has to be written to the journal and read back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, and return owned data rather than a reference"
)]
pub trait Outcome: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> Outcome for T {}

/// An `async` block that stands as a branch in `join!` and its like. Made by `#[workflow]`, which
/// has made sure that everything in it is durable.
#[doc(hidden)]
pub struct Branch<F>(pub F);

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for Branch<F> {
    type Output = F::Output;
    type Fut = F;

    fn into_durable(self) -> F {
        self.0
    }
}
