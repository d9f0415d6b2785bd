use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::APP;
use super::plan::Scenario;
use super::random::Random;
use super::workflow::Unsteady;
use super::world::{Known, stop};
use crate::id::RunId;
use crate::store::{Fork, Replay, RunQuery, RunRecord, Store};
use crate::workflow::Workflow as _;

/// How many runs they begin or take up again in a batch.
const BEGUN: u32 = 60;

/// Operators, and clients who change their minds: at any moment, and to runs alone that need not be
/// the same as without them.
#[derive(Debug)]
pub(super) struct Operators {
    random: Option<Random>,
    paused_until: Option<Timestamp>,
    begun: u32,
    /// The runs that they have begun again at this time: nobody does so twice in a microsecond.
    at_once: (Timestamp, HashSet<RunId>),
}

impl Operators {
    pub(super) fn none() -> Self {
        let at_once = (Timestamp::MIN, HashSet::new());
        Self { random: None, paused_until: None, begun: 0, at_once }
    }

    pub(super) fn busy(random: Random) -> Self {
        Self { random: Some(random), ..Self::none() }
    }

    /// Whether the unsteady workflow is paused.
    pub(super) fn have_paused(&self) -> bool {
        self.paused_until.is_some()
    }

    /// When they do something next that has to be done.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.paused_until
    }

    /// Resumes what they have paused, if it is time; whether it was.
    pub(super) async fn resume(&mut self, store: &dyn Store, now: Timestamp) -> bool {
        let is_time = self.paused_until.is_some_and(|until| until <= now);
        if is_time {
            self.paused_until = None;
            assert!(store.resume_workflow(APP, Unsteady::ID).await.expect("the store answers"));
        }
        is_time
    }

    /// Does something, or nothing as a rule; whether there was anything.
    pub(super) async fn act(&mut self, store: &dyn Store, now: Timestamp) -> bool {
        let Some(random) = &mut self.random else { return false };
        match random.below(100) {
            0 if self.paused_until.is_none() => {
                let seconds = random.below(30) as i64;
                self.paused_until = Some(now + SignedDuration::from_secs(seconds));
                assert!(store.pause_workflow(APP, Unsteady::ID).await.expect("the store answers"));
            }
            1..4 => {
                let Some(run) = self.pick(store).await else { return false };
                let may = store.cancel_run(run.id, "an operator").await.expect("the store answers");
                assert!(may || run.status.is_over(), "{} can be cancelled", run.id);
            }
            4 => {
                let Some(run) = self.pick(store).await else { return false };
                let scenario: Scenario = run.input.decode().expect("it is a scenario");
                let once = self.random.as_mut().map_or(0, Random::next);
                let stop = stop(&[scenario.case, 6, once], scenario.bounds.stop);
                store.accept_events(None, &[stop]).await.expect("it is accepted");
            }
            5..11 if self.begun < BEGUN => return self.begin(store, now).await,
            _ => return false,
        }
        true
    }

    /// Begins a run with what another has done, or as it was begun, or takes it up again. Where it
    /// stands may not allow for it.
    async fn begin(&mut self, store: &dyn Store, now: Timestamp) -> bool {
        let Some(source) = self.pick(store).await.map(|run| run.id) else { return false };
        let Some(random) = &mut self.random else { return false };
        if self.at_once.0 != now {
            self.at_once = (now, HashSet::new());
        }
        if !self.at_once.1.insert(source) {
            return false;
        }
        self.begun += 1;
        let done = match random.below(3) {
            0 => store.retry_runs(&[source], &Known).await.expect("the store answers").remove(0),
            1 => {
                let (id, seed) = (new_id(random).into(), new_id(random));
                self.at_once.1.insert(id);
                let replay = Replay { source, id, seed, input: None };
                store.replay_runs(&[replay], &Known).await.expect("the store answers").remove(0)
            }
            _ => {
                let journal = store.journal(source).await.expect("the store answers");
                let line = random.below(journal.len() as u64) as usize;
                let Some(row) = journal.get(line) else { return false };
                let fork = Fork { source, id: new_id(random).into(), state: row.key.to_string() };
                self.at_once.1.insert(fork.id);
                store.fork_run(&fork, &Known).await.expect("the store answers")
            }
        };
        done.is_ok()
    }

    /// One of the runs that they may touch.
    async fn pick(&mut self, store: &dyn Store) -> Option<RunRecord> {
        let workflow = Some(Unsteady::ID.to_owned());
        let query = RunQuery { workflow, limit: Some(1000), ..RunQuery::default() };
        let mut runs = store.runs(APP, &query).await.expect("the store answers");
        let nth = self.random.as_mut()?.below(runs.len() as u64) as usize;
        (nth < runs.len()).then(|| runs.swap_remove(nth))
    }
}

fn new_id(random: &mut Random) -> Uuid {
    Uuid::from_u64_pair(random.next(), random.next())
}
