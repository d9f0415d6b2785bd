use std::sync::Arc;
use std::time::Duration;

use super::database::Database;
use crate::journal::StateKey;
use crate::workflow::Config;

/// The most that is stored of something.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// An event's data, in bytes.
    pub event: usize,
    /// A step's outcome or a run's output, in bytes.
    pub outcome: usize,
    /// The rows of a run's journal.
    pub rows: u32,
}

impl Limits {
    /// What holds if nobody says otherwise.
    pub const DEFAULT: Self = Self { event: 512 * 1024, outcome: 4 * 1024 * 1024, rows: 50_000 };
}

/// What the program sets for a run.
pub(crate) struct Terms {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    /// Whether it can undo a step.
    pub(crate) has_undo: Box<dyn Fn(&StateKey) -> bool + Send + Sync>,
    /// Where the steps' transactions begin.
    pub(crate) database: Option<Arc<dyn Database>>,
}

impl Terms {
    /// How long a transaction may take, where it keeps everybody else from writing.
    pub(crate) fn transaction_limit(&self) -> Option<Duration> {
        self.database.as_ref()?.limit()
    }
}
