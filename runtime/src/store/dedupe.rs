//! Idempotency keys within a batch, before and after the table of known keys is asked.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::NewEvent;
use crate::event::EventId;

/// How long a key is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The first event of the batch with each name and key, in an order that is the same for every
/// process: two batches that lock the same keys wait for one another, and never in a circle.
pub(super) fn keys(events: &[NewEvent]) -> BTreeMap<(&str, &str), EventId> {
    let mut keys = BTreeMap::new();
    for event in events {
        if let Some(key) = &event.idempotency_key {
            keys.entry((event.name.as_str(), key.as_str())).or_insert(event.id);
        }
    }
    keys
}

/// The events that are new, and the id of each event of the batch, given whose id each key names.
pub(super) fn settle(
    events: &[NewEvent],
    known: &HashMap<(String, String), EventId>,
) -> (Vec<NewEvent>, Vec<EventId>) {
    let ids: Vec<EventId> = events
        .iter()
        .map(|event| {
            let key = event.idempotency_key.clone().map(|key| (event.name.clone(), key));
            key.and_then(|key| known.get(&key).copied()).unwrap_or(event.id)
        })
        .collect();
    let fresh = events.iter().zip(&ids).filter(|(event, id)| event.id == **id);
    (fresh.map(|(event, _)| event.clone()).collect(), ids)
}
