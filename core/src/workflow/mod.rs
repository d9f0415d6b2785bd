//! What a workflow is: its name, what starts it, how it is configured, the graph of its states.
//! Bodies and the steps in them live in [`step`](crate::step).

mod batch;
mod calendar;
mod cancel;
mod concurrency;
mod config;
mod debounce;
mod filter;
pub(crate) mod fits;
mod flow;
mod gate;
mod graph;
mod handler;
mod input;
mod pace;
mod passage;
mod priority;
mod schedule;
#[allow(missing_docs, reason = "no user sees a shape but as text")]
pub mod shape;
mod single;
mod system;
mod trigger;

use std::fmt;
use std::marker::PhantomData;

pub use self::batch::{Batch, Batched};
pub use self::calendar::Dst;
pub use self::cancel::{CancelOn, Compared, compared};
pub use self::concurrency::{Concurrency, Scope};
pub use self::config::{Backoff, Config, Handlers, OnChange};
pub use self::debounce::Debounce;
pub use self::filter::{Filter, Key, Keyed, Subject, key_text, read, read_input};
pub use self::flow::Flow;
#[doc(hidden)]
pub use self::gate::{Allowance, Checks, Declared, Gate};
pub use self::gate::{Hold, Single};
pub use self::graph::{Allowed, Edge, Graph, Node, StateDef, StepKind};
pub use self::handler::{
    OfCancellation, OfFailure, on_any_cancel, on_any_failure, on_cancel, on_failure,
};
pub use self::input::{Direct, Input};
pub use self::pace::{RateLimit, Throttle};
pub use self::passage::Passage;
pub use self::priority::{Priority, Seconds, seconds};
pub use self::schedule::{CatchUp, Cron, Due, Tick};
pub use self::single::{Idempotency, Singleton};
pub use self::system::{EventBlocked, RunCancelled, RunCompleted, RunFailed};
#[doc(hidden)]
pub use self::system::{
    EventBlockedFields, RunCancelledFields, RunCompletedFields, RunFailedFields, SYSTEM_EVENTS,
    is_system_event,
};
pub use self::trigger::listed;
pub use self::trigger::{Cause, Form, Trigger, TriggerData};
pub(crate) use self::trigger::{misfit, unnamed};
use crate::payload::Outcome;

/// A workflow, made with `#[workflow]`.
///
/// The attribute turns the function into a type of the same name, as in `TestRun<on_ticket_created>`. The
/// name is also a value, with which you start the workflow: see [`WorkflowFn`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "a workflow is expected here",
    note = "write `#[workflow]` above the async function and give its name"
)]
#[doc(alias("orchestration", "durable function"))]
pub trait Workflow: Send + Sync + 'static {
    /// What starts it: the type of the function's first parameter.
    type Input: Input;
    /// What the function returns in its `Ok`.
    type Output: Outcome;
    /// Its states, a variant for each step.
    type State: State;
    /// Its name in the store. Do not change it while runs of the workflow exist.
    const ID: &'static str;
    /// The path of the function, for messages.
    #[doc(hidden)]
    const PATH: &'static str;
    /// The events or the schedule that start it.
    const TRIGGERS: &'static [Trigger] = <Self::Input as Input>::TRIGGERS;
    /// Its configuration.
    const CONFIG: Config = Config::DEFAULT;
    /// Its states and how they follow one another.
    const GRAPH: Graph;
    /// The events that it waits for, and by which of their fields.
    #[doc(hidden)]
    const WAITS: &'static [Awaits] = &[];
    /// The events that cancel its runs.
    #[doc(hidden)]
    const CANCELS: &'static [CancelOn] = &[];
}

/// A workflow by its name: `runtime.start(on_ticket_created, ..)`.
///
/// The name stands for a function that nobody calls. So a variable may have the same name, as it may have the
/// name of any function. [`Client::start_all`](../struct.Client.html#method.start_all) shows how your own
/// function can take a workflow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "a workflow is expected here",
    note = "write `#[workflow]` above the async function and pass its name without calling it"
)]
pub trait WorkflowFn<W>: Copy + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<F, W> WorkflowFn<W> for F
where
    F: Fn() -> Called<W> + Copy + Send + Sync + 'static,
    W: Workflow,
{
}

/// Never holds. If a trait has one implementation, rustc says which of its bounds does not hold; if it
/// has two, that there is none of the trait, which it says in the words above.
#[doc(hidden)]
#[diagnostic::do_not_recommend]
impl<F: Nothing> WorkflowFn<()> for F {}

/// The type of a workflow's call. Nobody can call a workflow; start it instead: see [`WorkflowFn`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Called<W>(PhantomData<W>);

