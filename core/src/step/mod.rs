//! The operations of a workflow's body, as durable futures, and below them what they have in common
//! with the machine. Nothing here reads a clock, spawns a task or knows a store.

mod body;
mod call;
mod carried;
mod context;
mod durable;
mod error;
mod held;
mod invoke;
mod join;
mod join_all;
mod operations;
mod path;
mod probes;
mod race;
mod restart;
mod run;
mod send;
mod sleep;
mod transaction;
mod undo;
mod undoing;
mod wait;

use jiff::Timestamp;
use uuid::Uuid;

pub use self::body::{Body, BodyFuture, Definition, Returns, begin};
pub use self::call::{Call, DurableFn, Seen, seen};
pub use self::carried::Carried;
pub use self::context::{Context, FromContext, Requirement, Resource, Resources};
pub use self::durable::{Branch, Durable, StepFuture};
pub use self::error::{BoxError, Caught, Failure, Permanent, RetryAfter, StepError, caught};
pub use self::probes::{Dropped, Ordered, Passes};
pub use self::run::Run;
pub use self::send::{SendEvent, SentIds};
pub use self::sleep::Sleep;
pub use self::transaction::Handle;
pub use self::undo::{
    BeginUndo, Lent, NoUndo, UndecodableOutput, Undo, UndoAttempt, UndoFn, UndoOf, Undoes, refused,
};
pub use crate::payload::Outcome;

pub use self::invoke::Invoke;
pub use self::join::{join, try_join};
pub use self::join_all::{JoinAll, JoinAllFuture};
pub use self::race::{Race2, Race3, Race4, Race5, Race6, Race7, Race8, race};
pub use self::wait::WaitForEvent;

pub(crate) use self::operations::{
    Again, Expected, Found, HandedIn, Keys, Nondeterminism, Operations, Shared, Terms, Trail,
};
pub use self::operations::{Connection, Database, Fault, Lending, Limits, Open, Rollback};
pub(crate) use self::undoing::{UndoingFuture, undoing};

use self::operations::unit_interval;
use self::path::Path;
use crate::given::{LONGEST_ATTRIBUTE, LONGEST_KEY, must_be_fit};
use crate::trace::TraceContext;
use crate::workflow::State;

/// The handle with which a workflow's body runs its steps: the parameter `step: Step`.
///
/// Its methods take the step's id as a string literal. `#[workflow]` checks the id, and replaces it with
/// the state of that name.
#[doc(alias("activity", "task"))]
#[derive(Clone)]
pub struct Step {
    operations: Shared,
    path: Path,
    trace: Option<TraceContext>,
}

impl Step {
    /// The current time of the run, the same on every resume.
    ///
    /// It is the time at which the last outcome that the body got was committed, by the database's clock.
    /// Before the first outcome it is the time at which the run's trigger was accepted.
    pub fn now(&self) -> Timestamp {
        self.operations.lock().clock.seen()
    }

    /// Tags the run, so that you can search for it with
    /// [`RunQuery::attribute`](../struct.RunQuery.html#structfield.attribute).
    ///
    /// Each key has one value: a later call with the same key replaces it. The attribute is written with
    /// the run's next checkpoint. A fork or a replay of the run has it, too.
    ///
    /// # Panics
    ///
    /// If the key is longer than 128 bytes, the value's text is longer than 1 KiB, or one of them has a NUL
    /// character (U+0000). The panic fails the run.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # async fn book(order: u32) -> Result<(), Failure> { Ok(()) }
    /// #[workflow(input)]
    /// async fn ship(order: u32, step: Step) -> Result<(), Failure> {
    ///     step.attribute("order", order);
    ///     step.run("book", book(order)).await?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias("search attribute", "tag", "label"))]
    #[track_caller]
    pub fn attribute(&self, key: &str, value: impl std::fmt::Display) {
        must_be_fit(key, LONGEST_ATTRIBUTE, format_args!("the key of an attribute"));
        let value = value.to_string();
        must_be_fit(&value, LONGEST_KEY, format_args!("the attribute `{key}`"));
        self.operations.lock().outbox.set_attribute(key.to_owned(), value);
    }

    /// A UUID (version 5) that is the same on every resume and in every attempt of later steps.
    ///
    /// It is derived from the run's seed and the place of this call, so it differs between runs, and between
    /// occurrences in one run. Use it as an idempotency key for the outside world.
    pub fn uuid<S: State>(&self, state: S) -> Uuid {
        self.operations.lock().keys.derive(&self.path.get(), state.id())
    }

    /// A number in `0.0..1.0` that is the same on every resume. It is derived from the run's seed and the
    /// place of this call.
    pub fn random<S: State>(&self, state: S) -> f64 {
        unit_interval(self.uuid(state))
    }

    /// The trace that the run belongs to, the same on every resume: that of the event that started it, or the one
    /// that it was started with. Pass it on in the headers `traceparent` and `tracestate` of your requests.
    ///
    /// Runs that this one invokes and events that it sends belong to the same trace.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// # use indelible::prelude::*;
    /// # async fn book(order: u32, traceparent: Option<&str>) -> Result<(), Failure> { Ok(()) }
    /// #[workflow(input)]
    /// async fn ship(order: u32, step: Step) -> Result<(), Failure> {
    ///     let traceparent = step.trace_context().map(|trace| trace.traceparent());
    ///     step.run("book", book(order, traceparent)).await?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias("traceparent", "tracestate"))]
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }
}

#[diagnostic::do_not_recommend]
impl FromContext for Step {
    fn from_context(context: &Context) -> Self {
        let (operations, trace) = (context.operations.clone(), context.trigger.trace.clone());
        Self { operations, path: Path::root(), trace }
    }
}
