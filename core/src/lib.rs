//! The internals of [`indelible`](https://docs.rs/indelible): what a workflow is, what its steps do, and
//! the machine that runs it. **Depend on `indelible`**, which re-exports what you need. This crate makes
//! no promise of stability.
//!
//! Nothing here does I/O: no database, no clock, no task. The crate's dependencies hold that, because
//! none of them could.

#![deny(missing_docs)]

// What the macros write names the crate by its path from outside.
#[cfg(test)]
extern crate self as indelible;

pub mod app;
mod error_record;
pub mod event;
pub mod flow;
pub mod given;
pub mod id;
pub mod journal;
mod key;
pub mod machine;
pub mod panic;
pub mod payload;
pub mod step;
mod text;
pub mod trace;
pub mod workflow;

/// What the examples and the tests here need in scope, as those of `indelible` do.
#[doc(hidden)]
pub mod prelude {
    pub use jiff::Timestamp;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use uuid::Uuid;

    pub use crate::event::{Event, EventId, Received};
    pub use crate::journal::RunId;
    pub use crate::step::{Failure, Permanent, Resource, RetryAfter, Step, StepError};
    pub use crate::workflow::{
        EventBlocked, RunCancelled, RunCompleted, RunFailed, Tick, Workflow,
    };
    pub use indelible_macros::{Event, Triggers, durable, workflow};
}

#[doc(hidden)]
pub mod __private;
