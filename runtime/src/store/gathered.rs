//! Events that are gathered for a workflow: how they become the inputs of runs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::StoreError;
use super::read::Columns;
use crate::event::EventId;
use crate::flow::{Gathering, NewRun, Window};
use crate::payload::Payload;
use crate::workflow::listed;

/// A workflow and a key.
pub(super) type BatchId = (String, String);

/// An event that is added to a batch, at its place in the order of acceptance.
pub(super) struct Addition {
    pub(super) seq: i64,
    pub(super) event: EventId,
    pub(super) bytes: i64,
    pub(super) accepted_at: Timestamp,
    pub(super) batch: Gathering,
}

/// What is added to one batch.
pub(super) struct Added {
    pub(super) events: i64,
    pub(super) bytes: i64,
    pub(super) due: Timestamp,
    max: i64,
    limit: i64,
    timeout: Duration,
}

impl Added {
    /// Whether so many events are enough for a batch, or so many bytes too much for one.
    pub(super) fn is_full(&self, events: i64, bytes: i64) -> bool {
        // The bytes are those of the list, but for the bracket at its end.
        events >= self.max || bytes >= self.limit
    }

    /// How many of these events are the first batch, if that waits for no others: as it is full, or the
    /// next one has no room in it.
    fn first(&self, events: &[Gathered]) -> Option<usize> {
        let mut bytes = 0;
        for (before, event) in events.iter().enumerate() {
            bytes += room(&event.data);
            if self.is_full(before as i64 + 1, bytes) {
                let has_room = before == 0 || bytes < self.limit;
                return Some(if has_room { before + 1 } else { before });
            }
        }
        None
    }
}

/// How much longer a list is with an event, in bytes.
pub(super) fn room(data: &Payload) -> i64 {
    data.as_str().len() as i64 + 1
}

/// What is added to each batch, in an order that is the same for every process: two that add to the
/// same batches wait for one another, and never in a circle.
pub(super) fn added(additions: &[Addition]) -> BTreeMap<(&str, &str), Added> {
    let mut batches = BTreeMap::<_, Added>::new();
    for Addition { bytes, accepted_at, batch, .. } in additions {
        let (Window::Fixed(timeout) | Window::Sliding { period: timeout, .. }) = batch.window;
        let due = accepted_at.saturating_add(timeout).unwrap_or(Timestamp::MAX);
        let max = batch.max.into();
        let limit = i64::try_from(batch.limit).unwrap_or(i64::MAX);
        batches
            .entry((&*batch.workflow, &*batch.key))
            .and_modify(|added| {
                added.events += 1;
                added.bytes += bytes;
                added.due = added.due.min(due);
            })
            .or_insert(Added { events: 1, bytes: *bytes, due, max, limit, timeout });
    }
    batches
}

/// An event of a batch, as it was read.
pub(super) struct Gathered {
    pub(super) seq: i64,
    pub(super) data: Payload,
    pub(super) accepted_at: Timestamp,
}

impl Gathered {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let (data, accepted_at) = (row.payload("data")?, row.time("accepted_at")?);
        Ok(Self { seq: row.number("seq")?, data, accepted_at })
    }
}

/// What becomes of one batch.
pub(super) struct Completed {
    pub(super) runs: Vec<NewRun>,
    /// The last event that they have.
    pub(super) last: i64,
    /// The events that are left.
    pub(super) rest: Option<Rest>,
}

/// Events that go on waiting for others.
pub(super) struct Rest {
    pub(super) events: i64,
    pub(super) bytes: i64,
    /// When the first of them has waited long enough.
    pub(super) due: Timestamp,
}

/// Starts a run for each full batch of the events that were gathered, and leaves the rest.
pub(super) fn full(workflow: &str, events: &[Gathered], added: &Added) -> Option<Completed> {
    let (mut runs, mut last, mut rest) = (Vec::new(), None, events);
    while let Some(first) = added.first(rest) {
        let (batch, others) = rest.split_at(first);
        runs.push(run(workflow, batch));
        (last, rest) = (batch.last(), others);
    }
    let left = rest.first().map(|first| Rest {
        events: rest.len() as i64,
        bytes: rest.iter().map(|event| room(&event.data)).sum(),
        due: first.accepted_at.saturating_add(added.timeout).unwrap_or(Timestamp::MAX),
    });
    Some(Completed { runs, last: last?.seq, rest: left })
}

/// Starts a run for all that was gathered.
pub(super) fn due(workflow: &str, events: &[Gathered]) -> Option<Completed> {
    let last = events.last()?.seq;
    Some(Completed { runs: vec![run(workflow, events)], last, rest: None })
}

fn run(workflow: &str, events: &[Gathered]) -> NewRun {
    NewRun::new(workflow, None, listed(events.iter().map(|event| &event.data)))
}
