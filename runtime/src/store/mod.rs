//! Where runs are kept. What a store does is cut into rooms, by who calls it; each is a trait, in a file
//! with the words that it speaks.
//!
//! | room | for whom |
//! |---|---|
//! | [`Ingress`] | clients that send events and start runs, and the router |
//! | [`Registry`] | a program that starts or is deployed |
//! | [`Leases`] | a worker's life, and its claims |
//! | [`Commits`] | what a worker commits, and reads of its inboxes |
//! | [`Upkeep`] | timers, schedules, batches and events that are due |
//! | [`Operators`] | cancel, pause, retry, fork and replay, set limits |
//! | [`Blockages`] | who looks after events that are blocked |
//! | [`History`] | who asks about runs and limits |
//! | [`Views`] | who shows runs, events, workflows and workers |
//! | [`Health`] | who looks after the database |
//! | [`Reasons`] | who asks why a run does not go on, and what an event did |
//! | [`Hearing`] | who waits for what others commit |
//!
//! `postgres` and `sqlite` implement each room in a file of its name. All SQL of the crate is below this
//! module.
//!
//! **Who writes what.** Only the holder of a run's lease writes that run's row and journal. Everyone
//! else inserts rows of their own. So there are no hot rows and no lock cycles.

mod admitted;
mod begun;
mod blocked;
mod columns;
mod commits;
#[cfg(test)]
pub(crate) mod conformance;
mod dedupe;
mod effects;
mod error;
mod error_column;
#[cfg(test)]
mod flush_cost;
mod gated;
mod gathered;
mod health;
pub(crate) mod hints;
mod history;
mod ingress;
mod kept_rows;
mod leases;
mod limits;
mod message;
mod migration;
mod open;
mod operators;
#[cfg(feature = "postgres")]
mod postgres;
mod problem;
mod read;
mod registry;
mod settling;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tables;
mod unheard;
mod upkeep;
mod views;
mod why;

pub(crate) use self::blocked::{Blockages, Resent};
pub use self::blocked::{BlockedEvent, BlockedFor, BlockedQuery};
pub(crate) use self::commits::{Commits, Concluded, Flushed};
pub use self::error::{OpenError, StoreError};
pub(crate) use self::health::Health;
pub use self::health::{DatabaseHealth, Horizon, Setting, TableHealth};
pub(crate) use self::hints::Hearing;
pub(crate) use self::history::History;
pub use self::history::{RunCount, RunQuery, RunRecord, RunStatus};
pub(crate) use self::ingress::{
    Deliveries, Gathered, Hosted, Ingress, NewEvent, Router, Routes, Routing, StoredEvent,
    listed_run,
};
pub(crate) use self::leases::{
    Claim, Claimed, ClaimedRun, Driven, Judge, Leases, Orphan, Renewals, Standing, Worker,
};
pub(crate) use self::limits::LimitRefusal;
pub use self::limits::{Holder, LimitKey, LimitRecord};
pub(crate) use self::open::{open, open_existing};
pub(crate) use self::operators::{Fork, Operators, Refusal, Replay, Terms};
pub use self::operators::{Intervention, Paused, Verb};
pub use self::registry::{EventSchema, StrandedRuns};
pub(crate) use self::registry::{
    NewSchema, Recorded, Registration, Registry, Schedule, Stranded, Subscription,
};
pub(crate) use self::upkeep::{Accepted, DueSchedule, Readied, SETTLED, Timetable, Upkeep};
pub(crate) use self::views::Views;
pub use self::views::{
    BoundedCount, EventQuery, EventSummary, Page, RunSummary, WorkerRecord, WorkflowSummary,
};
pub(crate) use self::why::Reasons;
pub use self::why::{
    BlockedWorkflow, EventRecord, GatheredEvent, RunReason, RunReasons, SkippedEvent, StartedRun,
    UnmetCondition, UnroutedEvent, WokenWait,
};

/// Durable storage of runs.
///
/// Every method is one transaction, or several where the documentation says so. What a method
/// returned `Ok` for survives a crash.
pub(crate) trait Store:
    Ingress
    + Registry
    + Leases
    + Commits
    + Upkeep
    + Operators
    + Blockages
    + History
    + Views
    + Health
    + Reasons
    + Hearing
    + 'static
{
    /// A word for the log: `postgres`, `sqlite`.
    fn name(&self) -> &'static str;
}
