//! What unfinished runs rest on: the shapes of workflows and events, as text that people review and
//! programs compare.
//!
//! **In a workflow's shape:** its id; the events that start it and in which form it takes them, or the
//! fields of its input; its steps in the order of the source, each with its kind, with the event that it
//! waits for, and with what may follow it; its settings, which say when it starts and what becomes of a
//! run that does not complete. **In an event's:** its name and its fields, each with its type and whether
//! it is required.
//!
//! **Not in it**, because a run that resumes does not notice: source lines, the text of conditions,
//! what a step does, its own retries and timeouts, the workflow's retries and backoff (they hold for
//! attempts to come), documentation, Rust's names of types. Nor what a step gives: that is known when
//! a stored outcome is decoded.
//!
//! The text of a shape depends on nothing but these, so its hash is the same on every machine and
//! with every compiler.

mod change;
mod compare;
mod fields;
mod flow;
mod text;
mod widening;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

pub use self::change::{Change, Subject};
pub use self::text::ParseError;
use super::{CancelOn, Config, Cron, Form, Graph, Hold, Scope, Single, StepKind};
use crate::workflow;

/// The shapes of a program's events and workflows, by their names.
///
/// Its text (`Display`, `FromStr`) is what `indelible.lock` holds and what the database keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes {
    /// What the app's runs are filed under.
    pub app: String,
    pub events: BTreeMap<String, Fields>,
    pub workflows: BTreeMap<String, WorkflowShape>,
}

/// The shape of one workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowShape {
    /// The names of the events that start it.
    pub triggers: BTreeSet<String>,
    /// In which form it takes them.
    pub form: Form,
    /// What it takes when it is only started directly, if that has a schema.
    pub input: Fields,
    /// When it starts, what may end a run before its body does, and what becomes of one that does not
    /// complete: `cancel_on order/cancelled (order)`, `undo reserve`.
    pub settings: BTreeSet<String>,
    pub flow: Flow,
}

/// What may follow what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow(Vec<Line>);

/// A place and what may follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    place: Place,
    /// What a step waits for there.
    event: Option<String>,
    next: Vec<Place>,
}

/// A place in a workflow. Steps go by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Start,
    Step(String, StepKind),
    Fork(u32),
    Join(u32),
    End,
    Failed,
    Restarted,
}

/// The fields of JSON data, by their paths: `lines[].sku`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Field>);

/// What stands at one path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Field {
    optional: bool,
    /// The types that it may have: `string`, `uuid`, `"low"`, `null`.
    types: BTreeSet<String>,
}

impl Shapes {
    /// What tells one shape of a workflow from another.
    pub fn hash(&self, workflow: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, self.only(workflow).to_string().as_bytes())
    }

    /// A workflow's shape with those of the events that start it.
    pub fn only(&self, workflow: &str) -> Self {
        let shape = self.workflows.get(workflow);
        let starts = |event: &str| shape.is_some_and(|shape| shape.triggers.contains(event));
        let events = self.events.iter().filter(|(event, _)| starts(event));
        Self {
            app: self.app.clone(),
            events: events.map(|(event, fields)| (event.clone(), fields.clone())).collect(),
            workflows: shape
                .map(|shape| (workflow.to_owned(), shape.clone()))
                .into_iter()
                .collect(),
        }
    }
}

/// The words with which a setting begins.
const UNDO: &str = "undo";
const BATCH: &str = "batch";
const CONDITION: &str = "condition";
const CRON: &str = "cron";
const CONCURRENCY: &str = "concurrency";
const DEBOUNCE: &str = "debounce";
const IDEMPOTENCY: &str = "idempotency";
const PRIORITY: &str = "priority";
const RATE_LIMIT: &str = "rate_limit";
const SINGLETON: &str = "singleton";
const THROTTLE: &str = "throttle";
const SETTINGS: &[&str] = &[
    BATCH,
    CONCURRENCY,
    CONDITION,
    CRON,
    DEBOUNCE,
    IDEMPOTENCY,
    PRIORITY,
    RATE_LIMIT,
    SINGLETON,
    THROTTLE,
    UNDO,
    "cancel_on",
    "timeout",
    "on_failure",
    "on_cancel",
];

/// The steps that have an undo, those of helpers with the way to them.
fn undos(graph: &Graph, path: &str) -> impl Iterator<Item = String> {
    let steps = graph.states().into_iter().flat_map(|state| match state.helper {
        Some(helper) => undos(helper, &format!("{path}{}/", state.id)).collect(),
        None => state.undo.map(|_| format!("{path}{}", state.id)).into_iter().collect::<Vec<_>>(),
    });
    steps.collect::<Vec<_>>().into_iter()
}