impl<W> Called<W> {
    /// The one of its type.
    pub const fn of() -> Self {
        Self(PhantomData)
    }
}

#[doc(hidden)]
pub trait Nothing: Copy + Send + Sync + 'static {}

/// What a workflow waits for.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// An event.
    Event {
        /// Its name.
        event: &'static str,
        /// The fields that `.matching(..)` compares, by their names in JSON.
        fields: &'static [&'static str],
    },
    /// Whatever a helper waits for.
    Helper(&'static [Awaits]),
}

impl Awaits {
    /// Visits each event that is waited for, through all helpers.
    pub fn each(
        waits: &'static [Self],
        visit: &mut dyn FnMut(&'static str, &'static [&'static str]),
    ) {
        for wait in waits {
            match *wait {
                Self::Event { event, fields } => visit(event, fields),
                Self::Helper(waits) => Self::each(waits, visit),
            }
        }
    }
}

/// The states of one workflow: an enum with a variant for each of its steps.
#[diagnostic::on_unimplemented(
    message = "this step is not part of a workflow",
    label = "not compiled by `#[workflow]` or `#[durable]`",
    note = "steps work only in a function with `#[workflow]` or `#[durable]`, through that function's own parameter `step`: a resumed run finds a step by a state that the attribute makes of its id",
    note = "a function that is called from a workflow and has steps of its own needs `#[durable]`"
)]
pub trait State: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// Every state, in the order of the source.
    const ALL: &'static [Self];

    /// `T` itself. What a step takes beside its state and what it gives are named through the state, so
    /// that rustc says of a step without one that alone.
    type Of<T>: From<T> + Into<T>;

    /// The step's id, as written.
    fn id(self) -> &'static str;
}

/// Defines the enum of a workflow's states. A doc on each variant would cost rustc more than all else
/// about it, and a `derive` twice as much as what is written out here.
#[doc(hidden)]
#[macro_export]
macro_rules! __states {
    ($(#[$docs:meta])* $visibility:vis enum $name:ident { $($variant:ident = $id:literal),* }) => {
        $(#[$docs])*
        #[allow(missing_docs, non_camel_case_types)]
        $visibility enum $name { $($variant),* }

        impl $crate::__private::Clone for $name {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl $crate::__private::Copy for $name {}

        impl $crate::__private::fmt::Debug for $name {
            fn fmt(
                &self,
                f: &mut $crate::__private::fmt::Formatter<'_>,
            ) -> $crate::__private::fmt::Result {
                f.write_str($crate::__private::State::id(*self))
            }
        }

        impl $crate::__private::PartialEq for $name {
            fn eq(&self, other: &Self) -> $crate::__private::bool {
                $crate::__private::discriminant(self) == $crate::__private::discriminant(other)
            }
        }

        impl $crate::__private::Eq for $name {}

        impl $crate::__private::Hash for $name {
            fn hash<H: $crate::__private::Hasher>(&self, hasher: &mut H) {
                $crate::__private::discriminant(self).hash(hasher);
            }
        }

        #[diagnostic::do_not_recommend]
        impl $crate::__private::State for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];
            type Of<T> = T;

            fn id(self) -> &'static $crate::__private::str {
                match self { $(Self::$variant => $id),* }
            }
        }

        impl $crate::__private::fmt::Display for $name {
            fn fmt(
                &self,
                f: &mut $crate::__private::fmt::Formatter<'_>,
            ) -> $crate::__private::fmt::Result {
                f.pad($crate::__private::State::id(*self))
            }
        }

        impl $crate::__private::FromStr for $name {
            type Err = $crate::__private::UnknownState;

            fn from_str(
                id: &$crate::__private::str,
            ) -> $crate::__private::Result<Self, Self::Err> {
                $crate::__private::UnknownState::or_find(id)
            }
        }

        impl $crate::__private::Serialize for $name {
            fn serialize<S: $crate::__private::Serializer>(
                &self,
                serializer: S,
            ) -> $crate::__private::Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::__private::State::id(*self))
            }
        }

        impl<'de> $crate::__private::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::Deserializer<'de>>(
                deserializer: D,
            ) -> $crate::__private::Result<Self, D::Error> {
                $crate::__private::deserialize_state(deserializer)
            }
        }
    };
}

/// No state of the workflow has this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no state has the id `{0}`")]
pub struct UnknownState(String);

impl UnknownState {
    /// The state with the id.
    #[doc(hidden)]
    pub fn or_find<S: State>(id: &str) -> Result<S, Self> {
        S::ALL.iter().copied().find(|state| state.id() == id).ok_or_else(|| Self(id.to_owned()))
    }
}
