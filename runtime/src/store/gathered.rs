//! Events that are gathered for a workflow: how they become the inputs of runs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Batched, NewRun};
use crate::event::EventId;
use crate::payload::Payload;
use crate::workflow::listed;

/// A workflow and a key.
pub(super) type BatchId = (String, String);

/// An event that is added to a batch, at its place in the order of acceptance.
pub(super) struct Addition {
    pub(super) seq: i64,
    pub(super) event: EventId,
    pub(super) accepted_at: Timestamp,
    pub(super) batch: Batched,
}

/// What is added to one batch.
pub(super) struct Added {
    pub(super) events: i64,
    pub(super) due: Timestamp,
    pub(super) max: usize,
    pub(super) timeout: Duration,
}

/// What is added to each batch, in an order that is the same for every process: two that add to the
/// same batches wait for one another, and never in a circle.
pub(super) fn added(additions: &[Addition]) -> BTreeMap<(&str, &str), Added> {
    let mut batches = BTreeMap::<_, Added>::new();
    for Addition { accepted_at, batch, .. } in additions {
        let due = accepted_at.saturating_add(batch.timeout).unwrap_or(Timestamp::MAX);
        let (max, timeout) = (batch.max as usize, batch.timeout);
        batches
            .entry((&*batch.workflow, &*batch.key))
            .and_modify(|added| {
                added.events += 1;
                added.due = added.due.min(due);
            })
            .or_insert(Added { events: 1, due, max, timeout });
    }
    batches
}

/// An event of a batch, as it was read.
pub(super) struct Gathered {
    pub(super) seq: i64,
    pub(super) data: Payload,
    pub(super) accepted_at: Timestamp,
}

/// What becomes of one batch.
pub(super) struct Completed {
    pub(super) runs: Vec<NewRun>,
    /// The last event that they have.
    pub(super) last: i64,
    /// How many events are left, and until when the first of them waits.
    pub(super) rest: Option<(i64, Timestamp)>,
}

/// Starts a run for each `max` events that were gathered, and leaves the rest.
pub(super) fn full(
    workflow: &str,
    events: &[Gathered],
    max: usize,
    timeout: Duration,
) -> Option<Completed> {
    let (whole, rest) = events.split_at(events.len() - events.len() % max);
    let runs = whole.chunks(max).map(|events| run(workflow, events)).collect();
    let rest = rest.first().map(|first| {
        let due = first.accepted_at.saturating_add(timeout).unwrap_or(Timestamp::MAX);
        (rest.len() as i64, due)
    });
    Some(Completed { runs, last: whole.last()?.seq, rest })
}

/// Starts a run for all that was gathered.
pub(super) fn due(workflow: &str, events: &[Gathered]) -> Option<Completed> {
    let last = events.last()?.seq;
    Some(Completed { runs: vec![run(workflow, events)], last, rest: None })
}

fn run(workflow: &str, events: &[Gathered]) -> NewRun {
    NewRun::new(workflow, None, listed(events.iter().map(|event| &event.data)))
}
