//! Which rows of a journal a run keeps that begins again in the middle.
//!
//! A row is kept with what it rests on: of a step that was not over by then only a sleep is left
//! standing, as the world knows of nothing else any more. The body comes to such a step again and
//! begins it anew.

use std::collections::{BTreeSet, HashSet};

use super::error_column::error_record;
use super::{Refusal, RunStatus, StoreError};
use crate::journal::{ErrorKind, ErrorRecord, StateKey, TransitionKind};

/// A row of a journal, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowHead {
    pub(super) seq: u32,
    pub(super) key: StateKey,
    pub(super) transition: TransitionKind,
    /// Of a carried loop the place of its first row, where this is a later one.
    pub(super) first: Option<u32>,
}

impl RowHead {
    fn is_end(&self) -> bool {
        use TransitionKind::{Abandoned, Carried, Failed, Succeeded};
        matches!(self.transition, Succeeded | Failed | Carried | Abandoned)
    }
}

/// Which rows a failed run loses that is retried, if it can be. What was undone is not taken up
/// again: the outcomes before it no longer hold.
pub(super) fn cut(
    standing: Option<&(RunStatus, Option<String>)>,
    rows: &[RowHead],
) -> Result<Result<Vec<u32>, Refusal>, StoreError> {
    let error = match standing {
        Some((RunStatus::Failed, Some(error))) => error_record(error)?,
        Some((status, _)) => return Ok(Err(Refusal::Standing(*status))),
        None => return Ok(Err(Refusal::Unknown)),
    };
    if rows.iter().any(|row| row.transition == TransitionKind::Undoing) {
        return Ok(Err(Refusal::Undone));
    }
    let kept: HashSet<_> = retried(&error, rows).iter().map(|row| row.seq).collect();
    Ok(Ok(rows.iter().map(|row| row.seq).filter(|seq| !kept.contains(seq)).collect()))
}

/// Where a failed run goes on: before the outcome that it failed for, if that is a step's.
fn retried<'r>(error: &ErrorRecord, rows: &'r [RowHead]) -> Vec<&'r RowHead> {
    let failed = |row: &&RowHead| row.transition == TransitionKind::Failed;
    let fatal = match &error.step {
        Some(step) => rows.iter().rev().filter(failed).find(|row| row.key == *step),
        // The body has made an error of its own of a step's, and ended with it.
        None if error.kind == ErrorKind::Error => {
            rows.iter().rev().find(|row| row.is_end()).filter(failed)
        }
        // It has not ended by itself: it panicked, or took its workers down, or had too many rows.
        None => None,
    };
    kept(rows, fatal.map_or(u32::MAX, |row| row.seq))
}

/// What a fork takes along: all from before a state was first entered. What undid it is no state.
pub(super) fn forked<'r>(state: &str, rows: &'r [RowHead]) -> Result<Vec<&'r RowHead>, Refusal> {
    let undoing = rows.iter().position(|row| row.transition == TransitionKind::Undoing);
    let rows = undoing.map_or(rows, |place| &rows[..place]);
    let there = |row: &&RowHead| row.key.as_str() == state || row.key.state() == state;
    match rows.iter().find(there) {
        Some(first) => Ok(kept(rows, first.seq)),
        None => {
            let states: BTreeSet<_> = rows.iter().map(|row| row.key.state()).collect();
            Err(Refusal::NoSuchState(states.into_iter().map(Into::into).collect()))
        }
    }
}

