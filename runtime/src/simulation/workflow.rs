//! The workflow of the simulation, in two kinds that differ by name.
//!
//! It is written as `#[workflow]` would compile it, by hand: the macro wants each step in the source
//! with an id of its own, and here they come as data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::body::{Nth, interpret};
use super::lab::Lab;
use super::plan::{Bounds, Keys, Scenario, Steadiness};
use super::work::UNDOS;
use crate::event::Event as _;
use crate::payload::{Payload, Undecodable};
use crate::step::{Body, BodyFuture, Context, Definition, Resource, begin};
use crate::workflow::{
    Awaits, Backoff, CancelOn, Concurrency, Config, Direct, Flow, Graph, Hold, Key, Priority,
    Throttle, Workflow, compared, key_text,
};

/// What runs wait for.
#[derive(Debug, crate::Event, Serialize, Deserialize, schemars::JsonSchema)]
#[event(name = "simulation/signal")]
pub(super) struct Signal {
    pub(super) no: u64,
    pub(super) value: u64,
}

/// What cancels runs.
#[derive(Debug, crate::Event, Serialize, Deserialize, schemars::JsonSchema)]
#[event(name = "simulation/stop")]
pub(super) struct Stop {
    pub(super) no: u64,
}

/// Operators have to do with the unsteady one only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interpreted<const STEADY: bool>;

pub(super) type Steady = Interpreted<true>;
pub(super) type Unsteady = Interpreted<false>;

impl<const STEADY: bool> Workflow for Interpreted<STEADY> {
    type Input = Direct<Scenario>;
    type Output = u64;
    type State = Nth;
    const ID: &'static str = if STEADY { "steady" } else { "unsteady" };
    const PATH: &'static str = Self::ID;
    // Failures are tried again at once, so that cases keep to the same few points in time.
    const CONFIG: Config = Config {
        backoff: Backoff::new(Duration::ZERO, Duration::ZERO),
        flow: Self::FLOW,
        ..Config::DEFAULT
    };
    const GRAPH: Graph = Graph::EMPTY;
    const WAITS: &'static [Awaits] = &[Awaits::Event { event: Signal::NAME, fields: &["no"] }];
    const CANCELS: &'static [CancelOn] = &[CancelOn {
        event: Stop::NAME,
        fields: &["no"],
        values: |input| {
            compared::<Direct<Scenario>>(input, |scenario| vec![scenario.bounds.stop.into()])
        },
    }];
}

impl<const STEADY: bool> Interpreted<STEADY> {
    /// A run whose worker goes down asks once more, so that others ask before it. So steady ones never wait for one
    /// another.
    const MANY: u32 = if STEADY { 1_000 } else { 0 };

    const FLOW: Flow = {
        let active = Key::new("input.active", |input| Self::key(input, |keys| keys.active));
        let whole = Key::new("input.whole", |input| Self::key(input, |keys| keys.whole));
        let pace = Key::new("input.pace", |input| Self::key(input, |keys| keys.pace));
        Flow::DEFAULT
            .concurrency(Concurrency::new(1 + Self::MANY).by(active))
            .concurrency(Concurrency::new(2 + Self::MANY).by(whole).held(Hold::Run))
            .throttle(Throttle::new(6, Duration::from_secs(60), 1 + Self::MANY).by(pace))
            .priority(Priority::new("input.ahead", |input| {
                Ok(input.decode::<Scenario>()?.keys.ahead)
            }))
    };

    fn key(input: &Payload, key: fn(&Keys) -> Option<u64>) -> Result<String, Undecodable> {
        Ok(key_text(&key(&input.decode::<Scenario>()?.keys)))
    }
}

impl<const STEADY: bool> Body for Interpreted<STEADY> {
    fn begin(context: Context) -> BodyFuture {
        begin::<Self, _>(context, |Direct(scenario), context| {
            let Resource(lab) = context.extract::<Resource<Lab>>();
            let (step, run) = (context.extract(), context.trigger.run);
            async move { interpret(step, run, &scenario, lab).await }
        })
    }
}

/// The workflow of a run with this input, as a worker knows it.
pub(super) fn definition(input: &Payload) -> Definition {
    let scenario: Scenario = input.decode().expect("it is a scenario");
    let Bounds { start, finish, .. } = scenario.bounds;
    let mut definition = match scenario.steadiness {
        Steadiness::Exact => Definition::of::<Steady>(),
        Steadiness::Rules => Definition::of::<Unsteady>(),
    };
    definition.undos = *UNDOS;
    definition.config = Config {
        start_timeout: start.map(Duration::from_secs),
        finish_timeout: finish.map(Duration::from_secs),
        ..definition.config
    };
    definition
}
