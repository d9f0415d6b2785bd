//! The embedded store: one file, one host, real `fsync`. One connection writes, under `BEGIN
//! IMMEDIATE`, so that what it reads first still holds when it writes; others read beside it.
//!
//! Batches travel as one JSON array a statement (`json_each`), the counterpart of Postgres' `UNNEST`.
//! The times are the process's clock: every process that uses the file is on the same host.

mod accept;
mod batches;
mod checks;
mod claim;
mod connect;
mod database;
mod file;
mod flush;
mod gates;
mod inbox;
mod lease;
mod life;
mod listen;
mod migrate;
mod pause;
#[cfg(test)]
mod plans;
mod promote;
mod query;
mod register;
mod restart;
mod route;
mod runs;
mod schedules;
mod shapes;
mod transaction;
mod value;
mod verbs;
mod waits;
mod workers;

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::database::SqliteStore;
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

impl SqliteStore {
    pub(super) async fn open(url: &str) -> Result<Self, Problem> {
        connect::connect(url).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn register(&self, registration: &Registration) -> Result<Vec<Stranded>, StoreError> {
        register::register(self, registration).await
    }

    async fn reshape(
        &self,
        app: &str,
        workflow: &str,
        shape: &str,
    ) -> Result<Option<String>, StoreError> {
        shapes::reshape(self, app, workflow, shape).await
    }

    async fn recorded(&self, app: &str, workflow: &str) -> Result<Vec<Recorded>, StoreError> {
        shapes::recorded(self, app, workflow).await
    }

    async fn accept(
        &self,
        hosted_by: Option<&str>,
        events: &[NewEvent],
    ) -> Result<Vec<EventId>, StoreError> {
        accept::accept(self, hosted_by, events).await
    }

    async fn start(&self, app: &str, runs: &[NewRun]) -> Result<(), StoreError> {
        accept::start(self, app, runs).await
    }

    async fn route(
        &self,
        deliveries: Deliveries<'_>,
        router: Router<'_>,
    ) -> Result<usize, StoreError> {
        route::route(self, deliveries, router).await
    }

    async fn complete(&self, app: &str, limit: usize) -> Result<Promoted, StoreError> {
        batches::complete(self, app, limit).await
    }

    async fn fire(
        &self,
        app: &str,
        schedules: &[Schedule],
        timetable: Timetable<'_>,
    ) -> Result<Promoted, StoreError> {
        schedules::fire(self, app, schedules, timetable).await
    }

    async fn open_gates(&self, app: &str) -> Result<Promoted, StoreError> {
        gates::open(self, app).await
    }

    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError> {
        promote::promote(self, limit).await
    }

    async fn join(&self, worker: &Worker, _: Duration) -> Result<Instant, StoreError> {
        lease::join(self, worker).await
    }

    fn renewals(&self) -> Box<dyn Renewals> {
        Box::new(lease::OwnConnection::of(self))
    }

    async fn leave(&self, worker: WorkerId) -> Result<(), StoreError> {
        lease::leave(self, worker).await
    }

    async fn disown(&self, worker: WorkerId, driven: &[RunId]) -> Result<u64, StoreError> {
        lease::disown(self, worker, driven).await
    }

    async fn forfeit(&self, worker: WorkerId, judge: Judge<'_>) -> Result<(), StoreError> {
        lease::forfeit(self, worker, judge).await
    }

    async fn take_over(&self, judge: Judge<'_>) -> Result<u64, StoreError> {
        lease::take_over(self, judge).await
    }

    async fn cohorts(&self, app: &str) -> Result<Vec<u32>, StoreError> {
        lease::cohorts(self, app).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        claim::claim(self, claim).await
    }

    async fn flush(
        &self,
        worker: WorkerId,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Flushed, StoreError> {
        flush::flush(self, worker, commit, batch).await
    }

    async fn landed(
        &self,
        commit: Uuid,
        batch: &[RunCommit],
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(self, commit, batch).await
    }

    fn has_one_writer(&self) -> bool {
        true
    }

    async fn begin(&self) -> Result<Connection, StoreError> {
        transaction::begin(self).await
    }

    async fn conclude(
        &self,
        transaction: Connection,
        worker: WorkerId,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Concluded, StoreError> {
        let Connection::Sqlite(tx, turn) = transaction else {
            unreachable!("it was begun in this store");
        };
        let concluded = transaction::conclude(self, tx, worker, commit, run).await;
        drop(turn);
        concluded
    }

    async fn concluded(
        &self,
        commit: Uuid,
        run: &RunCommit,
    ) -> Result<Option<Flushed>, StoreError> {
        flush::landed(self, commit, slice::from_ref(run)).await
    }

    async fn messages(&self, worker: WorkerId) -> Result<Vec<(RunId, Message)>, StoreError> {
        inbox::messages(self, worker).await
    }

    async fn cancel_all(&self, runs: &[RunId], reason: &str) -> Result<u64, StoreError> {
        inbox::cancel(self, runs, reason).await
    }

    async fn pause(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        pause::pause(self, app, workflow).await
    }

    async fn resume(&self, app: &str, workflow: &str) -> Result<bool, StoreError> {
        pause::resume(self, app, workflow).await
    }

    async fn paused(&self, app: &str) -> Result<Vec<Paused>, StoreError> {
        pause::paused(self, app).await
    }

    async fn stranded(&self, app: &str) -> Result<Vec<StrandedRuns>, StoreError> {
        pause::stranded(self, app).await
    }

    async fn retry(
        &self,
        runs: &[RunId],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        verbs::retry(self, runs, cancels).await
    }

    async fn fork(
        &self,
        fork: &Fork,
        cancels: Cancels<'_>,
    ) -> Result<Result<(), Refusal>, StoreError> {
        verbs::fork(self, fork, cancels).await
    }

    async fn replay(
        &self,
        replays: &[Replay],
        cancels: Cancels<'_>,
    ) -> Result<Vec<Result<(), Refusal>>, StoreError> {
        verbs::replay(self, replays, cancels).await
    }

    async fn interventions(&self, run: RunId) -> Result<Vec<Intervention>, StoreError> {
        verbs::interventions(self, run).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        query::run(self, id).await
    }

    async fn journal(&self, id: RunId) -> Result<Vec<Row>, StoreError> {
        query::journal(self, id).await
    }

    async fn runs(&self, app: &str, query: &RunQuery) -> Result<Vec<RunRecord>, StoreError> {
        query::runs(self, app, query).await
    }

    async fn counts(&self, app: &str) -> Result<Vec<RunCount>, StoreError> {
        query::counts(self, app).await
    }

    fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    async fn listen(&self, app: &str, poll: Duration) {
        listen::begin(self, app, poll).await;
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
