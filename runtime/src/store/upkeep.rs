//! What time alone makes of what is stored.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::read::Columns;
use super::registry::Schedule;
use super::{Deliveries, Router, StoreError, Terms};
use crate::flow::Firing;

/// How many rows of each table a sweep removes at once.
pub(super) const SWEPT: i64 = 1_000;
/// For how much longer than needed rows are kept: clocks may differ.
pub(super) const SLACK: Duration = Duration::from_secs(60);
/// For how long it is known which events started no run, and why.
pub(super) const SKIPPED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What somebody has to do as time passes.
#[async_trait]
pub(crate) trait Upkeep: Send + Sync {
    /// Makes ready what is due, up to `limit` runs, oldest first. It also finishes what a process left
    /// undone that died between a commit and its look: waits that have not looked for their events,
    /// parked runs with messages.
    async fn wake_due(&self, limit: usize) -> Result<Readied, StoreError>;

    /// Accepts up to `limit` events that are due, oldest first: from now on they are as if they had just
    /// been sent, under the ids that they were given then. One process does so at a time, so that they keep
    /// their order; the others are told that the next is due.
    async fn accept_due(&self, limit: usize) -> Result<Accepted, StoreError>;

    /// Lets runs of an app pass their gates, as far as its limits allow: they can be claimed then. The
    /// limits are those of the program that registered last, and what operators have set over them.
    /// `Readied::runs` is how many have passed; `Readied::next` is when a gate opens by itself.
    async fn open_gates(&self, app: &str) -> Result<Readied, StoreError>;

    /// Has `terms` say what cancels runs of an app's `workflows` and what they have to pass, of those that
    /// were begun where nobody could say so: the oldest, up to [`SETTLED`]. From then on they are like any
    /// others. Gives how many.
    async fn settle_runs(
        &self,
        app: &str,
        workflows: &[String],
        terms: &dyn Terms,
    ) -> Result<usize, StoreError>;

    /// Starts what is due of an app's schedules, as `timetable` says, and moves them on in the same
    /// transaction. Another rule for the same workflow is another version's, and left to it.
    /// `Readied::runs` is how many runs were started.
    async fn fire_schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Readied, StoreError>;

    /// How an app's schedules stand, in order of their workflows; also those that no worker has registered.
    async fn schedules(
        &self,
        app: &str,
        schedules: &[Schedule],
    ) -> Result<Vec<DueSchedule>, StoreError>;

    /// Starts the runs of an app's batches that have waited long enough, up to the limit of them, as the
    /// router says. A window that slides also waits until the parts of the app that are given have no event to
    /// route that came before its end.
    async fn complete_batches(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<Readied, StoreError>;

    /// Removes what says nothing any more, up to a thousand rows of each kind: windows and paces of an app
    /// that are over, what it skipped long ago, and expired idempotency keys. Gives
    /// whether there may be more.
    async fn sweep(&self, app: &str) -> Result<bool, StoreError>;
}

/// How many runs are settled in one commit.
pub(crate) const SETTLED: usize = 500;

/// What is due has been made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readied {
    /// How many runs.
    pub(crate) runs: usize,
    /// How long until the next is due, by the database's clock.
    pub(crate) next: Option<Duration>,
    /// How long the first of them has been due.
    pub(crate) late: Option<Duration>,
}

/// What was due has been accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// How many events.
    pub(crate) events: usize,
    /// How many of them nobody has looked after who knew when they are due.
    pub(crate) overlooked: usize,
    /// How long until the next is due, by the database's clock.
    pub(crate) next: Option<Duration>,
}

/// A schedule as it stands.
#[derive(Debug, Clone)]
pub(crate) struct DueSchedule {
    pub(crate) workflow: String,
    pub(crate) rule: String,
    /// When it is looked at next; `None` if it never was.
    pub(crate) due: Option<Timestamp>,
    /// The last tick that has started a run.
    pub(crate) last: Option<Timestamp>,
    /// The time in the database.
    pub(crate) now: Timestamp,
}

impl DueSchedule {
    pub(super) fn read(row: &impl Columns, now: Timestamp) -> Result<Self, StoreError> {
        Ok(Self {
            workflow: row.text("workflow")?,
            rule: row.text("rule")?,
            due: row.time_or_null("due_at")?,
            last: row.time_or_null("last_at")?,
            now,
        })
    }
}

/// Says what a schedule starts.
pub(crate) type Timetable<'a> = &'a (dyn Fn(&DueSchedule) -> Firing + Send + Sync);
