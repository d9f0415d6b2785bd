//! Which runs may have taken workers down, and how they are told from those that were only there.
//!
//! A run that aborts its process, or has the kernel kill it, would do so again and again, and stop
//! everything else with it. Nobody says which run it was. What is known of a worker that is gone is
//! only what it held.
//!
//! - **The first time** nothing follows for a run, but that its next worker *hesitates*: before it
//!   begins one of the run's futures, it commits that it is about to. That costs one commit, until the
//!   run gets on.
//! - **The second time** those are *suspects* whose futures had begun by that. A run that only waited
//!   in the worker, slept, or had not been polled yet, is none. The suspects of one death are a cohort.
//! - Of a cohort half as many as it has are driven at a time, the next as soon as one has got on or
//!   rests. So a further death leaves a cohort of half the size, and a few deaths leave one run.
//!   Cohorts come one after the other, the largest first: there the run at fault is least likely to be,
//!   so most get on before it takes the worker down once more.
//! - Whatever commits a row is no suspect any more. Other runs do not wait for any of this.
//! - A run that was the only one of its cohort when [`CRASH_LOOP`] workers in a row had gone down with
//!   it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::hints::Hints;
use crate::store::{Hearing, Orphan, Standing};

/// After so many workers in a row that went down with a run, it is not given to another, if the last
/// ones went down with no other suspect.
pub(crate) const CRASH_LOOP: u32 = 10;

/// How a run is driven that workers went down with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caution {
    /// Like any other.
    None,
    /// Before its first future begins, that is committed.
    Hesitate,
    /// No more: it is to blame.
    GiveUp,
}

impl Caution {
    pub(super) fn towards(standing: Standing) -> Self {
        match standing {
            Standing { take_overs: 0, .. } => Self::None,
            Standing { take_overs: CRASH_LOOP.., suspects: 1 } => Self::GiveUp,
            _ => Self::Hesitate,
        }
    }
}

/// What the runs that a worker held when it was lost are to others from now on, each at its place.
pub(super) fn judge(orphans: &[Orphan]) -> Vec<Standing> {
    let is_suspect =
        |orphan: &Orphan| orphan.began && !orphan.got_on && orphan.standing.take_overs > 0;
    // Those that were tried are one cohort, and those that were not another: whoever of the latter was
    // there by chance is not held against the former.
    let cohort = |of: &Orphan| {
        let is_tried = |orphan: &Orphan| orphan.standing.suspects > 0;
        let mates = orphans.iter().filter(|orphan| {
            is_suspect(orphan) && orphan.worker == of.worker && is_tried(orphan) == is_tried(of)
        });
        u32::try_from(mates.count()).unwrap_or(u32::MAX)
    };
    let mut known = std::collections::HashMap::new();
    let mut cohort_of = |of: &Orphan| {
        *known.entry((of.worker, of.standing.suspects > 0)).or_insert_with(|| cohort(of))
    };
    orphans
        .iter()
        .map(|orphan| match orphan.standing {
            Standing { take_overs: 0, .. } => Standing { take_overs: 1, suspects: 0 },
            _ if orphan.got_on => Standing { take_overs: 1, suspects: 0 },
            Standing { take_overs, .. } if orphan.began => {
                Standing { take_overs: take_overs + 1, suspects: cohort_of(orphan) }
            }
            standing => standing,
        })
        .collect()
}

/// How many more of a cohort may be driven by a worker that drives so many suspects.
fn room(cohort: u32, tried: usize) -> usize {
    usize::try_from(cohort / 2).unwrap_or(usize::MAX).max(1).saturating_sub(tried)
}

/// The suspects that one worker drives.
pub(super) struct Quarantine {
    tried: Arc<Mutex<usize>>,
    store: Arc<dyn Hearing>,
}

impl Quarantine {
    pub(super) fn new(store: Arc<dyn Hearing>) -> Self {
        Self { tried: Arc::default(), store }
    }

    /// The cohorts to claim from, in this order, each with how many suspects may be claimed. The first
    /// one that gives some is enough.
    pub(super) fn rooms(&self, mut cohorts: Vec<u32>) -> impl Iterator<Item = (u32, usize)> {
        let tried = *lock(&self.tried);
        cohorts.sort_unstable_by(|one, other| other.cmp(one));
        let rooms = cohorts.into_iter().map(move |cohort| (cohort, room(cohort, tried)));
        rooms.filter(|(_, room)| *room > 0)
    }

    /// Begins to drive a suspect.
    pub(super) fn begin(&self) -> Trial {
        *lock(&self.tried) += 1;
        Trial { tried: self.tried.clone(), store: self.store.clone() }
    }
}

/// A suspect that is driven, until it has got on or rests. Then there is room for the next.
pub(crate) struct Trial {
    tried: Arc<Mutex<usize>>,
    store: Arc<dyn Hearing>,
}

impl Drop for Trial {
    fn drop(&mut self) {
        *lock(&self.tried) -= 1;
        let hints: &Hints = self.store.hints();
        hints.ready.notify_one();
    }
}

