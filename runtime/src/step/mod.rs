//! The operations of a workflow's body, as durable futures, and the table through which they speak
//! with the machine. Nothing here reads a clock, spawns a task or knows a store.

mod call;
mod carried;
mod context;
mod durable;
mod error;
mod invoke;
mod join;
mod join_all;
mod operations;
mod panic;
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

pub use self::call::{Call, DurableFn};
pub use self::carried::{Carried, CarriedFuture};
pub use self::context::{
    Body, BodyFuture, Context, FromContext, Requirement, Resource, Resources, Returns, begin,
};
pub use self::durable::{Awaited, Branch, Durable};
pub use self::error::{BoxError, Failure, Permanent, RetryAfter, StepError};
pub use self::run::{Run, RunFuture};
pub use self::send::{SendEvent, SendEventFuture, SentIds};
pub use self::sleep::{Sleep, SleepFuture};
pub use self::transaction::Tx;
pub use self::undo::{
    BeginUndo, Lent, UndecodableOutput, Undo, UndoAttempt, UndoFn, undo, undo_requirements,
};
pub use crate::payload::Outcome;

pub use self::context::Definition;
pub use self::invoke::{Invoke, InvokeFuture};
pub use self::join::{join, try_join};
pub use self::join_all::{JoinAll, JoinAllFuture};
pub use self::race::{Race2, Race3, Race4, Race5, Race6, Race7, Race8, race};
pub use self::wait::{WaitForEvent, WaitForEventFuture};

pub(crate) use self::call::Path;
pub(crate) use self::operations::{
    Again, Fault, HandedIn, Keys, Limits, Mismatch, Operations, Shared,
};
pub(crate) use self::panic::catch as catch_panic;
pub(crate) use self::transaction::{Connection, Database, Open, Rollback, conflicts};
pub(crate) use self::undoing::{UndoingFuture, undoing};

use crate::workflow::State;

/// The handle through which a workflow's body performs its steps: the parameter `step: Step`.
///
/// Its methods take the step's id as a string literal in the source; `#[workflow]` checks it and
/// puts the state in its place.
#[derive(Clone)]
pub struct Step {
    operations: Shared,
    path: Path,
}

impl Step {
    pub(crate) fn new(operations: Shared) -> Self {
        Self { operations, path: Path::root() }
    }

    /// The commit time of the outcome that the body saw last, by the database's clock; before any,
    /// the time at which the run was accepted. The same on every resume.
    pub fn now(&self) -> Timestamp {
        self.operations.lock().keys.now()
    }

    /// A UUID (version 5) derived from the run's seed and this step's place: different for each run
    /// and each occurrence, the same on every resume and every retry of a later step.
    ///
    /// It is what to hand to the outside world as an idempotency key.
    pub fn uuid<S: State>(&self, state: S) -> Uuid {
        self.operations.lock().keys.derive(&self.path.get(), state.id())
    }

    /// A number in `0.0..1.0` derived from the run's seed and this step's place: the same on every
    /// resume.
    pub fn random<S: State>(&self, state: S) -> f64 {
        unit_interval(self.uuid(state))
    }
}

/// Maps a hash to `0.0..1.0`: the 53 bits that a double can hold.
pub(crate) fn unit_interval(hash: Uuid) -> f64 {
    // The low half of a UUID holds two fixed bits at its top; the rest is hash.
    (hash.as_u64_pair().1 & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
}
