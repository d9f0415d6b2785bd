use crate::given::TextError;
use crate::journal::{ErrorRecord, RunId};
use crate::payload::EncodeError;
use crate::store::{OpenError, RunStatus, StoreError};

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
    /// A key, an attribute, a name or a reason cannot be stored as it is.
    #[error("{what} is not accepted: {cause}")]
    UnfitText {
        /// What: ``the idempotency key of an event `ticket/created` ``.
        what: String,
        /// Why not.
        cause: TextError,
    },
    /// No run has this id.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// Only a failed run can be retried.
    #[error("run {run} is {status}: only a failed run is retried")]
    NotFailed {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// A run that has begun to undo what it did cannot be retried: what its journal says no longer holds.
    #[error("run {0} has begun to undo what it did: replay it, or fork it at a state")]
    Undone(RunId),
    /// Only a run that is over can be replayed.
    #[error("run {run} is {status}: it is replayed once it is over; cancel it to have that sooner")]
    NotOver {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// A run has recorded nothing of the state that it was to be forked at.
    #[error("run {run} has recorded no state `{state}`; it has {}", listed(.states))]
    NoSuchState {
        /// The run.
        run: RunId,
        /// The state that was asked for.
        state: String,
        /// Those that it has recorded.
        states: Vec<String>,
    },
    /// A run was given the input of another workflow.
    #[error("run {run} is one of `{workflow}`, and the input is one of `{given}`")]
    OtherWorkflow {
        /// The run.
        run: RunId,
        /// Its workflow's id.
        workflow: String,
        /// The id of the workflow that the input is for.
        given: &'static str,
    },
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

/// Names in a message: `none`, or ``a`, `b``.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) }
}
