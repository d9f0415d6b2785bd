use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::journal::{Change, Entry, Row, RunId, StateKey, Transition};

/// What is known to be committed of each run, so that the futures of steps can tell which attempt
/// they are, and whether they should run at all.
#[derive(Clone, Default)]
pub(super) struct Lab(Arc<Mutex<HashMap<RunId, Vec<Row>>>>);

impl Lab {
    /// A worker has got hold of a run.
    pub(super) fn claimed(&self, run: RunId, journal: &[Row]) {
        self.journals().insert(run, journal.to_vec());
    }

    /// Its worker has heard that lines were committed.
    pub(super) fn committed(&self, run: RunId, first_seq: u32, entries: &[Entry], at: Timestamp) {
        let mut journals = self.journals();
        let journal = journals.entry(run).or_default();
        for (entry, seq) in entries.iter().zip(first_seq..) {
            if let Change::Carry { replaces: Some(from), .. } = entry.change {
                journal.retain(|row| row.seq < from);
            }
            journal.push(entry.clone().committed(seq, at));
        }
    }

    /// A step's future begins; gives how many attempts have failed before.
    ///
    /// # Panics
    ///
    /// When the step's outcome is committed.
    pub(super) fn begin(&self, run: RunId, key: &StateKey) -> u64 {
        let journals = self.journals();
        let lines = journals.get(&run).into_iter().flatten().filter(|row| row.key == *key);
        let mut failed = 0;
        for row in lines {
            match row.transition {
                Transition::Retrying { attempt, .. } => failed = u64::from(attempt),
                // Not through the step's own handling of panics: it would only count as a failure.
                _ if row.transition.is_outcome() => {
                    eprintln!("run {run}: {key} begins again though its outcome is committed");
                    std::process::abort();
                }
                _ => {}
            }
        }
        failed
    }

    fn journals(&self) -> MutexGuard<'_, HashMap<RunId, Vec<Row>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
