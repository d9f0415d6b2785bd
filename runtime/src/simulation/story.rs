use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::APP;
use super::body::Interpreted;
use super::plan::Scenario;
use crate::id::RunId;
use crate::journal::{Row, Transition};
use crate::machine::replay_prefixes;
use crate::step::{Definition, Resources};
use crate::store::{RunQuery, RunRecord, RunStatus, Store};

/// What became of a run.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) case: u64,
    pub(super) status: RunStatus,
    record: RunRecord,
    journal: Vec<Row>,
}

/// The stories of all runs.
pub(super) async fn tell(store: &dyn Store) -> BTreeMap<RunId, Story> {
    let mut stories = BTreeMap::new();
    let mut after = None;
    loop {
        let query = RunQuery { after, limit: Some(1000), ..RunQuery::default() };
        let page = store.runs(APP, &query).await.expect("the store answers");
        let Some(last) = page.last() else { return stories };
        after = Some(last.id);
        for record in page {
            let scenario: Scenario = record.input.decode().expect("it is a scenario");
            let journal = store.journal(record.id).await.expect("the store answers");
            let (case, status) = (scenario.case, record.status);
            stories.insert(record.id, Story { case, status, record, journal });
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
        assert!(self.status.is_over(), "{self}");
        assert!(self.journal.is_sorted_by(|a, b| a.seq < b.seq), "{self}");
        let mut over = HashSet::new();
        for row in &self.journal {
            // Only a loop's last line is kept, and the keys of its iterations are used anew.
            if row.transition.is_outcome() {
                assert!(over.insert(&row.key), "{} has two outcomes\n{self}", row.key);
            } else if !matches!(row.transition, Transition::Abandoned) {
                assert!(!over.contains(&row.key), "{} goes on after its end\n{self}", row.key);
            }
        }
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
        let definition = Definition::of::<Interpreted>();
        if let Err(error) = replay_prefixes(&definition, resources, &origin, output) {
            panic!("{error}\n{self}");
        }
    }
}

/// Everything that has to be the same, whatever crashes when.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, record, journal, .. } = self;
        let RunRecord { id, status, parent, event, output, error, cancelled, held, .. } = record;
        writeln!(f, "case {case}, run {id} of {parent:?}, by {event:?}: {status}")?;
        for row in journal {
            writeln!(f, "{:4} {} {} {} {:?}", row.seq, row.at, row.key, row.kind, row.transition)?;
        }
        let output = output.as_ref().map(|output| output.as_str());
        writeln!(f, "{output:?} {error:?} {cancelled:?} {held:?} at {:?}", record.ended_at)
    }
}
