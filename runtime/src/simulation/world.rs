//! What is told to the store: the app, its events and the runs that are started.

use uuid::Uuid;

use super::APP;
use super::plan::{Scenario, Steadiness};
use super::random::mix;
use super::workflow::{Signal, Steady, Stop, Unsteady};
use crate::event::{Event as _, EventId};
use crate::flow::{Admission, NewRun};
use crate::id::RunId;
use crate::journal::{CancelKey, MatchKey};
use crate::payload::Payload;
use crate::store::{NewEvent, Registration, Routing, StoredEvent, Subscription, Terms};
use crate::workflow::{Declared, Flow, Passage, Workflow as _};

/// Starts a run by event.
pub(super) const STARTED: &str = "simulation/started";

/// What the app makes of an event.
pub(super) fn routing(event: &StoredEvent) -> Routing {
    if event.name == STARTED {
        let scenario: Scenario = event.data.decode().expect("it is a scenario");
        let run = new_run(&scenario, Some(event.id), event.data.clone());
        return Routing { admissions: vec![Admission::Start(run)], ..Routing::default() };
    }
    let data = event.data.decode().expect("it is JSON");
    let keys = vec![MatchKey::of(&event.name, &data, &["no"])];
    Routing { keys, ..Routing::default() }
}

pub(super) fn registration() -> Registration {
    Registration {
        app: APP.to_owned(),
        workflows: vec![Steady::ID.to_owned(), Unsteady::ID.to_owned()],
        subscriptions: [STARTED, Signal::NAME, Stop::NAME].map(Subscription::whole).into(),
        schedules: Vec::new(),
        limits: limits(),
        schemas: Vec::new(),
    }
}

pub(super) fn signal(case: u64, nth: u64, no: u64, value: u64) -> NewEvent {
    let data = Payload::encode(&Signal { no, value }, usize::MAX).expect("it can be written");
    event(&[case, 1, nth], Signal::NAME, data)
}

pub(super) fn event(parts: &[u64], name: &str, data: Payload) -> NewEvent {
    let (id, name) = (id(parts).into(), name.to_owned());
    NewEvent { id, name, data, idempotency_key: None, due: None, trace: None, hosted: None }
}

/// An event that cancels runs.
pub(super) fn stop(parts: &[u64], no: u64) -> NewEvent {
    let data = Payload::encode(&Stop { no }, usize::MAX).expect("it can be written");
    event(parts, Stop::NAME, data)
}

pub(super) fn new_run(scenario: &Scenario, event: Option<EventId>, input: Payload) -> NewRun {
    let workflow = match scenario.steadiness {
        Steadiness::Exact => Steady::ID,
        Steadiness::Rules => Unsteady::ID,
    };
    let (id, seed) = (run_id(scenario.case), id(&[scenario.case, 2]));
    let (cancels, passage) = (Known.cancels(workflow, &input), Known.passage(workflow, &input));
    NewRun { id, seed, cancels, ..NewRun::new(workflow, event, input) }.passing(passage)
}

/// What is known of the runs that operators begin.
pub(super) struct Known;

impl Terms for Known {
    fn cancels(&self, _: &str, input: &Payload) -> Vec<CancelKey> {
        CancelKey::all(Steady::CANCELS, input)
    }

    fn passage(&self, workflow: &str, input: &Payload) -> Passage {
        flow(workflow).passage(workflow, input).expect("its keys can be read")
    }
}

fn flow(workflow: &str) -> Flow {
    if workflow == Steady::ID { Steady::CONFIG.flow } else { Unsteady::CONFIG.flow }
}

/// The limits of both workflows.
pub(super) fn limits() -> Vec<Declared> {
    let limits = [Steady::ID, Unsteady::ID].map(|workflow| flow(workflow).declared(workflow));
    limits.concat()
}

/// The same ids whatever happens, as much is derived from them.
pub(super) fn run_id(case: u64) -> RunId {
    id(&[case, 3]).into()
}

fn id(parts: &[u64]) -> Uuid {
    let high = parts.iter().fold(1, |hash, part| mix(hash, *part));
    Uuid::from_u64_pair(high, mix(high, 0))
}
