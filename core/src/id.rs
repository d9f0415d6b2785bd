//! Ids: each is a UUID that is ordered by time.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes a newtype over a time-ordered UUID.
macro_rules! id {
    ($(#[$doc:meta])* $visibility:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        $visibility struct $name(Uuid);

        impl $name {
            /// A new id, ordered by time (UUIDv7).
            #[allow(clippy::new_without_default, reason = "an id has no default")]
            $visibility fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a UUID.
            $visibility fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// Names one accepted event.
    pub EventId
}

id! {
    /// Names one message to a run.
    pub MessageId
}

id! {
    /// Names one run of a workflow.
    pub RunId
}

id! {
    /// Names one life of a worker: a process that starts again has a new one.
    pub WorkerId
}
