//! What operators do to runs. Each is one transaction, and safe while workers drive the runs.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use uuid::Uuid;

use super::{Client, check_reason};
use crate::error::{Error, Result};
use crate::given::{LONGEST_KEY, check};
use crate::journal::RunId;
use crate::payload::{EncodeError, Payload};
use crate::store::{Fork, Paused, Refusal, Replay, RunQuery, RunRecord, RunStatus, StrandedRuns};
use crate::workflow::{Input, Workflow, WorkflowFn};

/// How many runs a verb is applied to in one transaction.
const BATCH: u32 = 100;

impl Client {
    /// Resumes a failed run at the step that made it fail.
    ///
    /// The journal keeps all outcomes before that step, and drops the step's own outcome and everything
    /// after it. The step then has all its attempts again. If the body itself returned the error or
    /// panicked, the journal keeps all outcomes, and the body runs again over them: fix the program
    /// first. If other operations were open side by side with the failed step, a wait, an invoked run or
    /// a step between two attempts begins again, and a sleep goes on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFailed`] if the run has not failed, or if somebody else has retried it already;
    /// [`Error::Undone`] if it has begun to undo its steps; [`Error::NoSuchRun`]; or when the database
    /// does not answer.
    #[doc(alias("redrive", "dead letter"))]
    pub async fn retry(&self, run: RunId) -> Result<()> {
        let refused =
            self.store.retry_runs(&[run], self.terms()).await?.into_iter().find_map(Result::err);
        match refused {
            None => Ok(()),
            Some(Refusal::Standing(status)) => Err(Error::NotFailed { run, status }),
            Some(refusal) => Err(refused_to(run, refusal)),
        }
    }

    /// Starts a new run that reuses everything the old run did before it first entered a state.
    ///
    /// The old run can have any status, and stays as it is. Give the state by its id, `ship-item`; in a
    /// helper with the path to it, `notify/send-mail`; as a variant of the workflow's
    /// [`State`](Workflow::State); or by the key of one occurrence, `ship-item#1`.
    ///
    /// Both runs have the same input and the same seed, so derived values such as `step.uuid(..)` are the
    /// same in both. If the old run has undone a step since, the new run still counts that step as done.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchState`] if the run has not recorded that state; the error lists the states it has.
    /// [`Error::NoSuchRun`]; or when the database does not answer.
    #[doc(alias = "reset")]
    pub async fn fork(&self, run: RunId, at_state: impl fmt::Display + Send) -> Result<RunId> {
        let fork = Fork { source: run, id: RunId::new(), state: at_state.to_string() };
        let forked = self.store.fork_run(&fork, self.terms()).await?;
        match forked {
            Ok(()) => Ok(fork.id),
            Err(Refusal::NoSuchState(states)) => {
                Err(Error::NoSuchState { run, state: fork.state, states })
            }
            Err(refusal) => Err(refused_to(run, refusal)),
        }
    }

