use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use super::{Machine, Turn};
use crate::journal::{End, Origin, Row, Then, Transition};
use crate::payload::Payload;
use crate::step::{Definition, Limits, Resources};

/// Replays a journal up to each of its rows, as every resume does: the body has to come to the step
/// that the row is about, and to hold no other. No step's future begins.
///
/// `output` is what the run gave if it has completed: then the body has to give the same at the end
/// of the journal. A journal of more than some hundred rows is replayed up to some of them.
///
/// # Errors
///
/// How body and journal contradict one another, and after how many rows.
pub fn replay_prefixes(
    definition: &Definition,
    resources: &Arc<Resources>,
    origin: &Origin,
    output: Option<&Payload>,
) -> Result<(), String> {
    const MOST: usize = 200;
    let whole = origin.journal.len();
    let step = whole.div_ceil(MOST).max(1);
    // What stands before a carried loop's last row was never there without it.
    let carried = |row: &Row| matches!(row.transition, Transition::Carried { .. });
    let first = origin.journal.iter().rposition(carried).map_or(0, |place| place + 1);
    let given_up = given_up(&origin.journal);
    let lengths = (first..whole).step_by(step).chain([whole]);
    for length in lengths.filter(|length| !given_up.contains(length)) {
        let journal = origin.journal[..length].to_vec();
        let origin = Origin { journal, ..origin.clone() };
        let mut machine = Machine::new(definition, resources.clone(), Limits::DEFAULT, origin);
        machine.drain();
        // The clock stands at the beginning of time: nothing falls due.
        let turn = machine.poll(Timestamp::MIN, &mut Context::from_waker(Waker::noop()));
        let then = match turn {
            Poll::Ready(Turn::Held(fault)) => return Err(format!("after {length} rows: {fault}")),
            Poll::Ready(Turn::Commit(commit)) if length == whole => commit.then,
            _ => Then::Continue,
        };
        let Some(output) = output.filter(|_| length == whole) else { continue };
        match then {
            Then::End(End::Completed(found)) if value(&found) == value(output) => {}
            Then::End(End::Completed(found)) => {
                let (found, output) = (found.as_str(), output.as_str());
                return Err(format!("it gives {found} in the end, and has given {output}"));
            }
            other => return Err(format!("it has completed, and now does not: {other:?}")),
        }
    }
    Ok(())
}

/// The prefixes that end in the middle of a commit: what was given up with a body stands or falls with
/// the row that begins to undo what it did.
fn given_up(journal: &[Row]) -> Range<usize> {
    let undoing = |row: &Row| matches!(row.transition, Transition::Undoing { .. });
    let Some(undoing) = journal.iter().position(undoing) else { return 0..0 };
    let abandoned = |row: &&Row| row.transition == Transition::Abandoned;
    let given_up = journal[..undoing].iter().rev().take_while(abandoned).count();
    undoing + 1 - given_up..undoing + 1
}

/// A map that was made again may write its keys in another order.
fn value(payload: &Payload) -> Option<serde_json::Value> {
    payload.decode().ok()
}
