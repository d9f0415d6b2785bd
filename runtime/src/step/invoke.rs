use std::future::IntoFuture;
use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Step;
use super::durable::{Durable, StepFuture};
use super::error::StepError;
use super::held::Held;
use super::operations::Instruction;
use super::undo::UndoFn;
use crate::journal::{CancelKey, Change, Child, ErrorKind, ErrorRecord};
use crate::payload::{EncodeError, Payload};
use crate::workflow::{CancelOn, Input, State, StepKind, Workflow, WorkflowFn};

impl Step {
    /// Starts a run of another workflow and waits for its end; the run holds no memory meanwhile.
    ///
    /// The child is started **exactly once**, in the commit of this step. It is cancelled when this
    /// run ends before it, unless it is [detached](Invoke::detached). Its failure is this step's, and
    /// is not tried again here: the child's own steps have their retries.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "order/placed")]
    /// # struct Placed { order: u32 }
    /// # async fn charge(order: u32) -> Result<u64, Failure> { Ok(100) }
    /// #[workflow(input)]
    /// async fn collect(order: u32, step: Step) -> Result<u64, Failure> {
    ///     Ok(step.run("charge", charge(order)).await?)
    /// }
    ///
    /// #[workflow]
    /// async fn on_placed(event: Placed, step: Step) -> Result<u64, Failure> {
    ///     Ok(step.invoke("collect", collect, event.order).timeout("1 day").await?)
    /// }
    /// ```
    pub fn invoke<S: State, W: Workflow>(
        &self,
        state: S,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> S::Of<Invoke<W::Output>> {
        let limit = self.operations.lock().terms.limits.event;
        let invoke = Invoke {
            held: Held::claim(self, state, StepKind::Invoke),
            workflow: W::ID,
            input: <W::Input as Input>::encode(&input, limit),
            cancels: W::CANCELS,
            timeout: None,
            output: PhantomData,
        };
        invoke.into()
    }
}

/// A run of another workflow; await it. See [`Step::invoke`].
#[must_use = "a step does nothing until it is awaited"]
pub struct Invoke<T> {
    held: Held,
    workflow: &'static str,
    input: Result<Payload, EncodeError>,
    cancels: &'static [CancelOn],
    timeout: Option<Duration>,
    output: PhantomData<fn() -> T>,
}

impl<T> Invoke<T> {
    /// How long to wait for the child's end. Then the step fails, and the child is cancelled unless
    /// it is detached. An end that has reached the run when it looks at the time counts.
    ///
    /// In a workflow a literal is checked at compile time: `.timeout("2 days")`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets the child go on when this run ends, or no longer waits for it.
    pub fn detached(mut self) -> Self {
        self.held.entering.detached = true;
        self
    }

    /// Undoes what the child did if this run fails or is cancelled later: a named `async` function of
    /// the child's output; see [`Run::undo`](super::Run::undo). A child that is under way at the
    /// time is cancelled, and undoes what it did by itself.
    pub fn undo<A>(mut self, function: impl UndoFn<T, A>) -> Self {
        // It is called through the table that the macro makes of the source.
        let _ = function;
        self.held.entering.undo = true;
        self
    }

    /// Tells this step from others of its id by a name: needed where several are in progress at
    /// once.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000): that fails the run.
    #[track_caller]
    pub fn key(mut self, name: impl std::fmt::Display) -> Self {
        self.held.rename(&name);
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> Durable for Invoke<T> {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + 'static> IntoFuture for Invoke<T> {
    type Output = Result<T, StepError>;
    type IntoFuture = StepFuture<'static, Self::Output>;

    fn into_future(mut self) -> Self::IntoFuture {
        StepFuture::new(move |cx| self.poll(cx))
    }
}

impl<T: DeserializeOwned> Invoke<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, StepError>> {
        let Self { held, workflow, input, cancels, timeout, .. } = self;
        match held.poll(None, cx) {
            Instruction::Begin { attempt } => {
                let change = match input {
                    Ok(input) => {
                        let (id, seed) = held.operations().child(held.key());
                        let detached = held.entering.detached;
                        let input = input.clone();
                        let cancels = CancelKey::all(cancels, &input);
                        let child = Child { id, workflow, input, seed, detached, cancels };
                        Change::Invoke { child, timeout: *timeout }
                    }
                    Err(error) => {
                        let message =
                            format!("the input of `{workflow}` cannot be stored: {error}");
                        let error = ErrorRecord::new(ErrorKind::Unstorable, message);
                        Change::Fail { attempt, of: 1, error, cancelled: None }
                    }
                };
                held.hand_in(change);
                Poll::Pending
            }
            Instruction::Take(resolution) => held.decode(resolution),
            _ => Poll::Pending,
        }
    }
}
