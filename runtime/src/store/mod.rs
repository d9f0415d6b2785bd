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
//! | [`History`] | who asks about runs and limits |
//! | [`Hearing`] | who waits for what others commit |
//!
//! `postgres` and `sqlite` implement each room in a file of its name. All SQL of the crate is below this
//! module.
//!
//! **Who writes what.** Only the holder of a run's lease writes that run's row and journal. Everyone
//! else inserts rows of their own. So there are no hot rows and no lock cycles.

mod admitted;
mod begun;
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
pub(crate) mod hints;
mod history;
mod ingress;
mod kept_lines;
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
#[cfg(feature = "sqlite")]
mod sqlite;
mod upkeep;

pub(crate) use self::commits::{Commits, Concluded, Flushed};
pub use self::error::{OpenError, StoreError};
pub(crate) use self::hints::Hearing;
pub(crate) use self::history::History;
pub use self::history::{RunCount, RunQuery, RunRecord, RunStatus};
pub(crate) use self::ingress::{
    Deliveries, Gathered, Hosted, Ingress, NewEvent, Router, Routes, Routing, StoredEvent,
};
pub(crate) use self::leases::{
    Claim, Claimed, ClaimedRun, Driven, Judge, Leases, Orphan, Renewals, Standing, Worker,
};
pub(crate) use self::limits::LimitRefusal;
pub use self::limits::{Holder, LimitKey, LimitRecord};
pub(crate) use self::open::open;
pub(crate) use self::operators::{Fork, Operators, Refusal, Replay, Terms};
pub use self::operators::{Intervention, Paused, Verb};
pub use self::registry::StrandedRuns;
pub(crate) use self::registry::{
    Recorded, Registration, Registry, Schedule, Stranded, Subscription,
};
pub(crate) use self::upkeep::{Accepted, DueSchedule, Readied, Timetable, Upkeep};

/// Durable storage of runs.
///
/// Every method is one transaction, or several where the documentation says so. What a method
/// returned `Ok` for survives a crash.
pub(crate) trait Store:
    Ingress + Registry + Leases + Commits + Upkeep + Operators + History + Hearing + 'static
{
    /// A word for the log: `postgres`, `sqlite`.
    fn name(&self) -> &'static str;
}
