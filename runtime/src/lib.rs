//! Durable workflows for Rust. *If it compiles, it resumes.*

#![deny(missing_docs)]

// What the macros write names the crate by its path from outside.
#[allow(unused_extern_crates, reason = "only the macros' output speaks of it, and only in tests")]
extern crate self as indelible;

mod app;
mod client;
mod error;
pub mod event;
mod id;
pub mod journal;
mod machine;
mod payload;
mod program;
mod runtime;
pub mod step;
mod store;
mod worker;
pub mod workflow;

/// What a program that defines and runs workflows wants in scope.
pub mod prelude {
    pub use jiff::Timestamp;
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use uuid::Uuid;

    pub use crate::event::{Event, EventId, Received};
    pub use crate::journal::RunId;
    pub use crate::step::{Failure, Permanent, Resource, RetryAfter, Step, StepError};
    pub use crate::workflow::Workflow;
    pub use crate::{RunHandle, RunStatus, Runtime};
    pub use indelible_macros::{Event, workflow};
}

pub use indelible_macros::{Event, app, workflow};

pub use self::app::App;
pub use self::client::{Client, RunHandle, Send};
pub use self::error::{Error, Result};
pub use self::payload::{EncodeError, Payload};
pub use self::runtime::{Runtime, RuntimeBuilder};
pub use self::store::{OpenError, RunCount, RunQuery, RunRecord, RunStatus, StoreError};
pub use self::workflow::Workflow;

/// What the macros write calls to. Not for direct use, and free to change in any release.
#[doc(hidden)]
pub mod __private {
    pub use std::{
        clone::Clone,
        cmp::{Eq, PartialEq},
        concat, env, fmt,
        future::Future,
        marker::{Copy, Send},
        module_path,
        option::Option,
        result::Result,
        stringify,
        time::Duration,
        vec,
        vec::Vec,
    };

    pub use crate::app::App;
    pub use crate::event::{Event, EventDef};
    pub use crate::step::{
        Body, Branch, Context, Definition, Durable, Failure, FromContext, Requirement, Returns,
        join, try_join,
    };
    pub use crate::workflow::{
        Backoff, Config, Direct, Graph, Input, State, StateDef, StepKind, Workflow,
    };

    /// Turns an operation into the future that the body awaits.
    pub fn durable<D: Durable>(operation: D) -> D::Fut {
        operation.into_durable()
    }

    /// The requirement of one parameter type.
    pub fn requirement<T: FromContext>() -> Option<Requirement> {
        T::requirement()
    }

    /// The requirements of all parameters.
    pub fn requirements<const N: usize>(found: [Option<Requirement>; N]) -> Vec<Requirement> {
        found.into_iter().flatten().collect()
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

        fn id(self) -> &'static str {
            ""
        }
    }
}