fn kept(rows: &[RowHead], before: u32) -> Vec<&RowHead> {
    // Of a loop's earlier iterations only some outcomes are left, which nothing can begin with.
    let around =
        |row: &&RowHead| row.seq >= before && row.first.is_some_and(|first| first < before);
    let before = rows.iter().find(around).and_then(|row| row.first).unwrap_or(before);
    let rows = || rows.iter().filter(|row| row.seq < before);
    let over: HashSet<_> = rows().filter(|row| row.is_end()).map(|row| &row.key).collect();
    let stays =
        |row: &&RowHead| row.transition == TransitionKind::Sleeping || over.contains(&row.key);
    rows().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransitionKind::{
        Carried, Failed, Invoked, Retrying, Sleeping, Succeeded, Undoing, Waiting,
    };

    fn rows(rows: &[(&str, TransitionKind)]) -> Vec<RowHead> {
        let row = |(seq, (key, transition)): (usize, &(&str, TransitionKind))| RowHead {
            seq: seq as u32,
            key: (*key).into(),
            transition: *transition,
            first: None,
        };
        rows.iter().enumerate().map(row).collect()
    }

    fn seqs(rows: Vec<&RowHead>) -> Vec<u32> {
        rows.into_iter().map(|row| row.seq).collect()
    }

    fn error(step: Option<&str>) -> ErrorRecord {
        let mut error = ErrorRecord::new(ErrorKind::Error, "no");
        error.step = step.map(Into::into);
        error
    }

    #[test]
    fn a_retry_goes_back_to_the_step_that_failed_and_forgets_its_attempts() {
        let rows = rows(&[("a", Succeeded), ("b", Retrying), ("b", Failed)]);
        assert_eq!(seqs(retried(&error(Some("b")), &rows)), [0]);
    }

    #[test]
    fn a_failure_that_the_body_lived_with_is_kept() {
        let rows = rows(&[("a", Failed), ("b", Succeeded), ("c", Failed)]);
        assert_eq!(seqs(retried(&error(Some("c")), &rows)), [0, 1]);
        assert_eq!(seqs(retried(&error(Some("a")), &rows)), [0; 0]);
    }

    #[test]
    fn an_error_that_the_body_made_of_a_steps_goes_back_to_that_step() {
        let one = rows(&[("a", Succeeded), ("b", Failed)]);
        assert_eq!(seqs(retried(&error(None), &one)), [0]);
    }

    #[test]
    fn an_error_of_the_bodys_own_keeps_all_outcomes() {
        let rows = rows(&[("a", Failed), ("b", Succeeded)]);
        assert_eq!(seqs(retried(&error(None), &rows)), [0, 1]);
    }

    #[test]
    fn what_is_no_error_of_the_bodys_keeps_all_outcomes() {
        let rows = rows(&[("a", Succeeded), ("b", Failed)]);
        for kind in [ErrorKind::Panic, ErrorKind::CrashLoop, ErrorKind::JournalTooLong] {
            let error = ErrorRecord::new(kind, "no");
            assert_eq!(seqs(retried(&error, &rows)), [0, 1], "{kind:?}");
        }
    }

    #[test]
    fn what_was_open_begins_anew_but_a_sleep_goes_on() {
        let rows = rows(&[
            ("paid", Waiting),
            ("child", Invoked),
            ("nap", Sleeping),
            ("flaky", Retrying),
            ("told", Waiting),
            ("told", Succeeded),
            ("b", Failed),
            ("paid", Succeeded),
        ]);
        assert_eq!(seqs(retried(&error(Some("b")), &rows)), [2, 4, 5]);
    }

    #[test]
    fn what_was_undone_is_not_retried() {
        let rows =
            rows(&[("a", Succeeded), ("b", Failed), ("(undo)", Undoing), ("undo(a)", Succeeded)]);
        let text = serde_json::to_string(&error(Some("b"))).expect("it is made of strings");
        let standing = (RunStatus::Failed, Some(text));
        assert_eq!(cut(Some(&standing), &rows).expect("it is read"), Err(Refusal::Undone));
        assert_eq!(cut(Some(&standing), &rows[..2]).expect("it is read"), Ok(vec![1]));
        let states = ["a", "b"].map(ToOwned::to_owned).to_vec();
        assert_eq!(forked("undo(a)", &rows), Err(Refusal::NoSuchState(states)));
        assert_eq!(seqs(forked("b", &rows).expect("it was there")), [0]);
    }

    #[test]
    fn a_fork_has_what_was_before_its_state() {
        let rows = rows(&[("a", Succeeded), ("b", Succeeded), ("b#1", Succeeded), ("c", Failed)]);
        assert_eq!(seqs(forked("b", &rows).expect("it was there")), [0]);
        assert_eq!(seqs(forked("b#1", &rows).expect("it was there")), [0, 1]);
        assert_eq!(seqs(forked("a", &rows).expect("it was there")), [0; 0]);
        let states = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        assert_eq!(forked("d", &rows), Err(Refusal::NoSuchState(states)));
    }

    #[test]
    fn a_fork_begins_no_loop_in_an_iteration_that_is_gone() {
        let names = [("a", Succeeded), ("b", Succeeded), ("c", Succeeded), ("loop", Carried)];
        let mut rows = rows(&[&names[..], &[("d", Succeeded), ("e", Failed)]].concat());
        // Of the loop's first iteration only these outcomes are left.
        (rows[1].seq, rows[2].seq, rows[3].first) = (21, 22, Some(20));
        for (row, seq) in rows[3..].iter_mut().zip(23..) {
            row.seq = seq;
        }
        for state in ["loop", "b", "c"] {
            assert_eq!(seqs(forked(state, &rows).expect("it was there")), [0], "{state}");
        }
        assert_eq!(seqs(forked("d", &rows).expect("it was there")), [0, 21, 22, 23]);
        assert_eq!(seqs(retried(&error(Some("e")), &rows)), [0, 21, 22, 23, 24]);
    }
}