fn lock(tried: &Mutex<usize>) -> MutexGuard<'_, usize> {
    tried.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::id::WorkerId;
    use crate::journal::RunId;

    const INNOCENT: Standing = Standing { take_overs: 0, suspects: 0 };

    fn orphan(worker: WorkerId, standing: Standing, began: bool, got_on: bool) -> Orphan {
        Orphan { run: RunId::new(), worker, standing, began, got_on }
    }

    fn standing(take_overs: u32, suspects: u32) -> Standing {
        Standing { take_overs, suspects }
    }

    #[test]
    fn nothing_follows_from_the_first_death_but_caution() {
        let worker = WorkerId::new();
        let held = [orphan(worker, INNOCENT, false, false), orphan(worker, INNOCENT, false, true)];
        assert_eq!(judge(&held), [standing(1, 0), standing(1, 0)]);
        assert_eq!(Caution::towards(INNOCENT), Caution::None);
        assert_eq!(Caution::towards(standing(1, 0)), Caution::Hesitate);
    }

    #[test]
    fn only_what_had_begun_and_did_not_get_on_is_suspected() {
        let [worker, other] = [WorkerId::new(), WorkerId::new()];
        let held = [
            orphan(worker, standing(1, 0), true, false),
            orphan(worker, standing(1, 0), true, false),
            orphan(worker, standing(1, 0), false, false),
            orphan(worker, standing(5, 3), true, true),
            orphan(other, standing(1, 0), true, false),
        ];
        let expected =
            [standing(2, 2), standing(2, 2), standing(1, 0), standing(1, 0), standing(2, 1)];
        assert_eq!(judge(&held), expected);
    }

    #[test]
    fn who_is_tried_is_not_mixed_with_who_was_there() {
        let worker = WorkerId::new();
        let held = [
            orphan(worker, standing(4, 2), true, false),
            orphan(worker, standing(1, 0), true, false),
            orphan(worker, standing(3, 8), false, false),
        ];
        assert_eq!(judge(&held), [standing(5, 1), standing(2, 1), standing(3, 8)]);
    }

    #[test]
    fn only_who_was_alone_is_to_blame() {
        assert_eq!(Caution::towards(standing(CRASH_LOOP + 5, 2)), Caution::Hesitate);
        assert_eq!(Caution::towards(standing(CRASH_LOOP - 1, 1)), Caution::Hesitate);
        assert_eq!(Caution::towards(standing(CRASH_LOOP, 1)), Caution::GiveUp);
    }

    /// One life of a worker: it drives what it may until the run at fault begins, or nothing is left.
    /// Gives what became of those that it held.
    fn live(runs: &mut BTreeMap<usize, Standing>, culprit: usize, slots: usize) -> bool {
        let worker = WorkerId::new();
        loop {
            let free: Vec<usize> = runs
                .iter()
                .filter(|(_, standing)| standing.suspects == 0)
                .map(|(run, _)| *run)
                .take(slots)
                .collect();
            let largest = runs.values().map(|standing| standing.suspects).max().unwrap_or(0);
            let tried: Vec<usize> = runs
                .iter()
                .filter(|(_, standing)| largest > 0 && standing.suspects == largest)
                .map(|(run, _)| *run)
                .take(room(largest, 0))
                .collect();
            let begun: Vec<usize> = free.into_iter().chain(tried).collect();
            if begun.is_empty() {
                return true;
            }
            if begun.contains(&culprit) {
                let orphans: Vec<Orphan> = begun
                    .iter()
                    .map(|run| orphan(worker, runs[run], runs[run].take_overs > 0, false))
                    .collect();
                begun.iter().zip(judge(&orphans)).for_each(|(run, standing)| {
                    runs.insert(*run, standing);
                });
                return false;
            }
            // They get on, and to their ends.
            runs.retain(|run, _| !begun.contains(run));
        }
    }

    #[test]
    fn the_run_at_fault_is_found_and_nobody_else_blamed() {
        for (count, culprit) in [(1, 0), (2, 1), (500, 0), (500, 250), (500, 499), (3_000, 1_777)] {
            let mut runs: BTreeMap<usize, Standing> =
                (0..count).map(|run| (run, INNOCENT)).collect();
            let mut lives = 0;
            while Caution::towards(runs[&culprit]) != Caution::GiveUp {
                lives += 1;
                assert!(lives <= 20, "it is not found: {:?}", runs[&culprit]);
                assert!(!live(&mut runs, culprit, 500));
                let blamed = runs.iter().filter(|(run, standing)| {
                    **run != culprit && Caution::towards(**standing) == Caution::GiveUp
                });
                assert_eq!(blamed.count(), 0);
            }
            assert!(lives >= CRASH_LOOP as usize, "{lives}");
            runs.remove(&culprit);
            assert!(live(&mut runs, culprit, 500), "the others end once it is gone");
        }
    }

    /// Workers are killed from outside, whatever they do: nobody is to blame, and nobody waits long.
    #[test]
    fn kills_from_outside_leave_small_cohorts_that_are_driven_side_by_side() {
        let worker = WorkerId::new();
        let mut held: Vec<Standing> = vec![INNOCENT; 500];
        for _ in 0..5 {
            let largest = held.iter().map(|standing| standing.suspects).max().unwrap_or(0);
            let mut rooms = room(largest, 0);
            let orphans: Vec<Orphan> = held
                .iter()
                .map(|standing| {
                    let is_tried = largest > 0 && standing.suspects == largest && rooms > 0;
                    rooms -= usize::from(is_tried);
                    let began = standing.take_overs > 0 && (standing.suspects == 0 || is_tried);
                    orphan(worker, *standing, began, false)
                })
                .collect();
            held = judge(&orphans);
        }
        let turns: usize = {
            let mut cohorts = BTreeMap::<u32, usize>::new();
            held.iter().for_each(|standing| *cohorts.entry(standing.suspects).or_default() += 1);
            cohorts.iter().map(|(cohort, runs)| runs.div_ceil(room(*cohort, 0))).sum()
        };
        assert!(turns <= 16, "{turns} turns, one after the other");
    }
}
