use crate::event::{EventId, InvalidEvent};
use crate::given::{TextError, closest};
use crate::journal::{ErrorRecord, RunId};
use crate::payload::EncodeError;
use crate::store::{OpenError, RunStatus, StoreError};
use crate::workflow::Allowance;

/// What can go wrong when a program sends events, or starts and asks about runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed or refused a request.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client was connected without an app, but this concerns the runs of one.
    #[error(
        "this client speaks for no app; name the app that you mean: `client.for_app(\"help-desk\")`"
    )]
    NoApp,
    /// Only a program that has the app's code can tell this.
    #[error(
        "only the app's code tells this, and this program does not have it; ask in a program that has it"
    )]
    NoProgram,
    /// A workflow takes a resource that the runtime's builder was not given.
    #[error(
        "the workflow `{workflow}` ({function}) takes a `Resource<{resource}>`, but the program has none; add `.resource(..)` with a value of that type to the runtime's builder"
    )]
    MissingResource {
        /// The workflow's id.
        workflow: &'static str,
        /// The path of its function.
        function: &'static str,
        /// The resource's type.
        resource: &'static str,
    },
    /// No program of the app has registered a workflow with this id.
    #[error("the app `{app}` has no workflow `{workflow}`{}", other_workflows(workflow, .workflows))]
    NoSuchWorkflow {
        /// The id that was given.
        workflow: String,
        /// The app's name.
        app: String,
        /// The ids of the workflows that the app has.
        workflows: Vec<String>,
    },
    /// The program tried to start, or to drive only, a workflow that its app does not list.
    #[error("the workflow `{workflow}` is not listed in the `workflows` of the app `{app}`")]
    UnknownWorkflow {
        /// The workflow's id.
        workflow: &'static str,
        /// The app's name.
        app: &'static str,
    },
    /// The name or the data of an event that came as JSON does not fit.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// An event or an input cannot be stored.
    #[error("{what} is not accepted: {cause}")]
    NotStorable {
        /// What: ``the event `ticket/created` ``.
        what: String,
        /// Why not.
        cause: EncodeError,
    },
    /// A key or the priority of the workflow fails for this input: it panics, or gives too much.
    #[error("no run of `{workflow}` starts: {reason}")]
    NotAdmitted {
        /// The workflow's id.
        workflow: &'static str,
        /// Which key or priority, and why.
        reason: String,
    },
    /// A key, an attribute, a name or a reason is too long, or has a NUL character.
    #[error("{what} is not accepted: {cause}")]
    UnfitText {
        /// What: ``the idempotency key of an event `ticket/created` ``.
        what: String,
        /// Why not.
        cause: TextError,
    },
    /// No workflow of the app is blocked by this event, or somebody else has just taken care of it.
    #[error("the event {0} is not blocked for any workflow of the app")]
    NotBlocked(EventId),
    /// Only Indelible itself sends events of this name.
    #[error(
        "the event `{name}` cannot be sent: events named `indelible/..` are sent by Indelible alone"
    )]
    ReservedName {
        /// The event's name.
        name: String,
    },
    /// A text that says how long something takes cannot be read.
    #[error(
        "`{text}` is not a duration: {reason}; write numbers with units, such as `250ms`, `30s`, `1h 30m` or `3 days`"
    )]
    NotADuration {
        /// The text.
        text: String,
        /// Why not.
        reason: String,
    },
    /// No run has this id.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// No event has this id.
    #[error("there is no event {0}")]
    NoSuchEvent(EventId),
    /// Only a failed run can be retried.
    #[error("run {run} is {status}: only a failed run can be retried")]
    NotFailed {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// A run that has begun to undo its steps cannot be retried, because its journal is no longer true.
    #[error(
        "run {0} has begun to undo its steps, so it cannot be retried: replay it, or fork it at a state"
    )]
    Undone(RunId),
    /// Only a run that is over can be replayed.
    #[error(
        "run {run} is {status}: only a run that is over can be replayed; wait for its end, or cancel it"
    )]
    NotOver {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// The state at which to fork a run is not in the run's journal.
    #[error("run {run} has not recorded the state `{state}`; it has recorded {}", listed(.states))]
    NoSuchState {
        /// The run.
        run: RunId,
        /// The state that was asked for.
        state: String,
        /// The states that the run has recorded.
        states: Vec<String>,
    },
    /// The app has no limit of this name.
    #[error(
        "there is no limit `{limit}`; a limit is known once a program that has it was started, and known are {}",
        listed(.limits)
    )]
    NoSuchLimit {
        /// The name that was given.
        limit: String,
        /// The names of the limits that there are.
        limits: Vec<String>,
    },
    /// The limit is one of another kind.
    #[error("the limit `{limit}` allows {allows}, so it cannot be set to {given}")]
    OtherLimit {
        /// The limit's name.
        limit: String,
        /// What the code says that it allows.
        allows: Allowance,
        /// What it was to allow.
        given: Allowance,
    },
    /// No limit, or not this one, can allow what was given.
    #[error("the limit `{limit}` cannot be set to that: {reason}")]
    UnfitLimit {
        /// The limit's name.
        limit: String,
        /// Why not.
        reason: &'static str,
    },
    /// The input for a replay is the input of another workflow.
    #[error("run {run} is a run of `{workflow}`, but the input is one for `{given}`")]
    OtherWorkflow {
        /// The run.
        run: RunId,
        /// Its workflow's id.
        workflow: String,
        /// The id of the workflow that the input is for.
        given: &'static str,
    },
    /// The program waited for the result of a run, and the run failed.
    #[error("run {run} of `{workflow}` failed: {error}")]
    RunFailed {
        /// The run.
        run: RunId,
        /// The workflow's id.
        workflow: String,
        /// Why.
        error: Box<ErrorRecord>,
    },
    /// The program waited for the result of a run, and the run was cancelled.
    #[error("run {run} of `{workflow}` was cancelled: {reason}")]
    RunCancelled {
        /// The run.
        run: RunId,
        /// The workflow's id.
        workflow: String,
        /// Why.
        reason: String,
    },
    /// The output of a run does not fit the output type that the workflow has now.
    #[error("the output of run {run} does not fit its type: {reason}")]
    OutputMismatch {
        /// The run.
        run: RunId,
        /// Where and why.
        reason: String,
    },
}

/// The result of most calls to the runtime.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What to write instead of an unknown workflow.
fn other_workflows(given: &str, known: &[String]) -> String {
    match closest(given, known.iter().map(String::as_str)) {
        Some(closest) => format!("; did you mean `{closest}`?"),
        None if known.is_empty() => {
            "; no program of the app has started on this database yet".to_owned()
        }
        None => format!("; it has {}", listed(known)),
    }
}

/// Names in a message: `none`, or ``a`, `b``.
fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) }
}
