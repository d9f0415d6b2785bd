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
use crate::workflow::{CancelOn, Flow, Input, Passage, State, StepKind, Workflow, WorkflowFn};

impl Step {
    /// Starts a run of another workflow, waits for its end, and gives its output. The waiting run holds no
    /// memory.
    ///
    /// The child starts **exactly once**, in the commit of this step. If this run ends before the child, the
    /// child is cancelled, unless it is [detached](Invoke::detached). If the child fails, this step fails.
    /// It is not tried again, because the child's own steps have their retries.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
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
    #[doc(alias("child workflow", "sub-workflow", "call"))]
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
            flow: W::CONFIG.flow,
            timeout: None,
            output: PhantomData,
        };
        invoke.into()
    }
}

/// A child run to start; await it. See [`Step::invoke`].
#[must_use = "a step does nothing until it is awaited"]
pub struct Invoke<T> {
    held: Held,
    workflow: &'static str,
    input: Result<Payload, EncodeError>,
    cancels: &'static [CancelOn],
    flow: Flow,
    timeout: Option<Duration>,
    output: PhantomData<fn() -> T>,
}

impl<T> Invoke<T> {
    /// How long to wait for the child's end. After that time the step fails, and the child is cancelled
    /// unless it is detached. If the child's end reaches the run before the run notices that the time is
    /// over, the end counts.
    ///
    /// In a workflow write a literal, `.timeout("2 days")`; it is checked at compile time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets the child go on when this run ends or no longer waits for it.
    pub fn detached(mut self) -> Self {
        self.held.entering.detached = true;
        self
    }

    /// Names the function that undoes what the child did if this run fails or is cancelled later. It takes
    /// the child's output; see [`Run::undo`](super::Run::undo). A child that is still running then is
    /// cancelled, and undoes its own steps.
    #[doc(alias("compensation", "compensate", "saga", "rollback"))]
    pub fn undo<A>(mut self, function: impl UndoFn<T, A>) -> Self {
        // It is called through the table that the macro makes of the source.
        let _ = function;
        self.held.entering.undo = true;
        self
    }

    /// Names this occurrence of the step. Steps with the same id that run side by side need different
    /// names. The name has to be the same on every resume.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000). The panic fails the run.
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
        let Self { held, workflow, input, cancels, flow, timeout, .. } = self;
        match held.poll(None, cx) {
            Instruction::Begin { attempt } => {
                let admitted = match input {
                    Ok(input) => match flow.passage(workflow, input) {
                        Ok(passage) => Ok((input.clone(), passage)),
                        Err(reason) => Err((
                            ErrorKind::Permanent,
                            format!("no run of `{workflow}` starts: {reason}"),
                        )),
                    },
                    Err(error) => Err((
                        ErrorKind::Unstorable,
                        format!("the input of `{workflow}` cannot be stored: {error}"),
                    )),
                };
                let change = match admitted {
                    Ok((input, Passage { gates, ahead, .. })) => {
                        let (id, seed) = held.operations().child(held.key());
                        let detached = held.entering.detached;
                        let cancels = CancelKey::all(cancels, &input);
                        let child =
                            Child { id, workflow, input, seed, detached, cancels, gates, ahead };
                        Change::Invoke { child, timeout: *timeout }
                    }
                    Err((kind, message)) => {
                        let error = ErrorRecord::new(kind, message);
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
