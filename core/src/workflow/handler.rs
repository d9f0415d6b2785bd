use serde::{Deserialize, Serialize};

use super::{Direct, Input, Workflow, WorkflowFn};
use crate::error_record::ErrorRecord;
use crate::id::RunId;

/// The input of a workflow that handles failures: `on_failure = handler`.
///
/// The handler is an ordinary workflow with `#[workflow(input)]`. It starts exactly once, in the commit that
/// ends the failed run. A handler for a whole app, `on_failure: handler` in [`app!`](macro@indelible_macros::app), gets the
/// failed run's input as JSON.
///
/// ```
/// # extern crate indelible_core as indelible;
/// # use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/placed")]
/// # struct Placed { order: u32 }
/// # async fn tell(order: u32, why: &str) -> Result<(), Failure> { Ok(()) }
/// #[workflow(input)]
/// async fn report(failed: RunFailed<Placed>, step: Step) -> Result<(), Failure> {
///     step.run("tell", tell(failed.input.order, &failed.error.message)).await?;
///     Ok(())
/// }
///
/// #[workflow(on_failure = report)]
/// async fn on_placed(event: Placed, step: Step) -> Result<(), Failure> {
///     Err(Failure::msg(format!("there is no order {}", event.order)))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFailed<I = serde_json::Value> {
    /// The run that has failed.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// The input of that run.
    pub input: I,
    /// Why it failed, and what became of its undos.
    pub error: ErrorRecord,
}

/// The input of a workflow that handles cancellations: `on_cancel = handler`. See [`RunFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCancelled<I = serde_json::Value> {
    /// The run that was cancelled.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// The input of that run.
    pub input: I,
    /// Why it was cancelled.
    pub reason: String,
}

/// What an `on_failure` handler of a workflow takes.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this workflow does not handle the failures of runs that are started with `{I}`",
    label = "it takes something else",
    note = "a handler is a workflow of its own: `#[workflow(input)] async fn report(failed: RunFailed<{I}>, step: Step) -> Result<(), Failure>`"
)]
pub trait OfFailure<I> {}

#[diagnostic::do_not_recommend]
impl<I> OfFailure<I> for Direct<RunFailed<I>> {}

/// What an `on_cancel` handler of a workflow takes.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this workflow does not handle the cancellations of runs that are started with `{I}`",
    label = "it takes something else",
    note = "a handler is a workflow of its own: `#[workflow(input)] async fn report(cancelled: RunCancelled<{I}>, step: Step) -> Result<(), Failure>`"
)]
pub trait OfCancellation<I> {}

#[diagnostic::do_not_recommend]
impl<I> OfCancellation<I> for Direct<RunCancelled<I>> {}

/// The id of a workflow's `on_failure` handler.
pub const fn on_failure<W: Workflow, H: Workflow>(_: impl WorkflowFn<H>) -> &'static str
where
    H::Input: OfFailure<<W::Input as Input>::Start>,
{
    H::ID
}

/// The id of a workflow's `on_cancel` handler.
pub const fn on_cancel<W: Workflow, H: Workflow>(_: impl WorkflowFn<H>) -> &'static str
where
    H::Input: OfCancellation<<W::Input as Input>::Start>,
{
    H::ID
}

/// The id of an app's `on_failure` handler.
pub const fn on_any_failure<H: Workflow>(_: impl WorkflowFn<H>) -> &'static str
where
    H::Input: OfFailure<serde_json::Value>,
{
    H::ID
}

/// The id of an app's `on_cancel` handler.
pub const fn on_any_cancel<H: Workflow>(_: impl WorkflowFn<H>) -> &'static str
where
    H::Input: OfCancellation<serde_json::Value>,
{
    H::ID
}
