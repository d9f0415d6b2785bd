use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::app::App;
use crate::error::Error;
use crate::event::{Catalog, EventId};
use crate::journal::MatchKey;
use crate::payload::Payload;
use crate::step::{Definition, Limits, Resources};
use crate::store::{NewEvent, NewRun, Registration, Routing, StoredEvent};
use crate::workflow::{Awaits, Trigger};

/// An app as a running process knows it: its workflows without their types, its events by name.
pub(crate) struct Program {
    pub(crate) app: &'static str,
    pub(crate) catalog: Catalog,
    pub(crate) limits: Limits,
    workflows: HashMap<&'static str, Definition>,
    /// The workflows that an event starts, by the event's name.
    started_by: HashMap<&'static str, Vec<&'static str>>,
    /// The sets of fields that some workflow waits on, by the event's name.
    awaited_on: HashMap<&'static str, BTreeSet<&'static [&'static str]>>,
}

impl Program {
    pub(crate) fn new<A: App>(limits: Limits) -> Self {
        let workflows: HashMap<_, _> =
            A::workflows().into_iter().map(|definition| (definition.id, definition)).collect();
        let mut started_by: HashMap<_, Vec<_>> = HashMap::new();
        for definition in workflows.values() {
            for Trigger::Event(name) in definition.triggers {
                started_by.entry(*name).or_default().push(definition.id);
            }
        }
        let mut awaited_on: HashMap<_, BTreeSet<_>> = HashMap::new();
        for definition in workflows.values() {
            Awaits::each(definition.waits, &mut |event, fields| {
                awaited_on.entry(event).or_default().insert(fields);
            });
        }
        Self {
            app: A::NAME,
            awaited_on,
            catalog: Catalog::new(A::events()),
            limits,
            workflows,
            started_by,
        }
    }

    pub(crate) fn workflow(&self, id: &str) -> Option<&Definition> {
        self.workflows.get(id)
    }

    pub(crate) fn workflow_ids(&self) -> Vec<String> {
        self.workflows.keys().map(ToString::to_string).collect()
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration {
            app: self.app.to_owned(),
            workflows: self.workflow_ids(),
            subscriptions: self
                .started_by
                .keys()
                .chain(self.awaited_on.keys())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// Checks that everything that a workflow needs is lent.
    pub(crate) fn check_resources(&self, resources: &Resources) -> Result<(), Error> {
        for definition in self.workflows.values() {
            let missing =
                definition.requirements().into_iter().find(|needed| !resources.has(needed));
            if let Some(missing) = missing {
                return Err(Error::MissingResource {
                    workflow: definition.id,
                    function: definition.path,
                    resource: missing.name,
                });
            }
        }
        Ok(())
    }

    /// An event to be accepted by this process, with the runs that it starts here.
    pub(crate) fn accept(
        &self,
        name: &'static str,
        data: Payload,
        idempotency_key: Option<String>,
    ) -> NewEvent {
        let id = EventId::new();
        // An event that may be waited for is looked at behind its commit, so that neither it nor a
        // wait can miss the other.
        let awaited = self.awaited_on.contains_key(name);
        let runs = (!awaited).then(|| self.runs_of(name, id, &data));
        NewEvent { id, name: name.to_owned(), data, idempotency_key, runs }
    }

    /// What the app makes of an event.
    pub(crate) fn route(&self, event: &StoredEvent) -> Routing {
        let runs = self.runs_of(&event.name, event.id, &event.data);
        let sets = self.awaited_on.get(&*event.name).into_iter().flatten();
        let keys = match event.data.decode::<serde_json::Value>() {
            Ok(data) => sets.map(|fields| MatchKey::of(&event.name, &data, fields)).collect(),
            // The store keeps nothing but JSON.
            Err(_) => Vec::new(),
        };
        Routing { runs, keys }
    }

    fn runs_of(&self, name: &str, event: EventId, data: &Payload) -> Vec<NewRun> {
        let workflows = self.started_by.get(name).map(Vec::as_slice).unwrap_or_default();
        let run = |workflow: &&Definition| {
            NewRun::new(workflow.id, Some(event), workflow.form.data(name, data))
        };
        workflows.iter().filter_map(|id| self.workflows.get(id)).map(|w| run(&w)).collect()
    }
}

/// What a process lends its runs: shared by all machines.
pub(crate) type Lent = Arc<Resources>;
