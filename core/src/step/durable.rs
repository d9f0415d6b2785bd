use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

/// An operation that a workflow's body may await. Its outcome is stored, so that a resumed run gets the
/// outcome back and does not do the operation again.
#[diagnostic::on_unimplemented(
    message = "this is awaited outside of a step, so it would run again on every resume",
    label = "not a durable operation",
    note = "a workflow's body runs from its start each time the run resumes; only steps remember what they did",
    note = "put it in a step: `step.run(\"name-of-the-step\", ..).await`",
    note = "await the steps of a list together: `step.join_all(steps).await`",
    note = "await a helper with `#[durable]` where you call it, or give it to `join!` there: `notify(&step, ..).await`"
)]
pub trait Durable: IntoFuture {}

/// The future of an operation.
///
/// What the operation holds is on the heap, and no part of the body's own future: of all that is
/// part of it rustc proves, for each body anew, that it may move between threads.
pub struct StepFuture<'s, T>(Box<Polled<'s, T>>);

type Polled<'s, T> = dyn FnMut(&mut Context<'_>) -> Poll<T> + Send + 's;

impl<'s, T> StepFuture<'s, T> {
    pub(super) fn new(poll: impl FnMut(&mut Context<'_>) -> Poll<T> + Send + 's) -> Self {
        Self(Box::new(poll))
    }
}

impl<T> Future for StepFuture<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        (self.0)(cx)
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
impl<F: Future> IntoFuture for Branch<F> {
    type Output = F::Output;
    type IntoFuture = F;

    fn into_future(self) -> F {
        self.0
    }
}
