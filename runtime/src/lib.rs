//! Durable workflows for Rust. *If it compiles, it resumes.*

#![deny(missing_docs)]

// What the macros write names the crate by its path from outside.
#[allow(unused_extern_crates, reason = "only the macros' output speaks of it, and only in tests")]
extern crate self as indelible;

mod app;
#[cfg(feature = "cli")]
pub mod cli;
mod client;
mod deploy;
mod error;
mod error_record;
pub mod event;
mod flow;
mod given;
mod id;
pub mod journal;
mod key;
mod machine;
mod panic;
mod payload;
mod program;
mod runtime;
#[cfg(test)]
mod simulation;
pub mod step;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod worker;
pub mod workflow;

/// What a program that defines and runs workflows needs in scope: `use indelible::prelude::*;`.
pub mod prelude {
    pub use jiff::Timestamp;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use uuid::Uuid;

    pub use crate::event::{Event, EventId, Received};
    pub use crate::journal::RunId;
    pub use crate::step::{Failure, Permanent, Resource, RetryAfter, Step, StepError};
    pub use crate::workflow::{RunCancelled, RunFailed, Tick, Workflow};
    pub use crate::{RunHandle, RunStatus, Runtime};
    pub use indelible_macros::{Event, Triggers, durable, workflow};
}

pub use indelible_macros::{Event, Triggers, app, durable, workflow};

/// Runs two to eight operations side by side until the first one ends, and then runs that one's branch.
///
/// The journal records the winner, so a resumed run takes the same branch again. The other operations
/// are dropped before the branch begins, with their waits and timers. `?`, `break` and `return` work in
/// the branches. In a workflow the macro needs no import.
///
/// ```
/// use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/placed")]
/// # struct Placed { order: u32 }
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/paid")]
/// # struct Paid { order: u32, cents: u64 }
/// # async fn remind(order: u32) -> Result<(), Failure> { Ok(()) }
/// #[workflow]
/// async fn on_placed(event: Placed, step: Step) -> Result<Option<u64>, Failure> {
///     let payment = step.wait_for_event::<Paid>("await-payment").matching(order = event.order);
///     race! {
///         paid = payment => Ok(paid.map(|paid| paid.data.cents)),
///         () = step.sleep("be-patient", "2 days") => {
///             step.run("remind", remind(event.order)).await?;
///             Ok(None)
///         }
///     }
/// }
///
/// let edges = on_placed::GRAPH.edges();
/// assert!(edges.iter().any(|edge| edge.condition == "first"));
/// ```
#[macro_export]
macro_rules! race {
    ($($branches:tt)*) => {
        ::core::compile_error!(
            "`race!` awaits steps, so it stands in a function under `#[workflow]` or `#[durable]`"
        )
    };
}

pub use self::app::App;
pub use self::client::{Client, Replaying, RunHandle, Sending, StateSpan, Timeline};
pub use self::error::{Error, Result};
pub use self::given::TextError;
pub use self::payload::{EncodeError, Payload};
pub use self::runtime::{Runtime, RuntimeBuilder};
pub use self::step::Tx;
pub use self::store::{
    Intervention, OpenError, Paused, RunCount, RunQuery, RunRecord, RunStatus, StoreError,
    StrandedRuns, Verb,
};
pub use self::workflow::{Workflow, WorkflowFn};

#[doc(hidden)]
pub mod __private;

/// The examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
