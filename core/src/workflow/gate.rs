//! What a run has to pass before it may begin: the limits of its workflow, each under one key.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// One key of a limit. Runs pass it in order of rank, as far as the limit allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The limit's name in its app: `on-ticket-created/concurrency`, or that of a shared scope.
    pub limit: String,
    /// What the limit counts apart, as JSON; empty if it has no key.
    pub key: String,
    /// The key's expression. What was counted under another expression does not count here; a shared
    /// scope has none.
    pub rule: &'static str,
    /// How long a run that has passed keeps others out.
    pub hold: Hold,
}

/// How long a run that has passed a gate holds its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Until it parks or ends. When it wakes it queues for a slot again.
    Active,
    /// Until it ends.
    Run,
    /// It holds none: passing is all that is counted, as by `throttle`.
    Pass,
}

/// What a limit allows, as the code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The limit's name in its app.
    pub limit: String,
    /// The allowance of each of its keys.
    pub allows: Allowance,
}

/// What one key of a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// So many runs hold a slot at the same time.
    Slots(u32),
    /// So many runs start in a time, evenly spread; `burst` more may start at once.
    Pace {
        /// How many.
        limit: u32,
        /// In which time.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        per: Duration,
        /// How many may start at once, besides.
        burst: u32,
    },
    /// So many events start a run in a window; the window begins with the first of them.
    Window {
        /// How many.
        limit: u32,
        /// How long a window lasts.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        per: Duration,
    },
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |per: &Duration| {
            let per = SignedDuration::try_from(*per).unwrap_or(SignedDuration::MAX);
            format!("{per:#}")
        };
        match self {
            Self::Slots(1) => f.write_str("1 run at a time"),
            Self::Slots(slots) => write!(f, "{slots} runs at a time"),
            Self::Pace { limit, per, burst: 0 } => write!(f, "{limit} starts in {}", time(per)),
            Self::Pace { limit, per, burst } => {
                write!(f, "{limit} starts in {}, and {burst} more at once", time(per))
            }
            Self::Window { limit, per } => write!(f, "{limit} events in {}", time(per)),
        }
    }
}

/// What is asked about an event before it starts a run. A run that is started directly is asked only
/// whether it is the `single` one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    /// Whether its key has started a run within this time.
    pub once: Option<(Gate, Duration)>,
    /// Whether the window of its key has room.
    pub rate: Option<Gate>,
    /// Whether its key has a run, and what becomes of it. The gate is among those of the run, too.
    pub single: Option<(Gate, Single)>,
}

/// What becomes of a second run of a key that allows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// It does not start.
    Skip,
    /// The first one is cancelled. The second one starts when that has ended.
    Cancel,
    /// It waits for the first one. If one waits already, that one is cancelled.
    Latest,
}

impl Checks {
    /// Whether there is nothing to be asked.
    pub fn are_none(&self) -> bool {
        self.once.is_none() && self.rate.is_none() && self.single.is_none()
    }
}

impl Gate {
    /// What names it in the tables of its app.
    pub fn id(&self, app: &str) -> Uuid {
        let Self { limit, key, rule, hold: _ } = self;
        // None of the first three has a NUL: they are names and source text.
        let text = format!("{app}\0{limit}\0{rule}\0{key}");
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
    }
}
