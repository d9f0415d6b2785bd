//! What is written: the events of an app, and their schemas.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

use crate::event::EventDef;

/// The events of an app, with its name.
pub(in crate::cli) struct Exported<'a> {
    pub(in crate::cli) app: &'a str,
    pub(in crate::cli) events: &'a [EventDef],
    /// The events that the app's workflows are started by, wait for or are cancelled by.
    pub(in crate::cli) received: &'a [&'a str],
}

/// The schema of each event by its name, and what these refer to.
pub(super) struct Schemas {
    pub(super) events: Vec<(&'static str, Value)>,
    pub(super) definitions: Map<String, Value>,
}

impl Schemas {
    pub(super) fn of(events: &[EventDef], settings: SchemaSettings) -> Self {
        let mut generator = SchemaGenerator::new(settings);
        let mut events: Vec<_> = events
            .iter()
            .map(|event| (event.name, event.schema_in(&mut generator).to_value()))
            .collect();
        events.sort_by_key(|(name, _)| *name);
        Self { events, definitions: generator.take_definitions(true) }
    }
}
