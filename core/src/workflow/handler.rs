use super::{Direct, Input, RunCancelled, RunFailed, Workflow, WorkflowFn};

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
