//! What the macros write calls to. Not for direct use, and free to change in any release.

pub use std::{
    clone::Clone,
    cmp::{Eq, PartialEq},
    concat, fmt,
    future::{Future, IntoFuture},
    hash::{Hash, Hasher},
    iter::{IntoIterator, Iterator},
    marker::{Copy, Send},
    mem::discriminant,
    module_path,
    option::Option,
    primitive::{bool, str, usize},
    result::Result,
    str::FromStr,
    stringify,
    time::Duration,
    vec,
    vec::Vec,
};

pub use schemars::Schema;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use serde_json::to_value;
pub use serde_json::value::Serializer as ValueSerializer;

pub use crate::__input_schema as input_schema;
pub use crate::__named as named;
pub use crate::__states as states;
pub use crate::__undo as undo;
pub use crate::app::{App, Declared};
pub use crate::event::{Event, EventDef, EventField};
pub use crate::payload::Undecodable;
pub use crate::payload::{EncodeError, Payload};
pub use crate::step::{
    Body, BodyFuture, Branch, Call, Caught, Context, Definition, Dropped, Durable, DurableFn,
    Failure, FromContext, NoUndo, Ordered, Passes, Race2, Race3, Race4, Race5, Race6, Race7, Race8,
    Requirement, Returns, Undo, UndoOf, Undoes, begin, caught, join, race, refused, seen, try_join,
};
use crate::text;
pub use crate::workflow::fits::*;
pub use crate::workflow::{
    Allowed, Awaits, Backoff, Batch, Batched, Called, CancelOn, CatchUp, Cause, Concurrency,
    Config, Cron, Debounce, Direct, Dst, Filter, Flow, Form, Graph, Handlers, Hold, Idempotency,
    Input, Key, OnChange, Priority, RateLimit, Scope, Single, Singleton, State, Subject, Throttle,
    Trigger, TriggerData, UnknownState, Workflow, WorkflowFn, compared, key_text, on_any_cancel,
    on_any_failure, on_cancel, on_failure, read, read_input, seconds,
};
use crate::workflow::{misfit, unnamed};

/// Turns an operation into the future that the body awaits.
///
/// What the future gives is known from [`IntoFuture`] alone, so that rustc, having said that something
/// is not durable, can go on with the rest of the body.
pub fn durable<D: Durable>(operation: D) -> D::IntoFuture {
    operation.into_future()
}

/// How a parameter after the first is made. It is the one place that asks for [`FromContext`], so
/// that rustc says once if the type is not.
pub struct Parameter<T> {
    requirement: fn() -> Option<Requirement>,
    make: fn(&Context) -> T,
}

/// How a parameter of this type is made.
pub fn parameter<T: FromContext>() -> Parameter<T> {
    Parameter { requirement: T::requirement, make: T::from_context }
}

impl<T> Parameter<T> {
    /// What has to be lent for it.
    pub fn requirement(&self) -> Option<Requirement> {
        (self.requirement)()
    }

    /// The parameter of one run.
    pub fn make(&self, context: &Context) -> T {
        (self.make)(context)
    }
}

/// The input of a workflow that is only started directly, asked for its schema where its type is
/// known: the method that stands on the type itself is there only if the input has one, and goes
/// before that of [`WithoutSchema`].
pub struct InputOf<W: Workflow>(std::marker::PhantomData<W::Input>);

impl<W: Workflow> InputOf<W> {
    /// Nothing but its type.
    pub const NEW: Self = Self(std::marker::PhantomData);
}

impl<T, W> InputOf<W>
where
    T: schemars::JsonSchema,
    W: Workflow<Input = Direct<T>>,
    Direct<T>: Input,
{
    /// The input's schema.
    pub fn schema(&self) -> Option<Schema> {
        Some(schemars::schema_for!(T))
    }
}

/// See [`InputOf`].
pub trait WithoutSchema {
    /// There is none.
    fn schema(&self) -> Option<Schema> {
        None
    }
}

impl<W: Workflow> WithoutSchema for InputOf<W> {}

/// What is known of a helper before any run, through the type beside it; of another type,
/// [`NoHelper`] says that there is nothing.
pub struct Known<H>(std::marker::PhantomData<H>);

impl<H: DurableFn> Known<H> {
    /// Its states.
    pub const GRAPH: &'static Graph = &H::GRAPH;
    /// What it waits for.
    pub const WAITS: &'static [Awaits] = H::WAITS;
    /// What undoes its steps.
    pub const UNDOS: &'static [Undo] = H::UNDOS;
}

/// See [`Known`].
pub trait NoHelper {
    /// None.
    const GRAPH: &'static Graph = &Graph::EMPTY;
    /// Nothing.
    const WAITS: &'static [Awaits] = &[];
    /// Nothing.
    const UNDOS: &'static [Undo] = &[];
}

impl<H> NoHelper for Known<H> {}

/// What a [`Workflow`] says of its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __named {
    ($name:ident = $id:expr) => {
        const ID: &'static $crate::__private::str = $id;
        const PATH: &'static $crate::__private::str = $crate::__private::concat!(
            $crate::__private::module_path!(),
            "::",
            $crate::__private::stringify!($name)
        );
    };
}