/// What a workflow's attribute says about the ends of its runs.
pub fn settings(config: &Config, cancels: &[CancelOn]) -> impl Iterator<Item = String> {
    let cancels = cancels.iter().map(|cancel| {
        let fields = cancel.fields.join(", ");
        format!("cancel_on {} ({fields})", cancel.event)
    });
    let timeout = |which, timeout: Option<Duration>| {
        timeout.map(|timeout| format!("timeout {which} {timeout:?}"))
    };
    let handler =
        |which, handler: Option<&str>| handler.map(|handler| format!("{which} {handler}"));
    let others = [
        timeout("start", config.start_timeout),
        timeout("finish", config.finish_timeout),
        handler("on_failure", config.handlers.on_failure),
        handler("on_cancel", config.handlers.on_cancel),
    ];
    let settings: Vec<_> = cancels.chain(others.into_iter().flatten()).collect();
    settings.into_iter()
}

impl WorkflowShape {
    /// The shape of a workflow with this graph.
    pub fn new(
        triggers: impl IntoIterator<Item = &'static str>,
        input: Option<&serde_json::Value>,
        graph: &Graph,
    ) -> Self {
        Self {
            triggers: triggers.into_iter().map(str::to_owned).collect(),
            form: Form::default(),
            input: input.map(Fields::of).unwrap_or_default(),
            settings: undos(graph, "").map(|step| format!("{UNDO} {step}")).collect(),
            flow: Flow::of(graph),
        }
    }

    /// The same, told in which form it takes what starts it, and when that starts it. No unfinished run
    /// notices when a new one begins, but whoever reviews a change should.
    pub fn started(mut self, form: Form, config: &Config) -> Self {
        self.form = form;
        let cron = config.cron.as_ref().map(schedule);
        let filters = config.flow.filters.iter();
        let conditions = filters.map(|filter| format!("{CONDITION} on {}", filter.event));
        self.settings.extend(conditions.chain(cron).chain(limits(&config.flow)));
        self
    }
}

fn schedule(cron: &Cron) -> String {
    let catch_up = cron.catch_up().name();
    let (expression, zone, options) = (cron.expression(), cron.zone(), cron.options());
    format!("{CRON} \"{expression}\" in {zone}, catch_up {catch_up}{options}")
}

/// What becomes of events, and how many runs begin when. The texts of keys are not in it, like those of
/// conditions.
fn limits(flow: &workflow::Flow) -> impl Iterator<Item = String> {
    let by = |keyed: bool| if keyed { " by key" } else { "" };
    let batch = flow.batch.map(|batch| {
        let (max, timeout, by) = (batch.max(), batch.timeout(), by(batch.is_keyed()));
        format!("{BATCH} of {max}, {timeout:?}{by}")
    });
    let debounce = flow.debounce.map(|debounce| {
        let max = debounce.max().map(|max| format!(", at most {max:?}")).unwrap_or_default();
        format!("{DEBOUNCE} {:?}{max}{}", debounce.period(), by(debounce.key().is_some()))
    });
    let rate_limit = flow.rate_limit.map(|rate| {
        format!("{RATE_LIMIT} of {} per {:?}{}", rate.limit(), rate.per(), by(rate.key().is_some()))
    });
    let idempotency =
        flow.idempotency.map(|once| format!("{IDEMPOTENCY} within {:?}", once.within()));
    let concurrency = flow.concurrency.into_iter().flatten().map(move |slots| {
        let (limit, by) = (slots.limit(), by(slots.key().is_some()));
        let scope = match slots.scope() {
            Scope::Workflow => String::new(),
            Scope::App => " in the app".to_owned(),
            Scope::Named(name) => format!(" in \"{name}\""),
        };
        let hold = if slots.hold() == Hold::Run { ", held until the end" } else { "" };
        format!("{CONCURRENCY} of {limit}{by}{scope}{hold}")
    });
    let throttle = flow.throttle.map(|throttle| {
        let (limit, per, burst) = (throttle.limit(), throttle.per(), throttle.burst());
        format!("{THROTTLE} of {limit} per {per:?}, burst {burst}{}", by(throttle.key().is_some()))
    });
    let singleton = flow.singleton.map(|single| {
        let mode = match single.mode() {
            Single::Skip => "skip",
            Single::Cancel => "cancel",
            Single::Latest => "latest",
        };
        format!("{SINGLETON} {mode}{}", by(single.key().is_some()))
    });
    let priority = flow.priority.map(|_| PRIORITY.to_owned());
    let gathered = batch.into_iter().chain(debounce).chain(rate_limit).chain(idempotency);
    gathered.chain(concurrency).chain(throttle).chain(singleton).chain(priority)
}