    /// Starts a new run from the beginning, with the trigger of a run that is over. The new run has a
    /// journal and a seed of its own. [`input`](Replaying::input) gives it another input.
    ///
    /// # Errors
    ///
    /// [`Error::NotOver`] if the run is not over; [`Error::NoSuchRun`]; or when the database does
    /// not answer.
    #[doc(alias = "rerun")]
    pub fn replay(&self, run: RunId) -> Replaying<'_> {
        Replaying { client: self, run, input: None }
    }

    /// Lets all runs of a workflow rest until you [resume](Self::resume) it, even if programs restart.
    ///
    /// Workers take up no run of it. Runs that workers drive at the moment begin no further step, and
    /// leave the workers within a [poll interval](crate::RuntimeBuilder::poll_interval). Timers go on
    /// during the pause. Events, and requests to cancel, are kept. All of these take effect when the
    /// workflow is resumed. Gives `false` if the workflow was paused already.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn pause<W: Workflow>(&self, _workflow: impl WorkflowFn<W>) -> Result<bool> {
        let paused = self.store.pause_workflow(self.app()?, W::ID).await?;
        Ok(paused)
    }

    /// [Pauses](Self::pause) a workflow of the app by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchWorkflow`] if no program of the app has registered it; [`Error::NoApp`]; or when the
    /// database does not answer.
    pub async fn pause_by_name(&self, workflow: &str) -> Result<bool> {
        self.check_workflow(workflow).await?;
        Ok(self.store.pause_workflow(self.app()?, workflow).await?)
    }

    /// [Resumes](Self::resume) a workflow of the app by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`]; or when the database does not answer.
    pub async fn resume_by_name(&self, workflow: &str) -> Result<bool> {
        check(workflow, LONGEST_KEY).map_err(|cause| Error::UnfitText {
            what: "the name of a workflow".to_owned(),
            cause,
        })?;
        Ok(self.store.resume_workflow(self.app()?, workflow).await?)
    }

    /// Lets workers take up the runs of a paused workflow again. Gives `false` if it was not paused.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn resume<W: Workflow>(&self, _workflow: impl WorkflowFn<W>) -> Result<bool> {
        let resumed = self.store.resume_workflow(self.app()?, W::ID).await?;
        Ok(resumed)
    }

    /// The app's workflows that are paused.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn paused(&self) -> Result<Vec<Paused>> {
        Ok(self.store.paused_workflows(self.app()?).await?)
    }

    /// The app's unfinished runs that no running worker can drive.
    ///
    /// Either no running program has their workflow. Or the workflow is pinned (`on_change = pin`), and no
    /// running program has the shape with which they began.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    #[doc(alias = "orphaned")]
    pub async fn stranded(&self) -> Result<Vec<StrandedRuns>> {
        Ok(self.store.stranded_runs(self.app()?).await?)
    }

    /// Waits until a run is over. If the database is away, it waits until it is back.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::wait`](crate::RunHandle::wait).
    pub async fn wait(&self, run: RunId) -> Result<RunRecord> {
        self.handle::<()>(run).wait().await
    }

    /// [Cancels](Self::cancel) all runs that the query selects and that are not over. Gives how many were
    /// asked to stop. Without a limit in the query there is none. Each hundred runs are one transaction.
    ///
    /// # Errors
    ///
    /// As [`runs`](Self::runs), and as [`cancel`](Self::cancel) for the reason. If the database does not
    /// answer, the batches before are done.
    pub async fn cancel_all(&self, query: &RunQuery, reason: &str) -> Result<u64> {
        check_reason(reason)?;
        let query = RunQuery { over: Some(false), ..query.clone() };
        self.for_all(query, async |runs| Ok(self.store.cancel_runs(runs, reason).await?)).await
    }

    /// [Retries](Self::retry) the failed runs that the query selects. Gives how many.
    ///
    /// # Errors
    ///
    /// As [`runs`](Self::runs). If the database does not answer, the batches before are done.
    pub async fn retry_all(&self, query: &RunQuery) -> Result<u64> {
        let query = RunQuery { over: Some(true), ..query.clone() };
        if query.status.is_some_and(|status| status != RunStatus::Failed) {
            return Ok(0);
        }
        let query = RunQuery { status: Some(RunStatus::Failed), ..query };
        self.for_all(query, async |runs| {
            Ok(done(&self.store.retry_runs(runs, self.terms()).await?))
        })
        .await
    }

    /// [Replays](Self::replay) the runs that the query selects and that are over. Gives how many.
    ///
    /// # Errors
    ///
    /// As [`runs`](Self::runs). If the database does not answer, the batches before are done.
    pub async fn replay_all(&self, query: &RunQuery) -> Result<u64> {
        let query = RunQuery { over: Some(true), ..query.clone() };
        self.for_all(query, async |runs| {
            let replays: Vec<_> = runs.iter().map(|run| Replay::of(*run)).collect();
            Ok(done(&self.store.replay_runs(&replays, self.terms()).await?))
        })
        .await
    }

    /// Applies a verb to all runs that a query names, in batches. Runs that come up meanwhile, maybe by
    /// the verb itself, are not among them.
    async fn for_all(
        &self,
        query: RunQuery,
        mut verb: impl AsyncFnMut(&[RunId]) -> Result<u64>,
    ) -> Result<u64> {
        let end = RunId::new();
        let mut left = query.limit.unwrap_or(u32::MAX);
        let mut page = query;
        let mut done = 0;
        while left > 0 {
            page.limit = Some(BATCH.min(left));
            let runs = self.runs(&page).await?;
            let runs: Vec<_> = runs.iter().map(|run| run.id).filter(|run| *run < end).collect();
            let Some(last) = runs.last() else { break };
            page.after = Some(*last);
            left -= runs.len() as u32;
            done += verb(&runs).await?;
        }
        Ok(done)
    }
}

/// A replay of a run; await it to start the new run and to get its id. See [`Client::replay`].
#[must_use = "a run is started when this is awaited"]
pub struct Replaying<'c> {
    client: &'c Client,
    run: RunId,
    input: Option<(&'static str, Result<Payload, EncodeError>)>,
}

impl<'c> Replaying<'c> {
    /// Gives the new run this input in place of the old run's input. The `.await` fails with
    /// [`Error::OtherWorkflow`] if the old run is a run of another workflow.
    pub fn input<W: Workflow>(
        mut self,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> Self {
        let limit = self.client.event_limit;
        self.input = Some((W::ID, <W::Input as Input>::encode(&input, limit)));
        self
    }

    async fn replay(self) -> Result<RunId> {
        let Self { client, run, input } = self;
        let mut replay = Replay::of(run);
        if let Some((workflow, input)) = input {
            let input = input.map_err(|cause| Error::NotStorable {
                what: format!("the input of `{workflow}`"),
                cause,
            })?;
            let record = client.run(run).await?.ok_or(Error::NoSuchRun(run))?;
            if record.workflow != workflow {
                return Err(Error::OtherWorkflow {
                    run,
                    workflow: record.workflow,
                    given: workflow,
                });
            }
            replay.input = Some(input);
        }
        let id = replay.id;
        let replayed = client.store.replay_runs(&[replay], client.terms()).await?;
        let refused = replayed.into_iter().find_map(Result::err);
        match refused {
            None => Ok(id),
            Some(Refusal::Standing(status)) => Err(Error::NotOver { run, status }),
            Some(refusal) => Err(refused_to(run, refusal)),
        }
    }
}

impl<'c> IntoFuture for Replaying<'c> {
    type Output = Result<RunId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.replay())
    }
}

impl Replay {
    fn of(source: RunId) -> Self {
        Self { source, id: RunId::new(), seed: Uuid::new_v4(), input: None }
    }
}

fn done(answers: &[Result<(), Refusal>]) -> u64 {
    answers.iter().filter(|answer| answer.is_ok()).count() as u64
}

fn refused_to(run: RunId, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unknown => Error::NoSuchRun(run),
        Refusal::Undone => Error::Undone(run),
        Refusal::Standing(status) => Error::NotOver { run, status },
        Refusal::NoSuchState(states) => Error::NoSuchState { run, state: String::new(), states },
    }
}
