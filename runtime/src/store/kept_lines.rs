//! Which lines of a journal a run keeps that begins again in the middle.
//!
//! A line is kept with what it rests on: of a step that was not over by then only a sleep is left
//! standing, as the world knows of nothing else any more. The body comes to such a step again and
//! begins it anew.

use std::collections::{BTreeSet, HashSet};

use super::error_column::error_record;
use super::{Refusal, RunStatus, StoreError};
use crate::journal::{ErrorKind, ErrorRecord, StateKey, TransitionKind};

/// A line of a journal, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) seq: u32,
    pub(super) key: StateKey,
    pub(super) transition: TransitionKind,
    /// Of a carried loop the place of its first line, where this is a later one.
    pub(super) first: Option<u32>,
}

impl Line {
    fn is_end(&self) -> bool {
        use TransitionKind::{Abandoned, Carried, Failed, Succeeded};
        matches!(self.transition, Succeeded | Failed | Carried | Abandoned)
    }
}

/// Which lines a failed run loses that is retried, if it can be. What was undone is not taken up
/// again: the outcomes before it no longer hold.
pub(super) fn cut(
    standing: Option<&(RunStatus, Option<String>)>,
    lines: &[Line],
) -> Result<Result<Vec<u32>, Refusal>, StoreError> {
    let error = match standing {
        Some((RunStatus::Failed, Some(error))) => error_record(error)?,
        Some((status, _)) => return Ok(Err(Refusal::Standing(*status))),
        None => return Ok(Err(Refusal::Unknown)),
    };
    if lines.iter().any(|line| line.transition == TransitionKind::Undoing) {
        return Ok(Err(Refusal::Undone));
    }
    let kept: HashSet<_> = retried(&error, lines).iter().map(|line| line.seq).collect();
    Ok(Ok(lines.iter().map(|line| line.seq).filter(|seq| !kept.contains(seq)).collect()))
}

/// Where a failed run goes on: before the outcome that it failed for, if that is a step's.
fn retried<'l>(error: &ErrorRecord, lines: &'l [Line]) -> Vec<&'l Line> {
    let failed = |line: &&Line| line.transition == TransitionKind::Failed;
    let fatal = match &error.step {
        Some(step) => lines.iter().rev().filter(failed).find(|line| line.key == *step),
        // The body has made an error of its own of a step's, and ended with it.
        None if error.kind == ErrorKind::Error => {
            lines.iter().rev().find(|line| line.is_end()).filter(failed)
        }
        // It has not ended by itself: it panicked, or took its workers down, or had too many lines.
        None => None,
    };
    kept(lines, fatal.map_or(u32::MAX, |line| line.seq))
}

/// What a fork takes along: all from before a state was first entered. What undid it is no state.
pub(super) fn forked<'l>(state: &str, lines: &'l [Line]) -> Result<Vec<&'l Line>, Refusal> {
    let undoing = lines.iter().position(|line| line.transition == TransitionKind::Undoing);
    let lines = undoing.map_or(lines, |place| &lines[..place]);
    let there = |line: &&Line| line.key.as_str() == state || line.key.state() == state;
    match lines.iter().find(there) {
        Some(first) => Ok(kept(lines, first.seq)),
        None => {
            let states: BTreeSet<_> = lines.iter().map(|line| line.key.state()).collect();
            Err(Refusal::NoSuchState(states.into_iter().map(Into::into).collect()))
        }
    }
}

