use std::future::Future;

/// An operation that a workflow's body may await: its outcome is checkpointed, so that a resumed
/// run gets it back instead of doing it again.
#[diagnostic::on_unimplemented(
    message = "this is awaited outside of a step, so it would run again on every resume",
    label = "not a durable operation",
    note = "a workflow's body runs from its start each time the run resumes; only steps remember what they did",
    note = "put it in a step: `step.run(\"name-of-the-step\", ..).await`"
)]
pub trait Durable: Awaited {}

/// What has a future behind it, durable or not.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be awaited",
    label = "neither a future nor a durable operation"
)]
pub trait Awaited {
    /// What awaiting it gives.
    type Output;
    /// The future behind it.
    type Fut: Future<Output = Self::Output>;

    /// Turns the operation into its future.
    fn into_awaited(self) -> Self::Fut;
}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaited for F {
    type Output = F::Output;
    type Fut = F;

    fn into_awaited(self) -> F {
        self
    }
}

/// An `async` block that stands as a branch in `join!` and its like. Made by `#[workflow]`, which
/// has made sure that everything in it is durable.
#[doc(hidden)]
#[must_use = "a branch does nothing until it is awaited"]
pub struct Branch<F>(pub F);

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for Branch<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> Awaited for Branch<F> {
    type Output = F::Output;
    type Fut = F;

    fn into_awaited(self) -> F {
        self.0
    }
}
