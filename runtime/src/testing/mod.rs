//! The test kit. A workflow runs in memory, without a database and without a worker. You can stop it at any
//! of its commits and resume it from there, as another process would after a crash.
//!
//! Time is virtual. When the run waits only for a sleep, or for the next attempt of a step, time jumps to the
//! end of that wait. While a step is in progress, virtual time stands still. A step's time-out, or a sleep
//! beside the step, then takes real time. With `#[tokio::test(start_paused = true)]` it takes none, because
//! tokio's clock jumps, too.

mod clock;
mod journals;
mod replay;
mod transactions;

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::Timestamp;
#[cfg(feature = "postgres")]
use sqlx::PgPool;
#[cfg(feature = "sqlite")]
use sqlx::SqlitePool;
use uuid::Uuid;

use self::clock::Clock;
use self::transactions::Lent;
use crate::journal::{End, ErrorRecord, Origin, Row, RunCommit, RunId, Then, Transition};
use crate::machine::{Machine, Turn};
use crate::payload::Payload;
use crate::step::{Body, Definition, Limits, Resources};
use crate::workflow::{Input, TriggerData, WorkflowFn};

/// Starts workflows in a test, and gives them their resources. See [`TestRun`].
#[derive(Default)]
pub struct Bench {
    resources: Resources,
}

impl Bench {
    /// A bench without resources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the workflow a value. It takes the value as a parameter: `Resource(name): Resource<T>`.
    #[must_use]
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources.insert(resource);
        self
    }

    /// Runs the workflow's transactions in this Postgres database. Each commits what its closure did, and nothing
    /// else. If the test resumes the run from an earlier commit, the database keeps what was committed.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn postgres(self, pool: PgPool) -> Self {
        self.transact_in(Lent::Postgres(pool))
    }

    /// Runs the workflow's transactions in this SQLite database. Each commits what its closure did, and
    /// nothing else. If the test resumes the run from an earlier commit, the database keeps what was
    /// committed.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(self, pool: SqlitePool) -> Self {
        self.transact_in(Lent::Sqlite(pool))
    }

    fn transact_in(mut self, lent: Lent) -> Self {
        self.resources.transact_in(Arc::new(lent));
        self
    }

    /// Makes a run that does nothing until you call [`commit`](TestRun::commit) or
    /// [`finish`](TestRun::finish).
    ///
    /// # Panics
    ///
    /// When the input cannot be stored, or the workflow takes a resource that the bench does not have.
    pub fn start<W: Body>(
        self,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> TestRun<W> {
        let requirements = Definition::of::<W>().requirements();
        if let Some(missing) = requirements.iter().find(|needed| !self.resources.has(needed)) {
            panic!("`{}` takes a resource that the bench does not have: {}", W::ID, missing.name);
        }
        let data = <W::Input as Input>::encode(&input, Limits::DEFAULT.event)
            .unwrap_or_else(|error| panic!("the input of `{}` cannot be stored: {error}", W::ID));
        // The same for each test, so that what is derived from them is too.
        let trigger = TriggerData {
            run: RunId::from(Uuid::from_u128(1)),
            event: None,
            accepted_at: Timestamp::UNIX_EPOCH,
            data,
            trace: None,
        };
        TestRun::resumed(Arc::new(self.resources), trigger, 0, Vec::new(), Vec::new())
    }
}

/// A run in memory.
///
/// ```
/// use indelible::prelude::*;
/// use indelible::testing::Bench;
///
/// #[workflow(input)]
/// async fn greet(name: String, step: Step) -> Result<String, Failure> {
///     let greeting = step.run("write", async { Ok(format!("Hello, {name}")) }).await?;
///     step.sleep("hesitate", "3 days").await;
///     Ok(greeting)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut run = Bench::new().start(greet, "Ada".to_owned());
/// assert_eq!(run.finish().await, Ok("Hello, Ada".to_owned()));
/// run.assert_resumes().await;
/// # }
/// ```
pub struct TestRun<W> {
    resources: Arc<Resources>,
    trigger: TriggerData,
    /// How often it has restarted.
    generation: u32,
    machine: Machine,
    clock: Clock,
    /// Every row that was committed, also those that a carried loop has dropped since.
    history: Vec<Row>,
    /// How many rows had been committed after each commit.
    commits: Vec<usize>,
    end: Option<Result<Payload, RunError>>,
    workflow: PhantomData<W>,
}

/// Why a run did not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// Its body returned an error or panicked.
    Failed(ErrorRecord),
    /// It was cancelled.
    Cancelled(String),
    /// Its body and its journal contradict each other. The message shows both.
    Held(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the run failed: {error}"),
            Self::Cancelled(reason) => write!(f, "the run was cancelled: {reason}"),
            Self::Held(reason) => write!(f, "the run is held: {reason}"),
        }
    }
}

impl std::error::Error for RunError {}

impl<W: Body> TestRun<W> {
    /// A run with a history, which had this length after each of its commits.
    fn resumed(
        resources: Arc<Resources>,
        trigger: TriggerData,
        generation: u32,
        history: Vec<Row>,
        commits: Vec<usize>,
    ) -> Self {
        let journal = kept(&history);
        let clock = Clock::at(journal.last().map_or(trigger.accepted_at, |row| row.at));
        let origin = Origin {
            trigger: trigger.clone(),
            seed: Uuid::from_u128(2),
            retries: 0,
            generation,
            started_at: trigger.accepted_at,
            journal,
        };
        let definition = Definition::of::<W>();
        let machine = Machine::new(&definition, resources.clone(), Limits::DEFAULT, origin);
        let workflow = PhantomData;
        Self {
            resources,
            trigger,
            generation,
            machine,
            clock,
            history,
            commits,
            end: None,
            workflow,
        }
    }

