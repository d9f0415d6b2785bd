use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::error;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::event::{Catalog, Event, EventId, InvalidEvent, UntypedEvent, is_reserved};
use crate::flow::{Admission, Arrival, Draw, Firing, NewRun, Skip, at_once, gathered};
use crate::given::{LONGEST_KEY, check};
use crate::journal::{CancelKey, Child, End, MatchKey, OutgoingEvent, RunId};
use crate::payload::Payload;
use crate::step::{Definition, Limits, Resources};
use crate::store::{
    Driven, DueSchedule, Gathered, Hosted, NewEvent, NewSchema, Registration, Routes, Routing,
    Schedule, StoredEvent, Subscription, Terms, UnmetCondition, listed_run,
};
use crate::trace::TraceContext;
use crate::workflow::shape::Shapes;
use crate::workflow::{
    Awaits, Declared, EventBlocked, Handlers, Passage, RunCancelled, RunCompleted, RunFailed,
    Trigger, TriggerData, is_system_event,
};

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
    /// The parts of the app that an event is for, by its name.
    parts: HashMap<&'static str, Arc<[String]>>,
    pub(crate) registration: Arc<Registration>,
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
        let events: BTreeSet<_> = started_by.keys().chain(awaited_on.keys()).copied().collect();
        let of = |event| {
            let workflows = started_by.get(event).into_iter().flatten();
            let sets = awaited_on.get(event).into_iter().flatten();
            std::iter::once(Subscription::whole(event))
                .chain(workflows.map(move |workflow| Subscription::start(event, workflow)))
                .chain(sets.map(move |fields| Subscription::wait(event, fields)))
        };
        let catalog = Catalog::of::<A>();
        let parts = events.iter().map(|event| (*event, of(*event).map(|own| own.part).collect()));
        let registration = Registration {
            app: A::NAME.to_owned(),
            workflows: workflows.keys().map(ToString::to_string).collect(),
            subscriptions: events.iter().flat_map(|event| of(event)).collect(),
            schedules: schedules(workflows.values()),
            limits: declared(workflows.values()),
            schemas: catalog.iter().map(NewSchema::of).collect(),
        };
        Self {
            app: A::NAME,
            of_app: A::HANDLERS,
            handlers,
            catalog,
            limits,
            drives,
            parts: parts.collect(),
            registration: Arc::new(registration),
            awaited_on,
            workflows,
            started_by,
        }
    }

    pub(crate) fn workflow(&self, id: &str) -> Option<&Definition> {
        self.workflows.get(id)
    }

    /// Leaves the runs of other workflows to other workers, if any are named. All else stays: what the app
    /// makes of its events, its schedules and its batches.
    ///
    /// # Errors
    ///
    /// When the app does not list one of them.
    pub(crate) fn drive_only(&mut self, workflows: &[&'static str]) -> Result<(), Error> {
        let unknown = workflows.iter().find(|id| !self.workflows.contains_key(*id));
        if let Some(workflow) = unknown {
            return Err(Error::UnknownWorkflow { workflow, app: self.app });
        }
        if !workflows.is_empty() {
            self.drives.retain(|driven| workflows.contains(&&*driven.workflow));
        }
        Ok(())
    }

    /// Checks that everything that a workflow needs which it drives is lent.
    pub(crate) fn check_resources(&self, resources: &Resources) -> Result<(), Error> {
        let driven = self.drives.iter().filter_map(|driven| self.workflow(&driven.workflow));
        for definition in driven {
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
    ///
    /// # Errors
    ///
    /// When its name is reserved, or its idempotency key is not fit to be stored.
    pub(crate) fn accept(
        &self,
        name: &str,
        data: Payload,
        idempotency_key: Option<String>,
        trace: Option<TraceContext>,
    ) -> Result<NewEvent, Error> {
        let event = to_be_delivered(name, data, idempotency_key, trace)?;
        let arrival =
            Arrival { id: event.id, name, data: &event.data, trace: event.trace.as_ref() };
        // An event that may be waited for is looked at behind its commit, so that neither it nor a
        // wait can miss the other.
        let awaited = self.awaited_on.contains_key(name);
        // What the app does not subscribe to is for others, if for anybody.
        let parts = self.parts.get(name).filter(|_| !awaited).cloned();
        let hosted = parts.and_then(|parts| {
            let runs = at_once(self.admissions(arrival, name, Admission::of))?;
            Some(Hosted { runs, parts })
        });
        Ok(NewEvent { hosted, ..event })
    }

    /// Checks data against the event type of that name: one of the app's, or a system event's.
    pub(crate) fn check(&self, name: &str, data: &RawValue) -> Result<UntypedEvent, InvalidEvent> {
        let catalog = if is_system_event(name) { &Catalog::of_system() } else { &self.catalog };
        catalog.check(name, data, self.limits.event)
    }

    /// What the app makes of an event.
    fn routing(&self, event: &StoredEvent) -> Routing {
        let StoredEvent { id, name, data, trace, part, .. } = event;
        let arrival = Arrival { id: *id, name, data, trace: trace.as_ref() };
        let admissions = self.admissions(arrival, part, Admission::of_stored);
        let mut reports = Vec::new();
        for admission in &admissions {
            if let Admission::Block { workflow, reason } = admission {
                let part = Subscription::start(name, workflow).part;
                error!(part, event = %id, "{reason}; the event waits for a program in which that does not happen");
                reports.extend(self.blocked(event, workflow, reason));
            }
        }
        let sets = self.awaited_on.get(&**name).into_iter().flatten();
        let sets = sets.filter(|set| part == name || *part == Subscription::wait(name, set).part);
        let keys = match data.decode::<serde_json::Value>() {
            Ok(data) => sets.map(|fields| MatchKey::of(name, &data, fields)).collect(),
            // The store keeps nothing but JSON.
            Err(_) => Vec::new(),
        };
        Routing { admissions, keys, reports }
    }

    /// Whether some workflow is started by an event of this name, waits for it or is cancelled by it.
    fn wants(&self, event: &str) -> bool {
        self.parts.contains_key(event)
    }

    /// The system event of an event that is blocked for a workflow, if somebody wants it. However often
    /// programs try the event again, it has the same id.
    fn blocked(&self, event: &StoredEvent, workflow: &str, reason: &str) -> Option<NewEvent> {
        let StoredEvent { id, name, data, accepted_at, trace, .. } = event;
        if !self.wants(EventBlocked::NAME) || is_system_event(name) {
            return None;
        }
        let data = format!(
            r#"{{"event":"{id}","name":{},"workflow":{},"app":{},"reason":{},"accepted_at":"{accepted_at}","data":{}}}"#,
            json(name),
            json(workflow),
            json(self.app),
            json(reason),
            data.as_str(),
        );
        let what = format!("{} {workflow}", self.app);
        Some(NewEvent {
            id: Uuid::new_v5(&id.as_uuid(), what.as_bytes()).into(),
            name: EventBlocked::NAME.to_owned(),
            data: Payload::stored(data),
            idempotency_key: None,
            due: None,
            trace: trace.clone(),
            hosted: None,
        })
    }

    /// The events that cancel a run of a workflow with this input.
    pub(crate) fn cancels(&self, workflow: &str, input: &Payload) -> Vec<CancelKey> {
        let definition = self.workflow(workflow);
        definition.map(|found| CancelKey::all(found.cancels, input)).unwrap_or_default()
    }

    /// What a run of a workflow with this input has to pass before it begins.
    ///
    /// # Errors
    ///
    /// When a key or the priority fails: why.
    fn try_passage(&self, workflow: &str, input: &Payload) -> Result<Passage, String> {
        let definition = self.workflow(workflow);
        definition
            .map_or(Ok(Passage::default()), |found| found.config.flow.passage(workflow, input))
    }

    /// The runs that handle how a run has ended: the workflow's handler first, then the app's.
    pub(crate) fn handlers(&self, workflow: &str, trigger: &TriggerData, end: &End) -> Vec<Child> {
        let run = trigger.run;
        let Some(definition) =
            self.workflow(workflow).filter(|_| !self.handlers.contains(workflow))
        else {
            return Vec::new();
        };
        let which: fn(&Handlers) -> Option<&'static str> = match end {
            End::Completed(_) => return Vec::new(),
            End::Failed(_) => |handlers| handlers.on_failure,
            End::Cancelled(_) => |handlers| handlers.on_cancel,
        };
        let input = self.told(workflow, trigger, end);
        let handlers = [definition.config.handlers, self.of_app];
        let handlers = handlers.iter().filter_map(which).map(|workflow| {
            // It starts in any case: it is the last that is told of the run.
            let passage = self.try_passage(workflow, &input).unwrap_or_else(|reason| {
                error!(workflow, %run, "{reason}; the run that handles the end of this one is not limited");
                Passage::default()
            });
            Child {
                id: RunId::new(),
                workflow,
                input: input.clone(),
                seed: Uuid::new_v4(),
                detached: true,
                cancels: self.cancels(workflow, &input),
                gates: passage.gates,
                ahead: passage.ahead,
            }
        });
        handlers.collect()
    }

    /// The system event of the end of a run, if somebody wants it.
    pub(crate) fn report(
        &self,
        workflow: &str,
        trigger: &TriggerData,
        end: &End,
    ) -> Option<OutgoingEvent> {
        let name = match end {
            End::Completed(_) => RunCompleted::NAME,
            End::Failed(_) => RunFailed::NAME,
            End::Cancelled(_) => RunCancelled::NAME,
        };
        self.wants(name).then(|| {
            let data = self.told(workflow, trigger, end);
            OutgoingEvent { id: EventId::new(), name, data }
        })
    }

    /// Whether a system event starts runs of a workflow: what these set off makes no further ones.
    pub(crate) fn is_silent(&self, workflow: &str) -> bool {
        self.workflow(workflow).is_some_and(|definition| {
            definition.triggers.iter().any(|trigger| is_system_event(trigger.name()))
        })
    }

    /// What is told of the end of a run: a [`RunCompleted`], [`RunFailed`] or [`RunCancelled`].
    fn told(&self, workflow: &str, trigger: &TriggerData, end: &End) -> Payload {
        let (key, how) = match end {
            End::Completed(output) => ("output", output.as_str().to_owned()),
            End::Failed(error) => ("error", json(error)),
            End::Cancelled(reason) => ("reason", json(reason)),
        };
        let TriggerData { run, event, accepted_at, data: input, trace: _ } = trigger;
        Payload::stored(format!(
            r#"{{"run":"{run}","workflow":{},"app":{},"event":{},"accepted_at":"{accepted_at}","input":{},"{key}":{how}}}"#,
            json(workflow),
            json(self.app),
            json(event),
            input.as_str(),
        ))
    }

    /// What workflows make of an event that is one of their triggers: all of them if the part is its
    /// name.
    fn admissions(
        &self,
        event: Arrival<'_>,
        part: &str,
        admit: fn(&Definition, Arrival<'_>, usize, Draw) -> Admission,
    ) -> Vec<Admission> {
        let name = event.name;
        let workflows = self.started_by.get(name).into_iter().flatten();
        let asked = workflows
            .filter(|id| part == name || part == Subscription::start(name, id).part)
            .filter_map(|id| self.workflows.get(id));
        let limit = self.limits.event;
        asked.map(|workflow| admit(workflow, event, limit, NewRun::new)).collect()
    }

    /// The workflows whose conditions an event does not pass.
    pub(crate) fn unmet(&self, id: EventId, name: &str, data: &Payload) -> Vec<UnmetCondition> {
        let admissions = self.started_by.get(name).into_iter().flatten().filter_map(|workflow| {
            let definition = self.workflows.get(workflow)?;
            let event = Arrival { id, name, data, trace: None };
            match Admission::of(definition, event, self.limits.event, NewRun::new) {
                Admission::Skip(Skip::Condition(condition)) => {
                    Some(UnmetCondition { workflow: (*workflow).to_owned(), condition })
                }
                _ => None,
            }
        });
        let mut unmet: Vec<_> = admissions.collect();
        unmet.sort_by(|one, other| one.workflow.cmp(&other.workflow));
        unmet
    }

    /// Whether some workflow gathers events.
    pub(crate) fn gathers(&self) -> bool {
        self.workflows.values().any(|workflow| workflow.config.flow.gathers())
    }

    /// Whether what some workflow makes of an event depends on the events before it.
    pub(crate) fn needs_order(&self) -> bool {
        self.workflows.values().any(|workflow| workflow.config.flow.needs_order())
    }

    /// Whether the limit is that of a singleton.
    pub(crate) fn is_singleton(&self, limit: &str) -> bool {
        self.workflows.values().any(|workflow| {
            workflow.config.flow.single(workflow.id).is_some_and(|single| single == limit)
        })
    }

    /// What a schedule of its starts.
    pub(crate) fn fire(&self, due: &DueSchedule) -> Firing {
        let scheduled = self.workflows.get(&*due.workflow);
        let Some((definition, cron)) = scheduled.and_then(|w| Some((w, w.config.cron?))) else {
            // Not one of its own, which the store does not ask about.
            return Firing { runs: Vec::new(), next: due.due.unwrap_or(Timestamp::MAX) };
        };
        let delay = cron.delay(self.app, definition.id);
        let what = cron.due(due.due, due.last, due.now, delay);
        let (firing, refused) = Firing::of(definition, what, due.last, NewRun::new);
        for reason in refused {
            error!(workflow = definition.id, "{reason}; this tick of the schedule starts nothing");
        }
        firing
    }
}

/// An event to be accepted that is delivered to whoever subscribes to it.
///
/// # Errors
///
/// When its name is reserved, or its idempotency key is not fit to be stored.
pub(crate) fn to_be_delivered(
    name: &str,
    data: Payload,
    idempotency_key: Option<String>,
    trace: Option<TraceContext>,
) -> Result<NewEvent, Error> {
    if is_reserved(name) {
        return Err(Error::ReservedName { name: name.to_owned() });
    }
    if let Some(Err(cause)) = idempotency_key.as_deref().map(|key| check(key, LONGEST_KEY)) {
        let what = format!("the idempotency key of an event `{name}`");
        return Err(Error::UnfitText { what, cause });
    }
    let (id, name) = (EventId::new(), name.to_owned());
    Ok(NewEvent { id, name, data, idempotency_key, due: None, trace, hosted: None })
}

/// What workflows say of limits, each limit once: workflows that share one agree on it.
fn declared<'a>(workflows: impl Iterator<Item = &'a Definition>) -> Vec<Declared> {
    let all = workflows.flat_map(|definition| definition.config.flow.declared(definition.id));
    let limits: BTreeMap<_, _> = all.map(|limit| (limit.limit, limit.allows)).collect();
    limits.into_iter().map(|(limit, allows)| Declared { limit, allows }).collect()
}

impl Routes for Program {
    fn route(&self, event: &StoredEvent) -> Routing {
        self.routing(event)
    }

    fn gathered(&self, workflow: &str, events: &[Gathered]) -> NewRun {
        let Some(definition) = self.workflow(workflow) else {
            // Another version's, which left them: it takes lists, or this would be its own.
            return listed_run(workflow, events);
        };
        let arrivals = events.iter().map(|Gathered { id, name, data, trace, .. }| Arrival {
            id: *id,
            name,
            data,
            trace: trace.as_ref(),
        });
        let (run, unlimited) = gathered(definition, &arrivals.collect::<Vec<_>>(), NewRun::new);
        if let Some(reason) = unlimited {
            error!(workflow, run = %run.id, "{reason}; the run of these events has no limit");
        }
        run
    }
}

impl Terms for Program {
    fn know(&self, workflow: &str) -> bool {
        self.workflow(workflow).is_some()
    }

    fn cancels(&self, workflow: &str, input: &Payload) -> Vec<CancelKey> {
        self.cancels(workflow, input)
    }

    fn passage(&self, workflow: &str, input: &Payload) -> Passage {
        self.try_passage(workflow, input).unwrap_or_else(|reason| {
            error!(workflow, "{reason}; the run has no limit");
            Passage::default()
        })
    }
}

/// When workflows start by themselves.
fn schedules<'a>(workflows: impl Iterator<Item = &'a Definition>) -> Vec<Schedule> {
    let schedules = workflows.filter_map(|definition| {
        let rule = definition.config.cron?.rule();
        Some(Schedule { workflow: definition.id.to_owned(), rule })
    });
    schedules.collect()
}

/// What has a form in JSON in any case.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("it is made of strings and names")
}

/// What a process lends its runs: shared by all machines.
pub(crate) type Lent = Arc<Resources>;
/// Where an app's runs are kept, if nobody says otherwise.
pub(crate) fn database_url(given: Option<String>, app: &str) -> String {
    given
        .or_else(|| std::env::var("INDELIBLE_DATABASE_URL").ok())
        .unwrap_or_else(|| format!("sqlite://{app}.db"))
}
