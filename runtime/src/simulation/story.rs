use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;

use super::APP;
use super::effects::Effects;
use super::plan::{Scenario, Steadiness};
use super::reading::{is_kept, to_undo, undo_of, undoing, undone};
use super::workflow::definition;
use crate::id::RunId;
use crate::journal::{ErrorKind, Row, Transition};
use crate::machine::replay_prefixes;
use crate::step::Resources;
use crate::store::{History, RunQuery, RunRecord, RunStatus};
use crate::workflow::StepKind;

/// What became of a run.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) scenario: Scenario,
    pub(super) status: RunStatus,
    record: RunRecord,
    journal: Vec<Row>,
    /// What its transactions have left, by step: how often, and what they gave.
    effects: BTreeMap<String, (i64, String)>,
}

/// The stories of all runs.
pub(super) async fn tell(history: &dyn History, effects: &mut Effects) -> BTreeMap<RunId, Story> {
    let mut stories = BTreeMap::new();
    let mut after = None;
    loop {
        let query = RunQuery { after, limit: Some(1000), ..RunQuery::default() };
        let page = history.runs(APP, &query).await.expect("the store answers");
        let Some(last) = page.last() else { return stories };
        after = Some(last.id);
        for record in page {
            let scenario: Scenario = record.input.decode().expect("it is a scenario");
            let journal = history.journal(record.id).await.expect("the store answers");
            let (id, status) = (record.id, record.status);
            let effects = effects.remove(&id.to_string()).unwrap_or_default();
            stories.insert(id, Story { scenario, status, record, journal, effects });
        }
    }
}

impl Story {
    /// Checks what holds for every run, whatever happened to it.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(super) fn check(&self) {
        self.check_end();
        self.check_steps();
        self.check_effects();
        self.check_undoing();
        self.check_time();
    }

    fn check_end(&self) {
        let RunRecord { output, error, cancelled, held, .. } = &self.record;
        let ends = [output.is_some(), error.is_some(), cancelled.is_some(), held.is_some()];
        let expected = match self.status {
            RunStatus::Completed => [true, false, false, false],
            RunStatus::Failed => [false, true, false, false],
            RunStatus::Cancelled => [false, false, true, false],
            _ => panic!("it is not over\n{self}"),
        };
        assert_eq!(ends, expected, "it ends in one way\n{self}");
    }

    fn check_steps(&self) {
        assert!(self.journal.is_sorted_by(|a, b| a.seq < b.seq), "{self}");
        let (kept, lines): (Vec<_>, Vec<_>) =
            self.journal.iter().partition(|row| is_kept(&self.journal, row));
        let undoable =
            |row: &&Row| matches!(row.transition, Transition::Succeeded { undo, .. } if undo);
        assert!(kept.iter().all(undoable), "earlier iterations are gone\n{self}");
        let mut over = HashSet::new();
        for row in lines {
            // Only a loop's last line is kept, and the keys of its iterations are used anew.
            if row.transition.is_outcome() {
                assert!(over.insert(&row.key), "{} has two outcomes\n{self}", row.key);
            } else if !matches!(row.transition, Transition::Abandoned) {
                assert!(!over.contains(&row.key), "{} goes on after its end\n{self}", row.key);
            }
        }
    }

    /// What transactions did is there once for each that is committed, and nothing else is.
    fn check_effects(&self) {
        let lines = self.journal.iter().filter(|row| !is_kept(&self.journal, row));
        let lines = lines.filter(|row| row.kind == StepKind::Transaction);
        let gave = lines.filter_map(|row| match &row.transition {
            Transition::Succeeded { outcome, .. } => Some((row.key.to_string(), outcome.as_str())),
            _ => None,
        });
        let gave: BTreeMap<_, _> = gave.collect();
        // A fork has the lines of its source, whose transactions were that one's.
        let is_fork = self.record.retries > 0;
        for (step, gave) in &gave {
            match self.effects.get(step) {
                Some((_, left)) => {
                    assert_eq!(left, gave, "what {step} left is what it gave\n{self}")
                }
                None => assert!(is_fork, "{step} has left nothing\n{self}"),
            }
        }
        let carried = |row: &Row| matches!(row.transition, Transition::Carried { .. });
        if self.record.generation == 0 && !self.journal.iter().any(carried) {
            for (step, (times, _)) in &self.effects {
                assert_eq!(*times, 1, "{step} has left something more than once\n{self}");
                assert!(gave.contains_key(step), "{step} was not committed\n{self}");
            }
        }
    }

    fn check_undoing(&self) {
        let to_undo: Vec<_> = to_undo(&self.journal).map(|row| row.key.clone()).collect();
        let (undone, ends): (Vec<_>, Vec<_>) = undone(&self.journal).unzip();
        let Some(undoing) = undoing(&self.journal) else {
            assert!(undone.is_empty(), "nothing is to be undone\n{self}");
            let completed = self.status == RunStatus::Completed;
            assert!(completed || to_undo.is_empty(), "{to_undo:?} are not undone\n{self}");
            return;
        };
        assert_eq!(undone, to_undo, "in reverse order of the commits\n{self}");
        for row in self.journal.iter().filter(|row| row.seq > undoing.seq) {
            let about_child = row.kind == StepKind::Invoke;
            assert!(undo_of(row).is_some() || about_child, "{} goes on\n{self}", row.key);
        }
        let Transition::Undoing { error: why } = &undoing.transition else { unreachable!() };
        let failed = |row: &&Row| matches!(row.transition, Transition::Failed { .. });
        let cancelled = why.kind == ErrorKind::Cancelled && why.step.is_none();
        let cancelled = cancelled && !ends.iter().any(failed);
        assert_eq!(self.status == RunStatus::Cancelled, cancelled, "{self}");
        let recorded = self.record.error.iter().flat_map(|error| &error.undone);
        let recorded = recorded.map(|undone| (&undone.step, undone.error.is_some()));
        let expected = undone.iter().zip(ends.iter().map(failed));
        assert!(cancelled || recorded.eq(expected), "it says what is undone\n{self}");
    }
}

