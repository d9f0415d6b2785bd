use std::collections::BTreeMap;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::id::RunId;

bitflags! {
    /// Kinds of work. For each kind there is a service that acts on it.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub(crate) struct Work: u16 {
        /// Runs can be claimed.
        const READY = 1;
        /// Events wait to be routed.
        const DELIVERIES = 1 << 1;
        /// Runs were told something that may be driven at this moment.
        const MESSAGES = 1 << 2;
        /// A workflow was paused or resumed.
        const PAUSES = 1 << 3;
        /// A timer was set. Whoever has set it looks after it.
        const TIMERS = 1 << 4;
        /// A batch was begun. Whoever has begun it looks after it.
        const BATCHES = 1 << 5;
        /// A worker is gone that looked after timers and batches.
        const GONE = 1 << 6;
        /// Runs may pass their gates: they have come there, or slots are free.
        const GATES = 1 << 7;
        /// An event is kept until it is due. On Postgres the function `indelible.send` says so, too.
        const LATER = 1 << 8;
        /// Runs wait for a program that says what they have to pass.
        const UNSETTLED = 1 << 9;

        /// What a worker looks after that others know nothing of.
        const LOOKED_AFTER = Self::TIMERS.bits() | Self::BATCHES.bits() | Self::DELIVERIES.bits();
        /// What other processes are told of.
        const TOLD = Self::READY.bits() | Self::DELIVERIES.bits() | Self::MESSAGES.bits()
            | Self::PAUSES.bits() | Self::GONE.bits() | Self::GATES.bits()
            | Self::UNSETTLED.bits() | Self::LATER.bits();
    }
}

impl Serialize for Work {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.bits().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Kinds that only a newer program knows are left out.
        u16::deserialize(deserializer).map(Self::from_bits_truncate)
    }
}

/// What a commit has made for others to do. Nothing can be committed without saying it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[must_use = "those who have to act on it wait for their next poll"]
pub(crate) struct Stirred {
    /// By app.
    pub(super) apps: BTreeMap<String, Work>,
    /// Runs that are over.
    pub(super) ended: Vec<RunId>,
}

impl Stirred {
    /// Nobody has to act on the commit.
    pub(in crate::store) fn nothing() -> Self {
        Self::default()
    }

    /// There is such work for an app.
    pub(in crate::store) fn of(app: &str, work: Work) -> Self {
        let mut stirred = Self::nothing();
        stirred.add(app, work);
        stirred
    }

    /// There is such work, and it is no app's own; or each process sees for itself what others have
    /// committed.
    pub(in crate::store) fn here(work: Work) -> Self {
        Self::of("", work)
    }

    /// This, if something was done at all.
    pub(in crate::store) fn if_any(self, done: u64) -> Self {
        if done > 0 { self } else { Self::nothing() }
    }

    /// There is such work for each of these apps.
    pub(in crate::store) fn each<'a>(
        apps: impl IntoIterator<Item = &'a String>,
        work: Work,
    ) -> Self {
        let mut stirred = Self::nothing();
        apps.into_iter().for_each(|app| stirred.add(app, work));
        stirred
    }

    pub(in crate::store) fn add(&mut self, app: &str, work: Work) {
        if work.is_empty() {
            return;
        }
        match self.apps.get_mut(app) {
            Some(known) => *known |= work,
            None => drop(self.apps.insert(app.to_owned(), work)),
        }
    }

    /// This as well.
    pub(in crate::store) fn and(mut self, other: Self) -> Self {
        other.apps.iter().for_each(|(app, work)| self.add(app, *work));
        self.ended.extend(other.ended);
        self
    }

    /// Some runs are over.
    pub(in crate::store) fn ended(mut self, runs: impl IntoIterator<Item = RunId>) -> Self {
        self.ended.extend(runs);
        self
    }

    /// All kinds of work that there are, whosever they are.
    pub(in crate::store) fn work(&self) -> Work {
        self.apps.values().fold(Work::empty(), |all, work| all | *work)
    }
}
