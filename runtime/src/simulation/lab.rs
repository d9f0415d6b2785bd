use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::reading::{is_kept, to_undo, undo_of, undoing, undone};
use crate::journal::{Change, Entry, Message, MessageId, Row, RunId, StateKey, Transition};
use crate::workflow::{Gate, Hold};

/// What is known of each run, whoever drives it.
#[derive(Clone, Default)]
pub(super) struct Lab {
    runs: Arc<Mutex<HashMap<RunId, Known>>>,
    /// How many transactions begin or are in their closures.
    open: Arc<AtomicUsize>,
}

/// A transaction that begins or is in its closure.
pub(super) struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Known {
    /// What is committed, so that the futures of steps can tell which attempt they are, and whether
    /// they should run at all.
    journal: Vec<Row>,
    /// What it was told and has not committed to have heard: that is not news, and is told again as
    /// soon as it is driven again.
    told: HashSet<MessageId>,
    /// The limits that it has passed, once it has; none if it was cancelled before.
    passed: Option<Vec<Gate>>,
    /// The run that it runs under, if one has invoked it.
    parent: Option<RunId>,
}

impl Lab {
    /// A worker has got hold of a run; gives what of its inbox it was told before, and the news.
    pub(super) fn claimed(
        &self,
        run: RunId,
        journal: &[Row],
        inbox: Vec<Message>,
    ) -> (Vec<Message>, Vec<Message>) {
        let mut runs = self.runs();
        let known = runs.entry(run).or_default();
        known.journal = journal.to_vec();
        let (old, news): (Vec<_>, Vec<_>) =
            inbox.into_iter().partition(|message| known.told.contains(&message.id));
        known.told = old.iter().map(|message| message.id).collect();
        (old, news)
    }

    /// It has passed its limits, unless it was cancelled before: then it only ends.
    pub(super) fn passes(&self, run: RunId, gates: Vec<Gate>, cancelled: bool) {
        let mut runs = self.runs();
        let known = runs.entry(run).or_default();
        known.passed.get_or_insert(if cancelled { Vec::new() } else { gates });
    }

    /// A run invokes another, which is cancelled with it.
    pub(super) fn invokes(&self, parent: RunId, child: RunId) {
        self.runs().entry(child).or_default().parent = Some(parent);
    }

    /// Which of these runs count at each limit and key that holds them so long. A child counts with its parent as
    /// long as that does.
    pub(super) fn counted(
        &self,
        among: &HashSet<RunId>,
        hold: Hold,
    ) -> BTreeMap<(String, String), Vec<RunId>> {
        let runs = self.runs();
        let passed = |run: &RunId| {
            let known = runs.get(run).filter(|_| among.contains(run));
            known.and_then(|known| known.passed.as_deref()).unwrap_or_default()
        };
        let mut counted = BTreeMap::<_, Vec<_>>::new();
        for run in among {
            let parent = runs.get(run).and_then(|known| known.parent);
            let above = parent.as_ref().map(passed).filter(|_| hold == Hold::Run);
            let gates = passed(run).iter().filter(|gate| gate.hold == hold);
            for gate in gates.filter(|gate| !above.is_some_and(|above| above.contains(gate))) {
                counted.entry((gate.limit.clone(), gate.key.clone())).or_default().push(*run);
            }
        }
        counted
    }

    pub(super) fn told(&self, run: RunId, message: MessageId) {
        self.runs().entry(run).or_default().told.insert(message);
    }

    /// It is committed that a run has heard of messages.
    pub(super) fn heard(&self, run: RunId, messages: &[MessageId]) {
        let mut runs = self.runs();
        let known = runs.entry(run).or_default();
        known.told.retain(|message| !messages.contains(message));
    }

    /// Its worker has heard that lines were committed.
    pub(super) fn committed(&self, run: RunId, first_seq: u32, entries: &[Entry], at: Timestamp) {
        let mut runs = self.runs();
        let journal = &mut runs.entry(run).or_default().journal;
        for (entry, seq) in entries.iter().zip(first_seq..) {
            if let Change::Carry { replaces: Some(from), .. } = entry.change {
                let stays = |row: &Row| {
                    row.seq < from
                        || matches!(row.transition, Transition::Succeeded { undo, .. } if undo)
                };
                journal.retain(stays);
            }
            journal.push(entry.clone().committed(seq, at));
        }
    }

    /// A step's future begins; gives how many attempts have failed before.
    ///
    /// # Panics
    ///
    /// When the step's outcome is committed, or what the run did is being undone.
    pub(super) fn begin(&self, run: RunId, key: &StateKey) -> u64 {
        let runs = self.runs();
        let journal = runs.get(&run).map_or(&[][..], |known| &known.journal);
        if undoing(journal).is_some() {
            abort(run, &format!("{key} begins though what the run did is being undone"));
        }
        let lines = journal.iter().filter(|row| row.key == *key && !is_kept(journal, row));
        let mut failed = 0;
        for row in lines {
            match row.transition {
                Transition::Retrying { attempt, .. } => failed = u64::from(attempt),
                _ if row.transition.is_outcome() => {
                    abort(run, &format!("{key} begins again though its outcome is committed"));
                }
                _ => {}
            }
        }
        failed
    }

    /// The undo of a step begins that gave this; gives how many attempts have failed before.
    ///
    /// # Panics
    ///
    /// When it is not that step's turn.
    pub(super) fn undo(&self, run: RunId, value: u64) -> u64 {
        let runs = self.runs();
        let journal = runs.get(&run).map_or(&[][..], |known| &known.journal);
        if undoing(journal).is_none() {
            abort(run, "a step is undone while its body goes on");
        }
        let over = undone(journal).count();
        let turn = to_undo(journal).nth(over).map(|row| (&row.key, &row.transition));
        match turn {
            Some((_, Transition::Succeeded { outcome, .. }))
                if outcome.decode::<u64>().is_ok_and(|gave| gave == value) => {}
            _ => abort(run, &format!("what gave {value} is undone when it is {turn:?}'s turn")),
        }
        let last = journal.iter().rev().map_while(|row| undo_of(row).map(|_| &row.transition));
        match last.take(1).next() {
            Some(Transition::Retrying { attempt, .. }) => u64::from(*attempt),
            _ => 0,
        }
    }

    /// A transaction is open until what this gives is dropped.
    pub(super) fn transacts(&self) -> Open {
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self.open.clone())
    }

    /// Whether one is open: it waits for the database, and for nothing else.
    pub(super) fn is_transacting(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Known>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not through the steps' own handling of panics: it would only count as a failure.
fn abort(run: RunId, what: &str) -> ! {
    eprintln!("run {run}: {what}");
    std::process::abort();
}
