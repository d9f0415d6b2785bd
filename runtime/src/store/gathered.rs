//! Events that are gathered for a workflow: how they become the inputs of runs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Gathered, Router};
use crate::event::EventId;
use crate::flow::{Gathering, Keep, NewRun, Window};
use crate::journal::RunId;
use crate::payload::Payload;

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
    /// When the first of these has waited long enough, or the last.
    pub(super) due: Timestamp,
    /// Of a window that slides: when it is complete at the latest.
    pub(super) latest: Option<Timestamp>,
    /// The last of these, if the others start nothing.
    pub(super) only: Option<i64>,
    max: i64,
    limit: i64,
    window: Window,
}

impl Added {
    /// Whether each event that comes lets it wait longer.
    pub(super) fn slides(&self) -> bool {
        matches!(self.window, Window::Sliding { .. })
    }

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
    for Addition { seq, bytes, accepted_at, batch, .. } in additions {
        let (due, latest) = waits(batch.window, *accepted_at, *accepted_at);
        let max = batch.max.into();
        let limit = i64::try_from(batch.limit).unwrap_or(i64::MAX);
        let only = (batch.keep == Keep::Last).then_some(*seq);
        // Those that go leave no room to be counted.
        let bytes = if only.is_some() { 0 } else { *bytes };
        batches
            .entry((&*batch.workflow, &*batch.key))
            .and_modify(|added| {
                added.events += 1;
                added.bytes += bytes;
                added.latest = added.latest.into_iter().chain(latest).min();
                added.due = match batch.window {
                    Window::Fixed(_) => added.due.min(due),
                    Window::Sliding { .. } => added.due.max(due),
                };
                added.only = added.only.max(only);
            })
            .or_insert(Added {
                events: 1,
                bytes,
                due,
                latest,
                only,
                max,
                limit,
                window: batch.window,
            });
    }
    for added in batches.values_mut() {
        added.due = added.latest.map_or(added.due, |latest| latest.min(added.due));
    }
    batches
}

/// What becomes of one batch.
pub(super) struct Completed {
    pub(super) runs: Vec<NewRun>,
    /// The events of those that were started by several, each with its run.
    pub(super) reached: Vec<(EventId, RunId)>,
    /// The last event that they have.
    pub(super) last: i64,
    /// The events that are left.
    pub(super) rest: Option<Rest>,
}

/// Events that go on waiting for others.
pub(super) struct Rest {
    pub(super) events: i64,
    pub(super) bytes: i64,
    /// When the first of them has waited long enough, or the last.
    pub(super) due: Timestamp,
    /// Of a window that slides: when it is complete at the latest.
    pub(super) latest: Option<Timestamp>,
}

/// When events that came at these times have waited long enough, and when a window that slides is
/// complete at the latest.
fn waits(window: Window, first: Timestamp, last: Timestamp) -> (Timestamp, Option<Timestamp>) {
    let after = |time: Timestamp, wait| time.saturating_add(wait).unwrap_or(Timestamp::MAX);
    match window {
        Window::Fixed(timeout) => (after(first, timeout), None),
        Window::Sliding { period, max } => {
            let latest = max.map(|max| after(first, max));
            let due = after(last, period);
            (latest.map_or(due, |latest| latest.min(due)), latest)
        }
    }
}

/// Starts a run for each full batch of the events that were gathered, and leaves the rest.
pub(super) fn full(
    workflow: &str,
    events: &[Gathered],
    added: &Added,
    router: Router<'_>,
) -> Option<Completed> {
    let (mut runs, mut last, mut rest) = (Vec::new(), None, events);
    let mut reached = Vec::new();
    while let Some(first) = added.first(rest) {
        let (batch, others) = rest.split_at(first);
        let run = router.gathered(workflow, batch);
        reached.extend(reach(&run, batch));
        runs.push(run);
        (last, rest) = (batch.last(), others);
    }
    let left = rest.first().zip(rest.last()).map(|(first, last)| {
        let (due, latest) = waits(added.window, first.accepted_at, last.accepted_at);
        let bytes = rest.iter().map(|event| room(&event.data)).sum();
        Rest { events: rest.len() as i64, bytes, due, latest }
    });
    Some(Completed { runs, reached, last: last?.seq, rest: left })
}

/// Starts a run for all that was gathered.
pub(super) fn due(workflow: &str, events: &[Gathered], router: Router<'_>) -> Option<Completed> {
    let last = events.last()?.seq;
    let run = router.gathered(workflow, events);
    let reached = reach(&run, events).collect();
    Some(Completed { runs: vec![run], reached, last, rest: None })
}

/// The events of a run that does not name the one that has started it.
fn reach(run: &NewRun, events: &[Gathered]) -> impl Iterator<Item = (EventId, RunId)> {
    let id = run.id;
    let events = if run.event.is_none() { events } else { &[] };
    events.iter().map(move |event| (event.id, id))
}

/// Why an event starts nothing that another one has come after.
pub(super) fn overtaken(by: EventId) -> String {
    format!(
        "the event {by} of the same key came after it, before the workflow's `debounce` let it start"
    )
}