/// What undoes a step: see [`UndoOf`].
#[doc(hidden)]
#[macro_export]
macro_rules! __undo {
    ($id:expr, $function:expr) => {
        $crate::__private::Undo::Step {
            id: $id,
            requirements: || {
                #[allow(unused_imports)]
                use $crate::__private::{NoUndo as _, Undoes as _};
                $crate::__private::UndoOf($function).requirements()
            },
            begin: |context, output| {
                #[allow(unused_imports)]
                use $crate::__private::{NoUndo as _, Undoes as _};
                $crate::__private::UndoOf($function).begin(context, output)
            },
        }
    };
}

/// What a [`Body`] says of its input that is no event.
#[doc(hidden)]
#[macro_export]
macro_rules! __input_schema {
    () => {
        fn input_schema() -> $crate::__private::Option<$crate::__private::Schema> {
            #[allow(unused_imports)]
            use $crate::__private::WithoutSchema as _;
            $crate::__private::InputOf::<Self>::NEW.schema()
        }
    };
}

/// The trigger that has started a run, of several: its name, and its data without it.
pub fn trigger(data: &TriggerData) -> Result<(String, TriggerData), Undecodable> {
    unnamed(data)
}

/// No variant holds a trigger of this name.
pub fn no_trigger<T>(name: &str, known: &[Trigger]) -> Result<T, Undecodable> {
    let known: Vec<_> = known.iter().map(Trigger::name).collect();
    Err(misfit(format!("`{name}` is none of the triggers `{}`", known.join("`, `"))))
}

/// No variant before the one at `index` has its trigger.
#[track_caller]
pub const fn trigger_is_unique(triggers: &[Trigger], index: usize) {
    let mut before = 0;
    while before < index {
        let name = triggers[index].name();
        if text::same(triggers[before].name(), name) {
            text::Message::EMPTY
                .push("two variants hold `")
                .push(name)
                .push("`; its name would not tell which of them it becomes")
                .panic();
        }
        before += 1;
    }
}

/// The requirements of all parameters.
pub fn requirements<const N: usize>(found: [Option<Requirement>; N]) -> Vec<Requirement> {
    found.into_iter().flatten().collect()
}

/// What a workflow is without its types. It takes the workflow as a value, so that a function that
/// is none is called none.
pub const fn definition<W: Body>(_: impl WorkflowFn<W>) -> Definition {
    Definition::of::<W>()
}

/// Stands in the place of an undo that was refused.
pub async fn refused_undo<T>(_: T) -> Result<(), Failure> {
    refused()
}

/// Stands around what a step was refused to do, so that nothing else is said about it.
pub fn once<Fut>(attempt: impl FnOnce() -> Fut) -> impl FnMut() -> Fut {
    let mut attempt = Some(attempt);
    move || (attempt.take().expect("a program with a refused step does not compile"))()
}

/// As [`once`], around a future that was refused to stand in a step.
pub fn does<Fut>(attempt: Fut) -> impl FnMut() -> Fut {
    once(move || attempt)
}

/// As [`once`], around what a step would give.
pub fn gives<T>(output: T) -> impl FnMut() -> std::future::Ready<Result<T, Failure>> {
    does(std::future::ready(Ok(output)))
}

/// As [`once`], around what a transaction was refused to do.
pub fn once_with<Tx, Fut>(work: impl FnOnce(Tx) -> Fut) -> impl FnMut(Tx) -> Fut {
    let mut work = Some(work);
    move |tx| (work.take().expect("a program with a refused step does not compile"))(tx)
}

/// A field's value as it is matched on; one that has no form in JSON counts as `null`, like one that
/// is not there.
pub fn written(value: serde_json::Result<serde_json::Value>) -> serde_json::Value {
    value.unwrap_or_default()
}

/// The name of an event, asked for where nothing is to be said of a type that is none: the constant
/// that stands on the type itself is there only if it is an event, and goes before that of
/// [`NameOfNoEvent`].
pub struct NameOf<E>(std::marker::PhantomData<E>);

impl<E: Event> NameOf<E> {
    /// The event's name.
    pub const NAME: &'static str = E::NAME;
}

/// See [`NameOf`].
pub trait NameOfNoEvent {
    /// There is none.
    const NAME: &'static str = "";
}

impl<E> NameOfNoEvent for NameOf<E> {}

/// Stands where an event's type was refused, so that nothing else is said about it.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoEvent;

impl Event for NoEvent {
    const NAME: &'static str = "";
    const TYPE: &'static str = "";
    type Fields = ();
    const FIELDS: () = ();
}

/// Reads a state by its id.
pub fn deserialize_state<'de, S: State, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<S, D::Error> {
    let id = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    UnknownState::or_find(&id).map_err(serde::de::Error::custom)
}

/// Stands where a step's id was refused, so that nothing else is said about the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoState;

impl NoState {
    /// Takes what was written there, so that it counts as used.
    pub fn in_place_of<T: ?Sized>(_: &T) -> Self {
        Self
    }
}

impl State for NoState {
    const ALL: &'static [Self] = &[];
    type Of<T> = T;

    fn id(self) -> &'static str {
        ""
    }
}