impl Story {
    /// No timer fires late, as the clock stands still until nothing is left to do; but what is paused
    /// is.
    fn check_time(&self) {
        let Some(finish) = self.scenario.bounds.finish else { return };
        if self.record.retries > 0 || self.scenario.steadiness == Steadiness::Rules {
            return;
        }
        let began = self.record.began_at.or(self.record.started_at).expect("it has begun");
        let deadline = began + SignedDuration::from_secs(finish as i64);
        let over = undoing(&self.journal).map(|row| row.at).or(self.record.ended_at);
        assert!(over.is_some_and(|over| over <= deadline), "it is over by {deadline}\n{self}");
    }
}

/// Checks that each child was invoked by one line of its parent's journal, as far as that is whole.
///
/// # Panics
///
/// When it was not.
pub(super) fn check_children(stories: &BTreeMap<RunId, Story>) {
    let carried = |row: &Row| matches!(row.transition, Transition::Carried { .. });
    for (child, story) in stories {
        let Some(parent) = story.record.parent.and_then(|parent| stories.get(&parent)) else {
            continue;
        };
        let began_again = parent.record.generation > 0 || parent.record.retries > 0;
        if began_again || parent.journal.iter().any(carried) {
            continue;
        }
        let invoked = |row: &&Row| matches!(row.transition, Transition::Invoked { child: found, .. } if found == *child);
        let lines = parent.journal.iter().filter(invoked).count();
        assert_eq!(lines, 1, "{child} is a child of\n{parent}");
    }
}

impl Story {
    /// Replays the journal at every prefix.
    ///
    /// # Panics
    ///
    /// When the body does not do what it says.
    pub(super) fn replay(&self, resources: &Arc<Resources>) {
        let origin = self.record.origin(self.journal.clone());
        let output = self.record.output.as_ref();
        let definition = definition(&self.record.input);
        if let Err(error) = replay_prefixes(&definition, resources, &origin, output) {
            panic!("{error}\n{self}");
        }
    }
}

/// Everything that has to be the same, whatever crashes when.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario: Scenario { case, .. }, record, journal, effects, .. } = self;
        let RunRecord { id, status, parent, event, output, error, cancelled, held, .. } = record;
        writeln!(f, "case {case}, run {id} of {parent:?}, by {event:?}: {status}")?;
        for row in journal {
            writeln!(f, "{:4} {} {} {} {:?}", row.seq, row.at, row.key, row.kind, row.transition)?;
        }
        writeln!(f, "{effects:?}")?;
        let output = output.as_ref().map(|output| output.as_str());
        writeln!(f, "{output:?} {error:?} {cancelled:?} {held:?} at {:?}", record.ended_at)
    }
}
