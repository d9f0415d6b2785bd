use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tracing::error;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::event::{Catalog, EventId};
use crate::journal::{CancelKey, Child, MatchKey, RunId};
use crate::machine::End;
use crate::payload::Payload;
use crate::step::{Definition, Limits, Resources};
use crate::store::{
    Batched, Blocked, Driven, DueSchedule, Firing, NewEvent, NewRun, Registration, Routing,
    Schedule, StoredEvent,
};
use crate::workflow::shape::Shapes;
use crate::workflow::{Awaits, Due, Handlers, Tick, Trigger};

/// An app as a running process knows it: its workflows without their types, its events by name.
pub(crate) struct Program {
    pub(crate) app: &'static str,
    pub(crate) catalog: Catalog,
    pub(crate) limits: Limits,
    /// What a worker of it drives.
    pub(crate) drives: Vec<Driven>,
    workflows: HashMap<&'static str, Definition>,
    /// The workflows that an event starts, by the event's name.
    started_by: HashMap<&'static str, Vec<&'static str>>,
    /// Who handles the ends of all runs.
    of_app: Handlers,
    /// The workflows that handle ends: nobody handles theirs.
    handlers: HashSet<&'static str>,
    /// The sets of fields that some workflow waits on, by the event's name.
    awaited_on: HashMap<&'static str, BTreeSet<&'static [&'static str]>>,
}

impl Program {
    pub(crate) fn new<A: App>(limits: Limits) -> Self {
        let workflows: HashMap<_, _> =
            A::workflows().into_iter().map(|definition| (definition.id, definition)).collect();
        let mut started_by: HashMap<_, Vec<_>> = HashMap::new();
        for definition in workflows.values() {
            for trigger in definition.triggers {
                if let Trigger::Event(name) = trigger {
                    started_by.entry(*name).or_default().push(definition.id);
                }
            }
        }
        let mut awaited_on: HashMap<_, BTreeSet<_>> = HashMap::new();
        for definition in workflows.values() {
            Awaits::each(definition.waits, &mut |event, fields| {
                awaited_on.entry(event).or_default().insert(fields);
            });
            for cancel in definition.cancels {
                awaited_on.entry(cancel.event).or_default().insert(cancel.fields);
            }
        }
        let shapes = Shapes::of::<A>();
        let drives = workflows.values().map(|definition| Driven {
            workflow: definition.id.to_owned(),
            shape: shapes.hash(definition.id),
            pinned: definition.is_pinned(),
        });
        let drives = drives.collect();
        let of_all = workflows.values().map(|definition| definition.config.handlers);
        let handlers = of_all.chain([A::HANDLERS]);
        let handlers = handlers.flat_map(|handlers| [handlers.on_failure, handlers.on_cancel]);
        let handlers = handlers.flatten().collect();
        Self {
            app: A::NAME,
            of_app: A::HANDLERS,
            handlers,
            awaited_on,
            catalog: Catalog::new(A::events()),
            limits,
            drives,
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
            schedules: self.schedules(),
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
        let started = (!awaited).then(|| self.started(name, id, &data, None));
        let is_whole = |routing: &Routing| routing.blocked.is_empty() && routing.batched.is_empty();
        let runs = started.filter(is_whole).map(|started| started.runs);
        NewEvent { id, name: name.to_owned(), data, idempotency_key, runs }
    }

    /// What the app makes of an event.
    pub(crate) fn route(&self, event: &StoredEvent) -> Routing {
        let only = event.only.as_deref();
        let started = self.started(&event.name, event.id, &event.data, only);
        for Blocked { workflow, reason } in &started.blocked {
            error!(workflow, event = %event.id, name = event.name, "{reason}; the event waits for a program that can tell");
        }
        let sets = self.awaited_on.get(&*event.name).into_iter().flatten();
        let keys = match event.data.decode::<serde_json::Value>() {
            Ok(data) if only.is_none() => {
                sets.map(|fields| MatchKey::of(&event.name, &data, fields)).collect()
            }
            // Who waits for it was told the first time. The store keeps nothing but JSON.
            _ => Vec::new(),
        };
        Routing { keys, ..started }
    }

    /// The events that cancel a run of a workflow with this input.
    pub(crate) fn cancels(&self, workflow: &str, input: &Payload) -> Vec<CancelKey> {
        let definition = self.workflow(workflow);
        definition.map(|found| CancelKey::all(found.cancels, input)).unwrap_or_default()
    }

    /// The runs that handle how a run has ended: the workflow's handler first, then the app's.
    pub(crate) fn handlers(
        &self,
        workflow: &str,
        run: RunId,
        input: &Payload,
        end: &End,
    ) -> Vec<Child> {
        let Some(definition) =
            self.workflow(workflow).filter(|_| !self.handlers.contains(workflow))
        else {
            return Vec::new();
        };
        let (which, why): (fn(&Handlers) -> Option<&'static str>, _) = match end {
            End::Completed(_) | End::Restarted(_) => return Vec::new(),
            End::Failed(error) => (|handlers| handlers.on_failure, ("error", json(error))),
            End::Cancelled(reason) => (|handlers| handlers.on_cancel, ("reason", json(reason))),
        };
        let (key, why) = why;
        let input = input.as_str();
        let workflow = json(workflow);
        let input =
            format!(r#"{{"run":"{run}","workflow":{workflow},"input":{input},"{key}":{why}}}"#);
        let input = Payload::stored(input);
        let handlers = [definition.config.handlers, self.of_app];
        let handlers = handlers.iter().filter_map(which).map(|workflow| Child {
            id: RunId::new(),
            workflow,
            input: input.clone(),
            seed: Uuid::new_v4(),
            detached: true,
            cancels: self.cancels(workflow, &input),
        });
        handlers.collect()
    }

    /// The runs that an event starts, of one workflow or of all.
    fn started(&self, name: &str, event: EventId, data: &Payload, only: Option<&str>) -> Routing {
        let mut routing = Routing::default();
        let workflows = self.started_by.get(name).map(Vec::as_slice).unwrap_or_default();
        let workflows = workflows.iter().filter(|id| only.is_none_or(|only| only == **id));
        for definition in workflows.filter_map(|id| self.workflows.get(id)) {
            if let Err(reason) = start(definition, name, event, data, &mut routing) {
                let workflow = definition.id.to_owned();
                routing.blocked.push(Blocked { workflow, reason });
            }
        }
        routing
    }

    /// Whether some workflow gathers events, so that their order matters.
    pub(crate) fn gathers(&self) -> bool {
        self.workflows.values().any(|workflow| workflow.config.batch.is_some())
    }

    /// The schedules of its workflows.
    pub(crate) fn schedules(&self) -> Vec<Schedule> {
        let workflows = self.workflows.values();
        let schedules = workflows.filter_map(|definition| {
            let rule = definition.config.cron?.rule();
            Some(Schedule { workflow: definition.id.to_owned(), rule })
        });
        schedules.collect()
    }

    /// What a schedule of its starts.
    pub(crate) fn fire(&self, due: &DueSchedule) -> Firing {
        let scheduled = self.workflows.get(&*due.workflow);
        let Some((definition, cron)) = scheduled.and_then(|w| Some((w, w.config.cron?))) else {
            // Not one of its own, which the store does not ask about.
            return Firing { runs: Vec::new(), next: due.due.unwrap_or(Timestamp::MAX) };
        };
        let Due { ticks, next } = cron.due(due.due, due.now);
        let mut previous = due.last;
        let runs = ticks.into_iter().map(|scheduled_at| {
            let tick = Tick { previous: previous.replace(scheduled_at), ..Tick::at(scheduled_at) };
            let data = Payload::stored(tick.to_json());
            let data = definition.form.data(Trigger::Tick.name(), &data);
            NewRun { scheduled_at: Some(scheduled_at), ..NewRun::new(definition.id, None, data) }
        });
        Firing { runs: runs.collect(), next }
    }
}

/// Adds what a workflow makes of an event that is one of its triggers.
///
/// # Errors
///
/// When the workflow cannot tell: a condition or a key of its fails.
fn start(
    workflow: &Definition,
    name: &str,
    event: EventId,
    data: &Payload,
    routing: &mut Routing,
) -> Result<(), String> {
    for filter in workflow.filters.iter().filter(|filter| filter.event == name) {
        if !filter.passes(data)? {
            return Ok(());
        }
    }
    if let Some(batch) = workflow.config.batch {
        let key = workflow.batch_key.map(|key| key.of(data)).transpose()?.unwrap_or_default();
        let (workflow, max, timeout) = (workflow.id.to_owned(), batch.max(), batch.timeout());
        routing.batched.push(Batched { workflow, key, max, timeout });
    } else {
        let data = workflow.form.data(name, data);
        let cancels = CancelKey::all(workflow.cancels, &data);
        routing.runs.push(NewRun { cancels, ..NewRun::new(workflow.id, Some(event), data) });
    }
    Ok(())
}

/// What has a form in JSON in any case.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("it is made of strings and names")
}

/// What a process lends its runs: shared by all machines.
pub(crate) type Lent = Arc<Resources>;
