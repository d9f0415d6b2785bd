//! The store for production: many workers on many hosts.
//!
//! A batch travels as one array a column (`unnest`), and what has to happen at once is one statement:
//! one round trip, one commit. Times are the server's clock. Rows that several processes want are
//! taken with `FOR UPDATE SKIP LOCKED`, so that nobody waits for another.

mod accept;
mod batch;
mod batches;
mod checks;
mod children;
mod claim;
mod connect;
mod database;
mod flush;
mod gates;
mod inbox;
mod lease;
#[cfg(test)]
mod looks;
mod migrate;
mod neighbours;
mod notify;
mod pause;
#[cfg(test)]
mod plans;
mod pool;
mod promote;
mod query;
mod queue;
#[cfg(test)]
mod races;
mod register;
mod restart;
mod route;
mod runs;
mod schedules;
mod shapes;
#[cfg(test)]
mod statements;
mod transaction;
mod value;
mod verbs;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use self::claim::Floors;
use self::connect::Connected;
use self::database::{Database, again};
use self::inbox::Broom;
use self::notify::Telling;
use super::hints::Hints;
use super::problem::Problem;
use super::{
    Cancels, Claim, Claimed, Concluded, Deliveries, Flushed, Fork, Intervention, Judge, NewEvent,
    NewRun, Paused, Promoted, Recorded, Refusal, Registration, Renewals, Replay, Router, RunCommit,
    RunCount, RunQuery, RunRecord, Schedule, Store, StoreError, Stranded, StrandedRuns, Timetable,
    Worker,
};
use crate::event::EventId;
use crate::id::WorkerId;
use crate::journal::{Message, Row, RunId};
use crate::step::Connection;

/// See the [module](self).
pub(super) struct PostgresStore {
    database: Database,
    /// For the user's transactions.
    lent: PgPool,
    floors: Floors,
    broom: Broom,
    telling: Telling,
}

impl PostgresStore {
    pub(super) async fn open(url: &str, hints_url: Option<&str>) -> Result<Self, Problem> {
        let connected = connect::connect(url, hints_url, Arc::default()).await?;
        let Connected { database, lent, listening } = connected;
        let telling = Telling::begin(&database, listening);
        Ok(Self { database, lent, floors: Floors::default(), broom: Broom::default(), telling })
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn register(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError> {
        again(|| register::register(&self.database, registration)).await
    }

    async fn reshape(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError> {
        again(|| shapes::reshape(&self.database, app, workflow, shape)).await
    }

    async fn recorded(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError> {
        shapes::recorded(&self.database, app, workflow).await
    }

    async fn accept(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError> {
        again(|| accept::accept(&self.database, hosted_by, events)).await
    }

    async fn start(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError> {
        again(|| accept::start(&self.database, app, runs)).await
    }

    async fn route(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError> {
        again(|| route::route(&self.database, deliveries, router)).await
    }

    async fn complete(&self, app: &str, limit: usize) -> Result<Promoted, StoreError> {
        again(|| batches::complete(&self.database, app, limit)).await
    }

    async fn fire(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Promoted, StoreError> {
        again(|| schedules::fire(&self.database, app, schedules, timetable)).await
    }

    async fn open_gates(&self, app: &str) -> Result<Promoted, StoreError> {
        again(|| gates::open(&self.database, app)).await
    }

    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError> {
        again(|| promote::promote(&self.database, &self.broom, limit)).await
    }

    async fn join(&self, worker: &Worker, lease: Duration) -> Result<Instant, StoreError> {
        again(|| lease::join(&self.database, worker, lease)).await
    }

    fn renewals(&self) -> Box<dyn Renewals> {
        Box::new(lease::OwnConnection::like(&self.database))
    }

    async fn leave(&self, worker: WorkerId) -> Result<(), StoreError> {
        again(|| lease::leave(&self.database, worker)).await
    }

    async fn disown(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError> {
        again(|| lease::disown(&self.database, worker, driven)).await
    }

    async fn forfeit(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError> {
        again(|| lease::forfeit(&self.database, worker, judge)).await
    }

    async fn take_over(&self, judge: Judge<'_>) -> Result<u64, StoreError> {
        again(|| lease::take_over(&self.database, judge)).await
    }

    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError> {
        lease::cohorts(&self.database, app).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        again(|| claim::claim(&self.database, &self.floors, claim.clone())).await
    }

    async fn flush(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError> {
        again(|| flush::flush(&self.database, worker, commit, batch)).await
    }

    async fn landed(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(&self.database, commit, batch).await
    }

    fn has_one_writer(&self) -> bool {
        false
    }

    async fn begin(&self) -> Result<Connection, StoreError> {
        transaction::begin(&self.lent, self.database.reach()).await
    }

    async fn conclude(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError> {
        let Connection::Postgres(tx) = transaction else {
            unreachable!("it was begun in this store");
        };
        transaction::conclude(&self.database, tx, worker, commit, run).await
    }

    async fn concluded(
        &self,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Option<Flushed>, StoreError> {
        transaction::concluded(&self.database, commit, run).await
    }

    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError> {
        inbox::messages(&self.database, worker).await
    }

    async fn cancel_all(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError> {
        again(|| inbox::cancel(&self.database, runs, reason)).await
    }

    async fn pause(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        again(|| pause::pause(&self.database, app, workflow)).await
    }

    async fn resume(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        again(|| pause::resume(&self.database, app, workflow)).await
    }

    async fn paused(&self, app: &str) -> Result<Vec<Paused>, StoreError> {
        pause::paused(&self.database, app).await
    }

    async fn stranded(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError> {
        pause::stranded(&self.database, app).await
    }

    async fn retry(
        &self,
        runs: &[RunId],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        again(|| verbs::retry(&self.database, runs, cancels)).await
    }

    async fn fork(
        &self,
        fork: &Fork,
        cancels: Cancels<'_>,
    ) -> Result<Result<(), Refusal>, StoreError> {
        again(|| verbs::fork(&self.database, fork, cancels)).await
    }

    async fn replay(
        &self,
        replays: &[Replay],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        again(|| verbs::replay(&self.database, replays, cancels)).await
    }

    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError> {
        verbs::interventions(&self.database, run).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        query::run(&self.database, id).await
    }

    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError> {
        query::journal(&self.database, id).await
    }

    async fn runs(&self, app: &str, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        query::runs(&self.database, app, query).await
    }

    async fn counts(&self, app: &str) -> Result<Vec<RunCount>, StoreError> {
        query::counts(&self.database, app).await
    }

    fn hints(&self) -> &Arc<Hints> {
        self.database.hints()
    }

    async fn listen(&self, app: &str, poll: Duration) {
        self.telling.listen(&self.database, app, poll).await;
    }

    async fn close(&self) {
        self.telling.end().await;
        self.lent.close().await;
        self.database.close().await;
    }
}
