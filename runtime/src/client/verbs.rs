//! What operators do to runs. Each is one transaction, and safe while workers drive the runs.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use uuid::Uuid;

use super::{Client, check_reason};
use crate::error::{Error, Result};
use crate::journal::{CancelKey, RunId};
use crate::payload::{EncodeError, Payload};
use crate::store::{Fork, Paused, Refusal, Replay, RunQuery, RunRecord, RunStatus, StrandedRuns};
use crate::workflow::{Input, Workflow, WorkflowFn};

/// How many runs a verb is applied to in one transaction.
const BATCH: u32 = 100;

impl Client {
    /// Takes a failed run up again where it failed: the outcome that it failed for is removed from its
    /// journal, with all that came after it, and that step has all its attempts before it. Outcomes
    /// before it stay. A run that failed by an error of its body's own, or by a panic there, runs its
    /// body again over all the outcomes that it has: that is for after a fix. What was open beside
    /// the failed step (a wait, an invoked run, a step between two attempts) begins anew; a sleep goes
    /// on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFailed`] unless the run has failed, so also when somebody else was first;
    /// [`Error::Undone`] if it has begun to undo what it did; [`Error::NoSuchRun`]; or when the
    /// database does not answer.
    pub async fn retry(&self, run: RunId) -> Result<()> {
        let refused =
            self.store.retry(&[run], &self.cancels()).await?.into_iter().find_map(Result::err);
        match refused {
            None => Ok(()),
            Some(Refusal::Standing(status)) => Err(Error::NotFailed { run, status }),
            Some(refusal) => Err(refused_to(run, refusal)),
        }
    }

    /// Starts a new run with the part of a run's journal that comes before it first entered a state,
    /// wherever the run stands; it is left as it is. The state is given by its id, `ship-item`, inside
    /// a helper with the path to it, `notify/send-mail`, or as a variant of the workflow's
    /// [`State`](Workflow::State); or by the key of one occurrence, `ship-item#1`.
    ///
    /// The two have their input and their seed in common, so that what is derived (`step.uuid(..)`) is
    /// the same in both. What the run has undone since counts as done in the fork.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchState`] if the run has no outcome of that state, with the states that it has;
    /// [`Error::NoSuchRun`]; or when the database does not answer.
    pub async fn fork(&self, run: RunId, at_state: impl fmt::Display + Send) -> Result<RunId> {
        let fork = Fork { source: run, id: RunId::new(), state: at_state.to_string() };
        let forked = self.store.fork(&fork, &self.cancels()).await?;
        match forked {
            Ok(()) => Ok(fork.id),
            Err(Refusal::NoSuchState(states)) => {
                Err(Error::NoSuchState { run, state: fork.state, states })
            }
            Err(refusal) => Err(refused_to(run, refusal)),
        }
    }

    /// Starts a new run as a run that is over was started: with its trigger, but a journal and a seed
    /// of its own. [`input`](Replaying::input) gives it another input.
    ///
    /// # Errors
    ///
    /// [`Error::NotOver`] while the run is not over; [`Error::NoSuchRun`]; or when the database does
    /// not answer.
    pub fn replay(&self, run: RunId) -> Replaying<'_> {
        Replaying { client: self, run, input: None }
    }

    /// Has no runs of a workflow taken up until it is [resumed](Self::resume), across restarts: runs wait
    /// where they are, and those that are being driven begin no further step and leave their workers
    /// (within a poll interval). Timers go on, so that what falls due meanwhile is due when the workflow
    /// is resumed; so it is with events, and with requests to cancel. `false` if it was paused already.
    ///
    /// # Errors
    ///
    /// When the database does not answer. So it is with the three methods below.
    pub async fn pause<W: Workflow>(&self, _workflow: impl WorkflowFn<W>) -> Result<bool> {
        let paused = self.store.pause(self.program.app, W::ID).await?;
        Ok(paused)
    }

    /// Has the runs of a paused workflow taken up again; `false` if it was not paused.
    pub async fn resume<W: Workflow>(&self, _workflow: impl WorkflowFn<W>) -> Result<bool> {
        let resumed = self.store.resume(self.program.app, W::ID).await?;
        Ok(resumed)
    }

    /// The app's workflows that are paused.
    pub async fn paused(&self) -> Result<Vec<Paused>> {
        Ok(self.store.paused(self.program.app).await?)
    }

    /// The app's unfinished runs that no living worker can drive: their workflow is in none of the
    /// programs that run, or it is pinned (`on_change = pin`) and they were begun in another shape.
    pub async fn stranded(&self) -> Result<Vec<StrandedRuns>> {
        Ok(self.store.stranded(self.program.app).await?)
    }

    /// Waits for a run's end. An outage of the database is waited out.
    ///
    /// # Errors
    ///
    /// When there is no such run.
    pub async fn wait(&self, run: RunId) -> Result<RunRecord> {
        self.handle::<()>(run).wait().await
    }

    /// [Cancels](Self::cancel) the runs that the query names and that are not over, a hundred in a
    /// transaction; the query's limit bounds how many in all. Gives how many were asked to stop.
    ///
    /// # Errors
    ///
    /// As [`runs`](Self::runs), and for the reason as [`cancel`](Self::cancel); if the database does not
    /// answer, batches before that are done. So it is with the methods below.
    pub async fn cancel_all(&self, query: &RunQuery, reason: &str) -> Result<u64> {
        check_reason(reason)?;
        let query = RunQuery { over: Some(false), ..query.clone() };
        self.for_all(query, async |runs| Ok(self.store.cancel_all(runs, reason).await?)).await
    }

    /// [Retries](Self::retry) the failed runs that the query names; gives how many.
    pub async fn retry_all(&self, query: &RunQuery) -> Result<u64> {
        let query = RunQuery { over: Some(true), ..query.clone() };
        if query.status.is_some_and(|status| status != RunStatus::Failed) {
            return Ok(0);
        }
        let query = RunQuery { status: Some(RunStatus::Failed), ..query };
        self.for_all(query, async |runs| Ok(done(&self.store.retry(runs, &self.cancels()).await?)))
            .await
    }

    /// [Replays](Self::replay) the runs that the query names and that are over; gives how many.
    pub async fn replay_all(&self, query: &RunQuery) -> Result<u64> {
        let query = RunQuery { over: Some(true), ..query.clone() };
        self.for_all(query, async |runs| {
            let replays: Vec<_> = runs.iter().map(|run| Replay::of(*run)).collect();
            Ok(done(&self.store.replay(&replays, &self.cancels()).await?))
        })
        .await
    }

    /// What cancels a run that is begun here.
    fn cancels(&self) -> impl Fn(&str, &Payload) -> Vec<CancelKey> + Send + Sync + '_ {
        |workflow, input| self.program.cancels(workflow, input)
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

/// A run to be started as another was; await it, it gives the new run's id. See [`Client::replay`].
#[must_use = "a run is started when this is awaited"]
pub struct Replaying<'c> {
    client: &'c Client,
    run: RunId,
    input: Option<(&'static str, Result<Payload, EncodeError>)>,
}

impl<'c> Replaying<'c> {
    /// Gives the new run this input in place of the other's. Awaiting it then fails with
    /// [`Error::OtherWorkflow`] if the run is not one of this workflow.
    pub fn input<W: Workflow>(
        mut self,
        _workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> Self {
        let limit = self.client.program.limits.event;
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
        let replayed = client.store.replay(&[replay], &client.cancels()).await?;
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
