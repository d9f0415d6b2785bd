use crate::journal::{ErrorRecord, RunId};
use crate::payload::EncodeError;
use crate::store::{OpenError, StoreError};

/// What can go wrong between a program and its workflows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A workflow takes a resource that the program does not lend.
    #[error(
        "the workflow `{workflow}` ({function}) takes a `Resource<{resource}>` and none is lent; add `.resource(..)` with a value of that type to the runtime's builder"
    )]
    MissingResource {
        /// The workflow's id.
        workflow: &'static str,
        /// The path of its function.
        function: &'static str,
        /// The resource's type.
        resource: &'static str,
    },
    /// A workflow was started that the app does not list.
    #[error("the workflow `{workflow}` is not listed in the `workflows` of the app `{app}`")]
    UnknownWorkflow {
        /// The workflow's id.
        workflow: &'static str,
        /// The app's name.
        app: &'static str,
    },
    /// An event or an input cannot be stored.
    #[error("{what} is not accepted: {cause}")]
    NotStorable {
        /// What: ``the event `ticket/created` ``.
        what: String,
        /// Why not.
        cause: EncodeError,
    },
    /// No run has this id.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// A run whose result was awaited has failed.
    #[error("run {run} of `{workflow}` failed: {error}")]
    RunFailed {
        /// The run.
        run: RunId,
        /// The workflow's id.
        workflow: String,
        /// Why.
        error: Box<ErrorRecord>,
    },
    /// A run whose result was awaited was cancelled.
    #[error("run {run} of `{workflow}` was cancelled: {reason}")]
    RunCancelled {
        /// The run.
        run: RunId,
        /// The workflow's id.
        workflow: String,
        /// Why.
        reason: String,
    },
    /// A run's output does not fit the type that the workflow has now.
    #[error("the output of run {run} does not fit its type: {reason}")]
    OutputMismatch {
        /// The run.
        run: RunId,
        /// Where and why.
        reason: String,
    },
}

/// What most calls to the runtime give.
pub type Result<T, E = Error> = std::result::Result<T, E>;
