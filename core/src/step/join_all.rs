use std::collections::VecDeque;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::Map;
use futures_util::stream::{FuturesUnordered, Stream};

use super::Step;
use super::durable::Durable;

impl Step {
    /// Runs any number of operations side by side. The `.await` gives a `Vec` of what they give, in their
    /// order. Each operation has its own checkpoint, so each needs its own [`key`](super::Run::key):
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "order/paid")]
    /// # struct Paid { items: Vec<u32> }
    /// # async fn ship(item: u32) -> Result<u32, Failure> { Ok(item) }
    /// #[workflow]
    /// async fn on_paid(event: Paid, step: Step) -> Result<usize, Failure> {
    ///     let shipped = event.items.iter().map(|item| step.run("ship", ship(*item)).key(item));
    ///     let shipped = step.join_all(shipped).limit(8).await;
    ///     Ok(shipped.iter().flatten().count())
    /// }
    /// ```
    pub fn join_all<I>(&self, operations: I) -> JoinAll<<I::Item as IntoFuture>::IntoFuture>
    where
        I: IntoIterator<Item: Durable>,
    {
        // Here and now: keys are claimed in the order of the iterator, whatever ends first.
        let operations = operations.into_iter().map(IntoFuture::into_future).collect();
        JoinAll { operations, limit: usize::MAX }
    }
}

/// Operations side by side; await them. See [`Step::join_all`].
#[must_use = "steps do nothing until they are awaited"]
pub struct JoinAll<F> {
    operations: VecDeque<F>,
    limit: usize,
}

impl<F> JoinAll<F> {
    /// How many may be in progress at once (all of them by default).
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future> Durable for JoinAll<F> {}

#[diagnostic::do_not_recommend]
impl<F: Future> IntoFuture for JoinAll<F> {
    type Output = Vec<F::Output>;
    type IntoFuture = JoinAllFuture<F>;

    fn into_future(self) -> Self::IntoFuture {
        JoinAllFuture {
            outcomes: (0..self.operations.len()).map(|_| None).collect(),
            waiting: self.operations,
            limit: self.limit,
            in_progress: FuturesUnordered::new(),
        }
    }
}

type Numbered<F> = Pin<Box<Map<F, Number<<F as Future>::Output>>>>;
type Number<T> = Box<dyn FnOnce(T) -> (usize, T) + Send>;

/// The future of a [`JoinAll`].
pub struct JoinAllFuture<F: Future> {
    waiting: VecDeque<F>,
    limit: usize,
    in_progress: FuturesUnordered<Numbered<F>>,
    outcomes: Vec<Option<F::Output>>,
}

impl<F: Future> Unpin for JoinAllFuture<F> {}

impl<F: Future> Future for JoinAllFuture<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            // The machine delivers one outcome at a time, so what begins next is the journal's
            // decision, on every resume the same.
            while this.in_progress.len() < this.limit {
                let Some(operation) = this.waiting.pop_front() else { break };
                let place = this.outcomes.len() - this.waiting.len() - 1;
                let number: Number<F::Output> = Box::new(move |outcome| (place, outcome));
                this.in_progress.push(Box::pin(operation.map(number)));
            }
            match Pin::new(&mut this.in_progress).poll_next(cx) {
                Poll::Ready(Some((place, outcome))) => this.outcomes[place] = Some(outcome),
                Poll::Ready(None) => {
                    let outcomes = this.outcomes.drain(..);
                    return Poll::Ready(
                        outcomes.map(|outcome| outcome.expect("all are over")).collect(),
                    );
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
