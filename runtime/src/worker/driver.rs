use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep_until;
use tracing::{debug, error, warn};

use super::Env;
use super::clock::DatabaseClock;
use super::committer::{Commitment, Committer};
use crate::journal::{ErrorKind, ErrorRecord, RunId};
use crate::machine::{End, Machine, Turn};
use crate::store::{ClaimedRun, RunCommit, Then};

/// A run whose next timer is no further away than this is kept in memory.
const KEPT: Duration = Duration::from_secs(2);

/// What a run is driven with.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) env: Arc<Env>,
    pub(crate) clock: Arc<DatabaseClock>,
    pub(crate) committer: Committer,
}

/// Drives one run until it ends, parks, is held, or is no longer this worker's.
pub(crate) async fn drive(driver: Driver, claimed: ClaimedRun) {
    let Some(definition) = driver.env.program.workflow(&claimed.workflow) else {
        // The claim names the workflows that this program has.
        error!(workflow = claimed.workflow, "a run was claimed that this program cannot drive");
        return;
    };
    let run = claimed.origin.trigger.run;
    let machine = Machine::new(
        definition,
        driver.env.resources.clone(),
        driver.env.program.limits,
        claimed.origin,
    );
    let mut drive = Drive { driver, run, workflow: claimed.workflow, machine, commit: None };
    let last = drive.to_rest().await;
    drive.settle(last).await;
}

/// One run being driven.
struct Drive {
    driver: Driver,
    run: RunId,
    workflow: String,
    machine: Machine,
    /// The commit under way, if there is one.
    commit: Option<oneshot::Receiver<Commitment>>,
}

impl Drive {
    /// Polls the machine until it comes to rest, and says what the run's last commit by this worker
    /// is to be; `None` if there is none to make.
    async fn to_rest(&mut self) -> Option<Then> {
        let env = self.driver.env.clone();
        let mut draining = false;
        loop {
            let clock = &self.driver.clock;
            let due = self.machine.next_due().map(|due| clock.instant_of(due));
            let machine = &mut self.machine;
            let commit = &mut self.commit;
            let turn = tokio::select! {
                commitment = async { commit.as_mut().expect("checked").await }, if commit.is_some() => {
                    self.commit = None;
                    match commitment {
                        Ok(Commitment::Committed(at)) => machine.committed(at),
                        Ok(Commitment::Evicted) => {
                            warn!(run = %self.run, workflow = self.workflow, "the run is another worker's now");
                            return None;
                        }
                        Ok(Commitment::Refused(reason)) => return Some(self.refused(reason)),
                        // The lease is lost; so is the run.
                        Err(_) => return None,
                    }
                    continue;
                }
                () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => continue,
                () = env.stopping.cancelled(), if !draining => {
                    draining = true;
                    machine.drain();
                    continue;
                }
                turn = poll_fn(|cx| machine.poll(clock.now(), cx)) => turn,
            };
            match turn {
                Turn::Commit { first_seq, entries, end } => {
                    let then = end.map_or(Then::Continue, Then::End);
                    if let Then::End(end) = &then {
                        self.log_end(end);
                    }
                    let commit = RunCommit { run: self.run, first_seq, entries, then };
                    self.commit = Some(self.driver.committer.submit(commit));
                }
                Turn::Idle { until } => {
                    let wait = until.duration_since(self.driver.clock.now());
                    if draining || wait > KEPT.try_into().expect("two seconds fit") {
                        return Some(Then::Park(until));
                    }
                    tokio::select! {
                        () = sleep_until(self.driver.clock.instant_of(until)) => {}
                        () = env.stopping.cancelled() => {}
                    }
                }
                Turn::Drained => return Some(Then::Release),
                Turn::Ended => return None,
                Turn::Held(fault) => {
                    error!(run = %self.run, workflow = self.workflow, "the run is held: {fault}");
                    return Some(Then::Hold(fault.to_string()));
                }
            }
        }
    }

    /// Makes the run's last commit by this worker.
    async fn settle(self, then: Option<Then>) {
        let Some(then) = then else { return };
        // The machine goes first: nothing of it may run on once the run is another's.
        let Self { driver, run, machine, .. } = self;
        drop(machine);
        let commit = RunCommit { run, first_seq: 0, entries: Vec::new(), then };
        if let Ok(Commitment::Refused(reason)) = driver.committer.submit(commit).await {
            error!(%run, reason, "the database refuses to let the run go; it stays where it is");
        }
    }

    /// The database does not accept what a step gave: the run fails visibly.
    fn refused(&self, reason: String) -> Then {
        error!(run = %self.run, workflow = self.workflow, reason, "the database refused a row of this run");
        let message = format!("the database refused to store what a step gave: {reason}");
        let record = ErrorRecord::new(ErrorKind::Unstorable, message.replace('\0', "\u{fffd}"));
        Then::End(End::Failed(record))
    }

    fn log_end(&self, end: &End) {
        match end {
            End::Completed(_) => debug!(run = %self.run, workflow = self.workflow, "completed"),
            End::Failed(error) => {
                warn!(run = %self.run, workflow = self.workflow, %error, "the run failed");
            }
        }
    }
}