fn kept(lines: &[Line], before: u32) -> Vec<&Line> {
    // Of a loop's earlier iterations only some outcomes are left, which nothing can begin with.
    let around =
        |line: &&Line| line.seq >= before && line.first.is_some_and(|first| first < before);
    let before = lines.iter().find(around).and_then(|line| line.first).unwrap_or(before);
    let lines = || lines.iter().filter(|line| line.seq < before);
    let over: HashSet<_> = lines().filter(|line| line.is_end()).map(|line| &line.key).collect();
    let stays =
        |line: &&Line| line.transition == TransitionKind::Sleeping || over.contains(&line.key);
    lines().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransitionKind::{
        Carried, Failed, Invoked, Retrying, Sleeping, Succeeded, Undoing, Waiting,
    };

    fn lines(lines: &[(&str, TransitionKind)]) -> Vec<Line> {
        let line = |(seq, (key, transition)): (usize, &(&str, TransitionKind))| Line {
            seq: seq as u32,
            key: (*key).into(),
            transition: *transition,
            first: None,
        };
        lines.iter().enumerate().map(line).collect()
    }

    fn seqs(lines: Vec<&Line>) -> Vec<u32> {
        lines.into_iter().map(|line| line.seq).collect()
    }

    fn error(step: Option<&str>) -> ErrorRecord {
        ErrorRecord { step: step.map(Into::into), ..ErrorRecord::new(ErrorKind::Error, "no") }
    }

    #[test]
    fn a_retry_goes_back_to_the_step_that_failed_and_forgets_its_attempts() {
        let lines = lines(&[("a", Succeeded), ("b", Retrying), ("b", Failed)]);
        assert_eq!(seqs(retried(&error(Some("b")), &lines)), [0]);
    }

    #[test]
    fn a_failure_that_the_body_lived_with_is_kept() {
        let lines = lines(&[("a", Failed), ("b", Succeeded), ("c", Failed)]);
        assert_eq!(seqs(retried(&error(Some("c")), &lines)), [0, 1]);
        assert_eq!(seqs(retried(&error(Some("a")), &lines)), [0; 0]);
    }

    #[test]
    fn an_error_that_the_body_made_of_a_steps_goes_back_to_that_step() {
        let one = lines(&[("a", Succeeded), ("b", Failed)]);
        assert_eq!(seqs(retried(&error(None), &one)), [0]);
    }

    #[test]
    fn an_error_of_the_bodys_own_keeps_all_outcomes() {
        let lines = lines(&[("a", Failed), ("b", Succeeded)]);
        assert_eq!(seqs(retried(&error(None), &lines)), [0, 1]);
    }

    #[test]
    fn what_is_no_error_of_the_bodys_keeps_all_outcomes() {
        let lines = lines(&[("a", Succeeded), ("b", Failed)]);
        for kind in [ErrorKind::Panic, ErrorKind::CrashLoop, ErrorKind::JournalTooLong] {
            let error = ErrorRecord { kind, ..error(None) };
            assert_eq!(seqs(retried(&error, &lines)), [0, 1], "{kind:?}");
        }
    }

    #[test]
    fn what_was_open_begins_anew_but_a_sleep_goes_on() {
        let lines = lines(&[
            ("paid", Waiting),
            ("child", Invoked),
            ("nap", Sleeping),
            ("flaky", Retrying),
            ("told", Waiting),
            ("told", Succeeded),
            ("b", Failed),
            ("paid", Succeeded),
        ]);
        assert_eq!(seqs(retried(&error(Some("b")), &lines)), [2, 4, 5]);
    }

    #[test]
    fn what_was_undone_is_not_retried() {
        let lines =
            lines(&[("a", Succeeded), ("b", Failed), ("(undo)", Undoing), ("undo(a)", Succeeded)]);
        let text = serde_json::to_string(&error(Some("b"))).expect("it is made of strings");
        let standing = (RunStatus::Failed, Some(text));
        assert_eq!(cut(Some(&standing), &lines).expect("it is read"), Err(Refusal::Undone));
        assert_eq!(cut(Some(&standing), &lines[..2]).expect("it is read"), Ok(vec![1]));
        let states = ["a", "b"].map(ToOwned::to_owned).to_vec();
        assert_eq!(forked("undo(a)", &lines), Err(Refusal::NoSuchState(states)));
        assert_eq!(seqs(forked("b", &lines).expect("it was there")), [0]);
    }

    #[test]
    fn a_fork_has_what_was_before_its_state() {
        let lines = lines(&[("a", Succeeded), ("b", Succeeded), ("b#1", Succeeded), ("c", Failed)]);
        assert_eq!(seqs(forked("b", &lines).expect("it was there")), [0]);
        assert_eq!(seqs(forked("b#1", &lines).expect("it was there")), [0, 1]);
        assert_eq!(seqs(forked("a", &lines).expect("it was there")), [0; 0]);
        let states = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        assert_eq!(forked("d", &lines), Err(Refusal::NoSuchState(states)));
    }

    #[test]
    fn a_fork_begins_no_loop_in_an_iteration_that_is_gone() {
        let names = [("a", Succeeded), ("b", Succeeded), ("c", Succeeded), ("loop", Carried)];
        let mut lines = lines(&[&names[..], &[("d", Succeeded), ("e", Failed)]].concat());
        // Of the loop's first iteration only these outcomes are left.
        (lines[1].seq, lines[2].seq, lines[3].first) = (21, 22, Some(20));
        for (line, seq) in lines[3..].iter_mut().zip(23..) {
            line.seq = seq;
        }
        for state in ["loop", "b", "c"] {
            assert_eq!(seqs(forked(state, &lines).expect("it was there")), [0], "{state}");
        }
        assert_eq!(seqs(forked("d", &lines).expect("it was there")), [0, 21, 22, 23]);
        assert_eq!(seqs(retried(&error(Some("e")), &lines)), [0, 21, 22, 23, 24]);
    }
}
