//! The test kit: a workflow runs in memory, with neither a database nor a worker, can be stopped at
//! any of its commits, and goes on from there as a resumed run would.
//!
//! Time is virtual. It leaps to the end of a sleep or of a wait between attempts as soon as the run
//! waits for nothing else; while a step is in progress it stands still, except that what falls due
//! in the meantime (a step's timeout, a sleep beside it) does so after as long by tokio's clock. In
//! a test under `#[tokio::test(start_paused = true)]` that one leaps as well.

mod clock;
mod journals;
mod replay;
mod transactions;

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{PgPool, SqlitePool};
use uuid::Uuid;

use self::clock::Clock;
use self::transactions::Lent;
use crate::journal::{ErrorRecord, Row, RunId, Transition};
use crate::machine::{End, Machine, Origin, RunCommit, Then, Turn};
use crate::payload::Payload;
use crate::step::{Body, Definition, Limits, Resources};
use crate::workflow::{Input, TriggerData, WorkflowFn};

/// Where a workflow is tested: what it is lent. See [`TestRun`].
#[derive(Default)]
pub struct Bench {
    resources: Resources,
}

impl Bench {
    /// A bench with nothing on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lends the workflow a value, which it takes as `Resource(name): Resource<T>`.
    #[must_use]
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources.insert(resource);
        self
    }

    /// Where its transactions run: each is committed there, with nothing but what its closure did. What
    /// was committed stays there when the run is resumed from before.
    #[must_use]
    pub fn postgres(self, pool: PgPool) -> Self {
        self.transact_in(Lent::Postgres(pool))
    }

    /// As [`postgres`](Self::postgres), in SQLite.
    #[must_use]
    pub fn sqlite(self, pool: SqlitePool) -> Self {
        self.transact_in(Lent::Sqlite(pool))
    }

    fn transact_in(mut self, lent: Lent) -> Self {
        self.resources.transact_in(Arc::new(lent));
        self
    }

    /// A run that has just been accepted. It does nothing before it is asked to.
    ///
    /// # Panics
    ///
    /// When the input cannot be stored, or the workflow takes a resource that was not lent.
    pub fn start<W: Body>(
        self,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> TestRun<W> {
        let requirements = Definition::of::<W>().requirements();
        if let Some(missing) = requirements.iter().find(|needed| !self.resources.has(needed)) {
            panic!("`{}` takes a resource that was not lent: {}", W::ID, missing.name);
        }
        let data = <W::Input as Input>::encode(&input, Limits::DEFAULT.event)
            .unwrap_or_else(|error| panic!("the input of `{}` cannot be stored: {error}", W::ID));
        // The same for each test, so that what is derived from them is too.
        let trigger = TriggerData {
            run: RunId::from(Uuid::from_u128(1)),
            event: None,
            accepted_at: Timestamp::UNIX_EPOCH,
            data,
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
    /// How often it has begun anew.
    generation: u32,
    machine: Machine,
    clock: Clock,
    /// Every line that was committed, also those that a carried loop has dropped since.
    history: Vec<Row>,
    /// How many lines had been committed after each commit.
    commits: Vec<usize>,
    end: Option<Result<Payload, RunError>>,
    workflow: PhantomData<W>,
}

/// How a run ended that did not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// Its body gave an error or panicked.
    Failed(ErrorRecord),
    /// It was asked to stop.
    Cancelled(String),
    /// Its body and its journal contradict one another: the message shows both.
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

    /// Runs up to and including its next commit; `false` if it is over and there was none.
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
                    "`{}` waits for an event or for another run, and here is nobody to tell it: {}",
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
        let trigger = TriggerData { event: None, accepted_at: at, data: input, ..self.trigger };
        let (resources, generation) = (self.resources.clone(), self.generation + 1);
        *self = Self::resumed(resources, trigger, generation, Vec::new(), Vec::new());
    }

    /// Runs to its end, through all generations, and gives what the last one gave.
    ///
    /// # Errors
    ///
    /// When the run fails or is held.
    ///
    /// # Panics
    ///
    /// When the output cannot be read back as what was written.
    pub async fn finish(&mut self) -> Result<W::Output, RunError> {
        while self.commit().await {}
        let output = self.end.clone().expect("a run that commits nothing more has ended")?;
        Ok(output.decode().expect("the output reads back as what was written"))
    }

    /// How many commits it has made. The last one, of its end alone, is not among them.
    pub fn commits(&self) -> usize {
        self.commits.len()
    }

    /// What the journal holds now: what was committed, but for the earlier iterations of carried
    /// loops.
    pub fn journal(&self) -> Vec<Row> {
        kept(&self.history)
    }

    /// The same run, as another process would resume it had this one died after so many commits.
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

    /// The same run, as a later version of the workflow would resume it after so many commits.
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

/// What a store holds of a history: a line that begins an iteration takes the place of all that came
/// since the loop's last such line.
fn kept(history: &[Row]) -> Vec<Row> {
    history.iter().fold(Vec::new(), |mut journal: Vec<Row>, row| {
        if matches!(row.transition, Transition::Carried { .. }) {
            let earlier = journal.iter().position(|line| {
                line.key == row.key && matches!(line.transition, Transition::Carried { .. })
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