    /// Runs up to and including its next commit. Gives `false` if the run is over without another commit.
    pub async fn commit(&mut self) -> bool {
        while self.end.is_none() {
            let Self { machine, clock, .. } = self;
            match poll_fn(|cx| clock.drive(machine, cx)).await {
                Turn::Commit(commit) => {
                    self.write(*commit);
                    return true;
                }
                Turn::Conclude(commit, open) => match transactions::commit(open).await {
                    Ok(()) => {
                        self.write(*commit);
                        return true;
                    }
                    Err(rollback) => self.machine.rolled_back(rollback),
                },
                Turn::Held(fault) => self.end = Some(Err(RunError::Held(fault.to_string()))),
                Turn::Idle { .. } => panic!(
                    "`{}` waits for an event or for another run, which the test kit does not provide: {}",
                    W::ID,
                    self.machine.waiting()
                ),
                Turn::Drained | Turn::Ended => {
                    unreachable!("no one drains the run, and nobody asks for more after its end")
                }
            }
        }
        false
    }

    /// Commits what the machine asks for.
    fn write(&mut self, commit: RunCommit) {
        let RunCommit { first_seq, entries, then, .. } = commit;
        let at = self.clock.commit();
        if !entries.is_empty() {
            let rows = entries.into_iter().zip(first_seq..);
            self.history.extend(rows.map(|(entry, seq)| entry.committed(seq, at)));
            self.commits.push(self.history.len());
        }
        self.end = match then {
            Then::End(End::Completed(output)) => Some(Ok(output)),
            Then::End(End::Failed(error)) => Some(Err(RunError::Failed(error))),
            Then::End(End::Cancelled(reason)) => Some(Err(RunError::Cancelled(reason))),
            Then::Restart { input, .. } => return self.begin_anew(input, at),
            Then::Continue | Then::Park(_) | Then::Hold(_) | Then::Release => None,
        };
        self.machine.committed(at);
    }

    /// The next generation: nothing is left of the last one.
    fn begin_anew(&mut self, input: Payload, at: Timestamp) {
        let trigger =
            TriggerData { event: None, accepted_at: at, data: input, ..self.trigger.clone() };
        let (resources, generation) = (self.resources.clone(), self.generation + 1);
        *self = Self::resumed(resources, trigger, generation, Vec::new(), Vec::new());
    }

    /// Runs to the end, through all generations, and gives the output of the last one.
    ///
    /// # Errors
    ///
    /// When the run fails, is cancelled or is held.
    ///
    /// # Panics
    ///
    /// When the output cannot be read back, or the run waits for an event or for another run.
    pub async fn finish(&mut self) -> Result<W::Output, RunError> {
        while self.commit().await {}
        let output = self.end.clone().expect("a run that commits nothing more has ended")?;
        Ok(output.decode().expect("the output reads back as what was written"))
    }

    /// How many commits it has made. A last commit that only records the run's end does not count.
    pub fn commits(&self) -> usize {
        self.commits.len()
    }

    /// The journal as it is now. It does not contain the earlier iterations of carried loops.
    pub fn journal(&self) -> Vec<Row> {
        kept(&self.history)
    }

    /// The same run, as another process would resume it if this one had died after `commits` commits.
    ///
    /// # Panics
    ///
    /// When the run has made fewer commits.
    #[must_use]
    pub fn resume_after(&self, commits: usize) -> Self {
        let commits = self.commits[..commits].to_vec();
        let length = commits.last().copied().unwrap_or(0);
        let history = self.history[..length].to_vec();
        Self::resumed(
            self.resources.clone(),
            self.trigger.clone(),
            self.generation,
            history,
            commits,
        )
    }

    /// The same run, as a later version of the workflow would resume it after `commits` commits.
    ///
    /// # Panics
    ///
    /// When the run has made fewer commits.
    #[must_use]
    pub fn resume_as<V: Body>(&self, _workflow: impl WorkflowFn<V>, commits: usize) -> TestRun<V> {
        let Self { resources, trigger, generation, history, commits, .. } =
            self.resume_after(commits);
        TestRun::resumed(resources, trigger, generation, history, commits)
    }
}

/// What a store holds of a history: a row that begins an iteration takes the place of all that came
/// since the loop's last such row.
fn kept(history: &[Row]) -> Vec<Row> {
    history.iter().fold(Vec::new(), |mut journal: Vec<Row>, row| {
        if matches!(row.transition, Transition::Carried { .. }) {
            let earlier = journal.iter().position(|other| {
                other.key == row.key && matches!(other.transition, Transition::Carried { .. })
            });
            let dropped = journal.split_off(earlier.unwrap_or(journal.len()));
            let undoable =
                |row: &Row| matches!(row.transition, Transition::Succeeded { undo: true, .. });
            journal.extend(dropped.into_iter().filter(undoable));
        }
        journal.push(row.clone());
        journal
    })
}
