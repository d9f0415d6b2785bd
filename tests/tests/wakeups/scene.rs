//! What the operations are performed on, and their clock.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Debug;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use indelible::prelude::*;
use indelible::{Client, RunQuery, RunRecord};
use indelible_tests::databases::Fresh;
use indelible_tests::eventually;
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::user::User;
use indelible_tests::wakeups::echo;
use tokio::time::timeout;

/// How often a process polls: too rarely for any operation here.
pub(crate) const POLL: Duration = Duration::from_secs(60);

/// A sleep that nobody waits out, in milliseconds.
pub(crate) const FOR_EVER: u64 = 3_600_000;

/// What an operation gives, or why it did not do what it should.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long an operation took beyond what it sleeps.
pub(crate) type Took = Outcome<Duration>;

/// A client of workers that are there.
pub(crate) struct Scene {
    pub(crate) client: Client,
    /// A client that was connected without the app's code.
    pub(crate) sender: Client,
    /// Connections of the application's to the same database.
    pub(crate) user: User,
    last: Cell<u32>,
}

impl Scene {
    pub(crate) async fn of(client: Client, database: &Fresh) -> Self {
        let sender = Client::connect(database.url()).poll_interval(POLL);
        let sender = sender.await.expect("a client").for_app("wakeups");
        Self { client, sender, user: User::of(database).await, last: Cell::new(0) }
    }

    /// A number that no other operation has.
    pub(crate) fn number(&self) -> u32 {
        self.last.update(|last| last + 1);
        self.last.get()
    }

    /// Waits until a run stands there.
    pub(crate) async fn until(&self, run: RunId, status: RunStatus) {
        let stands = async || self.record(run).await.is_some_and(|run| run.status == status);
        eventually("the run stands there", stands).await;
    }

    /// Waits until a run has recorded so many lines.
    pub(crate) async fn until_recorded(&self, run: RunId, lines: usize) {
        let recorded = async || self.client.journal(run).await.expect("its journal").len() >= lines;
        eventually("the run has recorded it", recorded).await;
    }

    async fn record(&self, run: RunId) -> Option<RunRecord> {
        self.client.run(run).await.expect("the database answers")
    }

    /// Waits until so many runs are there, and gives them.
    pub(crate) async fn runs(&self, query: RunQuery, count: usize) -> Vec<RunId> {
        let mut runs = Vec::new();
        eventually("the runs are there", async || {
            let found = self.client.runs(&query).await.expect("the runs");
            runs = found.into_iter().map(|run| run.id).collect();
            runs.len() >= count
        })
        .await;
        runs
    }

    /// Waits for the ends of the runs that an event starts.
    pub(crate) async fn ends_of(&self, event: EventId, count: usize) -> Outcome<Vec<RunRecord>> {
        let query = RunQuery { event: Some(event), ..RunQuery::default() };
        self.ends(query, count).await
    }

    /// Waits for the ends of the runs that another has started.
    pub(crate) async fn ends_of_children(
        &self,
        parent: RunId,
        count: usize,
    ) -> Outcome<Vec<RunRecord>> {
        let query = RunQuery { parent: Some(parent), ..RunQuery::default() };
        self.ends(query, count).await
    }

    /// Waits until so many runs are there, and for their ends.
    pub(crate) async fn ends(&self, query: RunQuery, count: usize) -> Outcome<Vec<RunRecord>> {
        let mut ends = Vec::new();
        for run in self.runs(query, count).await {
            ends.push(self.client.wait(run).await?);
        }
        Ok(ends)
    }

    /// Performs an operation, and says what is to be said if it was late or went wrong.
    pub(crate) async fn time(
        &self,
        name: &str,
        operation: impl Future<Output = Took>,
        bound: Duration,
        patience: Duration,
    ) -> Option<String> {
        let first = RunId::new();
        let outcome = timeout(patience, operation).await;
        println!("{name}: {outcome:?}");
        match outcome {
            Ok(Ok(took)) if took > bound => Some(format!("{name} took {took:?}")),
            Ok(Ok(_)) => match timeout(patience, self.until_all_is_quiet(first)).await {
                Ok(()) => None,
                Err(_) => Some(format!("{name} left a run that does not end")),
            },
            Ok(Err(error)) => Some(format!("{name} went wrong: {error}")),
            Err(_) => Some(format!("{name} was not over after {patience:?}")),
        }
    }

    /// What one operation leaves behind must not wake a worker for the next one.
    async fn until_all_is_quiet(&self, first: RunId) {
        let query = RunQuery { over: Some(false), after: Some(first), ..RunQuery::default() };
        let quiet = async || self.client.runs(&query).await.expect("the runs").is_empty();
        eventually("all runs are over", quiet).await;
    }
}

/// Says what was to be there instead.
pub(crate) fn expect<T: PartialEq + Debug>(found: T, expected: T) -> Outcome<()> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?} in place of {expected:?}").into()),
    }
}

/// Asserts that only signals have led this process to work.
pub(crate) fn assert_nothing_was_polled(client: &Client) {
    assert_eq!(client.found_by_polling(), 0, "only a poll found it");
}

/// Worker processes.
pub(crate) struct Workers(Vec<Process>);

impl Workers {
    /// Starts so many, and waits until they all have joined and have driven a run.
    pub(crate) async fn start(database: &Fresh, client: &Client, count: usize) -> Self {
        // The run is there before the workers: each looks for work when it begins, and nobody has to
        // tell it.
        let first = client.start(echo, 0).await.expect("it starts");
        let start = |_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wakeups"));
            Process::start(command.arg(database.url()).stdout(Stdio::piped()))
        };
        let workers = Self((0..count).map(start).collect());
        let tables = Tables::of(database);
        eventually("all workers have joined", async || {
            let joined = tables.count("SELECT count(*) FROM {workers}").await;
            joined.is_ok_and(|joined| joined == count as i64)
        })
        .await;
        first.result().await.expect("it completes");
        workers
    }

    /// Asks the workers to stop. Each says how much work only a poll has found.
    pub(crate) fn stop_and_assert_nothing_was_polled(self) {
        for mut worker in self.0 {
            worker.signal("TERM");
            let mut polled = String::new();
            worker.stdout().read_to_string(&mut polled).expect("what it prints is text");
            let status = worker.wait();
            assert!(status.success(), "a worker ended with {status}");
            assert_eq!(polled.trim(), "0", "only a poll found it");
        }
    }
}
