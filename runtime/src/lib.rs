//! Durable workflows for Rust. *If it compiles, it resumes.*

#![deny(missing_docs)]

// What the macros write names the crate by its path from outside.
#[allow(unused_extern_crates, reason = "only the macros' output speaks of it, and only in tests")]
extern crate self as indelible;

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!(
    "Indelible stores its runs in a database: enable the feature `postgres`, `sqlite` or both"
);

#[cfg(feature = "cli")]
pub mod cli;
mod client;
mod deploy;
mod error;
mod program;
mod runtime;
#[cfg(test)]
mod simulation;
#[cfg_attr(
    not(all(feature = "postgres", feature = "sqlite")),
    allow(dead_code, unused_imports, reason = "one kind of database needs less than both")
)]
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod transaction;
mod worker;

use indelible_core::{app, flow, given, id, machine, panic, payload, trace};

/// Events: typed facts with a name, and the catalog in which a program's events are checked.
pub mod event {
    pub use indelible_core::event::{
        Catalog, Event, EventDef, EventField, EventId, InvalidEvent, Matches, Received,
        UntypedEvent,
    };
    pub(crate) use indelible_core::event::{check_name, is_reserved};
}

/// What is persisted of a run, as types: where a step stands ([`StateKey`](journal::StateKey)), what
/// happened to it ([`Transition`](journal::Transition)), and the errors that a resumed run must see again
/// exactly as they were.
pub mod journal {
    pub(crate) use indelible_core::journal::*;
    pub use indelible_core::journal::{
        Attempt, AwaitedEvent, CancelKey, Change, Child, Content, Due, Entry, ErrorKind,
        ErrorRecord, MatchKey, Message, MessageId, OutgoingEvent, Row, RunId, StateKey, Transition,
        TransitionKind, Undone,
    };
}

/// The operations of a workflow's body, as durable futures.
pub mod step {
    pub(crate) use indelible_core::step::*;
    pub use indelible_core::step::{
        BeginUndo, Body, BodyFuture, BoxError, Branch, Call, Carried, Caught, Context, Definition,
        Dropped, Durable, DurableFn, Failure, FromContext, Invoke, JoinAll, JoinAllFuture, Lent,
        NoUndo, Ordered, Outcome, Passes, Permanent, Race2, Race3, Race4, Race5, Race6, Race7,
        Race8, Requirement, Resource, Resources, RetryAfter, Returns, Run, Seen, SendEvent,
        SentIds, Sleep, Step, StepError, StepFuture, UndecodableOutput, Undo, UndoAttempt, UndoFn,
        UndoOf, Undoes, WaitForEvent, begin, caught, join, race, refused, seen, try_join,
    };

    pub use crate::transaction::Tx;
}

/// What a workflow is: its name, what starts it, how it is configured, the graph of its states.
/// Bodies and the steps in them live in [`step`].
pub mod workflow {
    pub(crate) use indelible_core::workflow::*;
    pub use indelible_core::workflow::{
        Allowance, Allowed, Awaits, Backoff, Batch, Batched, Called, CancelOn, CatchUp, Cause,
        Compared, Concurrency, Config, Cron, Debounce, Direct, Dst, Edge, EventBlocked, Filter,
        Flow, Form, Graph, Handlers, Hold, Idempotency, Input, Key, Keyed, Node, Nothing,
        OfCancellation, OfFailure, OnChange, Priority, RateLimit, RunCancelled, RunCompleted,
        RunFailed, Scope, Seconds, Single, Singleton, State, StateDef, StepKind, Subject, Throttle,
        Tick, Trigger, TriggerData, UnknownState, Workflow, WorkflowFn, compared, key_text,
        on_any_cancel, on_any_failure, on_cancel, on_failure, read,
    };
}

/// What a program that defines and runs workflows needs in scope: `use indelible::prelude::*;`.
pub mod prelude {
    pub use jiff::Timestamp;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use uuid::Uuid;

    #[doc(no_inline)]
    pub use crate::event::{Event, EventId, Received};
    #[doc(no_inline)]
    pub use crate::journal::RunId;
    #[doc(no_inline)]
    pub use crate::step::{Failure, Permanent, Resource, RetryAfter, Step, StepError};
    #[doc(no_inline)]
    pub use crate::workflow::{
        EventBlocked, RunCancelled, RunCompleted, RunFailed, Tick, Workflow,
    };
    pub use crate::{RunHandle, RunStatus, Runtime};
    pub use indelible_macros::{Event, Triggers, durable, workflow};
}

pub use indelible_macros::{Event, Triggers, app, durable, workflow};

/// Runs two to eight operations side by side until the first one ends, and then runs that one's branch.
///
/// The journal records the winner, so a resumed run takes the same branch again. The other operations
/// are dropped before the branch begins, with their waits and timers. `?`, `break` and `return` work in
/// the branches. In a workflow the macro needs no import.
///
/// ```
/// use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/placed")]
/// # struct Placed { order: u32 }
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/paid")]
/// # struct Paid { order: u32, cents: u64 }
/// # async fn remind(order: u32) -> Result<(), Failure> { Ok(()) }
/// #[workflow]
/// async fn on_placed(event: Placed, step: Step) -> Result<Option<u64>, Failure> {
///     let payment = step.wait_for_event::<Paid>("await-payment").matching(order = event.order);
///     race! {
///         paid = payment => Ok(paid.map(|paid| paid.data.cents)),
///         () = step.sleep("be-patient", "2 days") => {
///             step.run("remind", remind(event.order)).await?;
///             Ok(None)
///         }
///     }
/// }
///
/// let edges = on_placed::GRAPH.edges();
/// assert!(edges.iter().any(|edge| edge.condition == "first"));
/// ```
#[macro_export]
macro_rules! race {
    ($($branches:tt)*) => {
        ::core::compile_error!(
            "`race!` awaits steps, so it stands in a function under `#[workflow]` or `#[durable]`"
        )
    };
}

pub use self::app::App;
pub use self::client::{
    Client, Connecting, Delay, EventReasons, Replaying, RunHandle, Sending, Starting, StateSpan,
    Timeline, WorkflowSchedule,
};
pub use self::error::{Error, Result};
pub use self::given::TextError;
pub use self::payload::{EncodeError, Payload};
pub use self::runtime::{Runtime, RuntimeBuilder};
pub use self::step::Tx;
pub use self::store::{
    BlockedEvent, BlockedFor, BlockedQuery, BlockedWorkflow, BoundedCount, DatabaseHealth,
    EventQuery, EventRecord, EventSchema, EventSummary, GatheredEvent, Holder, Horizon,
    Intervention, LimitKey, LimitRecord, OpenError, Page, Paused, RunCount, RunQuery, RunReason,
    RunReasons, RunRecord, RunStatus, RunSummary, Setting, SkippedEvent, StartedRun, StoreError,
    StrandedRuns, TableHealth, UnmetCondition, UnroutedEvent, Verb, WokenWait, WorkerRecord,
    WorkflowSummary,
};
pub use self::trace::{InvalidTraceContext, TraceContext};
pub use self::transaction::Transactional;
#[doc(no_inline)]
pub use self::workflow::{Workflow, WorkflowFn};

#[doc(hidden)]
pub mod __private;

/// The examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
