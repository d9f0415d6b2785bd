use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Stirred, Work};
use crate::id::RunId;

/// How many ends one hint has at most: `NOTIFY` takes 8,000 bytes.
const MOST_ENDS: usize = 150;

/// What one process says to others.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct Hint {
    /// Who says it: nobody listens to itself.
    pub(in crate::store) by: Uuid,
    /// The app that has work; without one, the work is for whoever is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) app: Option<String>,
    #[serde(default, skip_serializing_if = "Work::is_empty")]
    pub(in crate::store) work: Work,
    /// Runs that are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) ended: Vec<RunId>,
    /// Somebody waits for the ends of runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) waits: bool,
    /// Whoever waits is to say so again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::store) asks: bool,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Hint {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

/// What other processes have not been told yet.
pub(super) struct Outgoing {
    by: Uuid,
    pending: Mutex<Pending>,
    /// There is something to say.
    pub(super) signal: Notify,
}

#[derive(Default)]
struct Pending {
    /// Whether anybody passes it on.
    is_carried: bool,
    work: BTreeMap<String, Work>,
    ended: Vec<RunId>,
    waits: bool,
    asks: bool,
    /// Until when others wait for ends.
    others_wait_until: Option<Instant>,
    /// Ends of the last moments: whoever begins to wait may have looked before they came.
    recent: VecDeque<(Instant, RunId)>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { by: Uuid::new_v4(), pending: Mutex::default(), signal: Notify::new() }
    }
}

impl Outgoing {
    /// How long it is remembered that others wait.
    const REMEMBERED: Duration = Duration::from_secs(10);
    /// How long an end may count as one of the last moments, and how many there may be.
    const RECENT: (Duration, usize) = (Duration::from_secs(1), 10_000);

    pub(super) fn push(&self, stirred: Stirred) {
        let mut pending = self.lock();
        if !pending.is_carried {
            return;
        }
        let mut is_news = false;
        for (app, work) in stirred.apps {
            let told = work & Work::TOLD;
            if !told.is_empty() {
                *pending.work.entry(app).or_default() |= told;
                is_news = true;
            }
        }
        if !stirred.ended.is_empty() {
            is_news |= pending.end(&stirred.ended);
        }
        drop(pending);
        if is_news {
            self.signal.notify_one();
        }
    }

    /// Somebody begins to wait for ends in this process.
    pub(super) fn say_that_we_wait(&self) {
        self.say(|pending| pending.waits = true);
    }

    /// Somebody in this process begins to listen, or has missed something: others are asked to say again
    /// whether they wait.
    pub(super) fn ask(&self) {
        self.say(|pending| pending.asks = true);
    }

    /// Others wait for ends; they are told of those of the last moments, too.
    pub(super) fn others_wait(&self) {
        self.say(|pending| {
            let now = Instant::now();
            if pending.others_wait_until.is_none_or(|until| until <= now) {
                let recent = pending.recent.iter().map(|(_, run)| *run);
                pending.ended.extend(recent);
            }
            pending.others_wait_until = Some(now + Self::REMEMBERED);
        });
    }

    /// From now on somebody passes on what is to be said.
    pub(super) fn carry(&self) {
        self.lock().is_carried = true;
    }

    /// Whether it was this process that said it.
    pub(super) fn is_own(&self, hint: &Hint) -> bool {
        hint.by == self.by
    }

    /// All that is to be said.
    pub(super) fn take(&self) -> Vec<Hint> {
        let mut pending = self.lock();
        let by = self.by;
        let hint = |app, work, ended| Hint { by, app, work, ended, waits: false, asks: false };
        let work = std::mem::take(&mut pending.work).into_iter();
        let mut hints: Vec<Hint> = work
            .map(|(app, work)| hint(Some(app).filter(|app| !app.is_empty()), work, Vec::new()))
            .collect();
        let ended = std::mem::take(&mut pending.ended);
        hints
            .extend(ended.chunks(MOST_ENDS).map(|ended| hint(None, Work::empty(), ended.to_vec())));
        let (waits, asks) = (std::mem::take(&mut pending.waits), std::mem::take(&mut pending.asks));
        if waits || asks {
            hints.push(Hint { waits, asks, ..hint(None, Work::empty(), Vec::new()) });
        }
        hints
    }

    fn say(&self, what: impl FnOnce(&mut Pending)) {
        let mut pending = self.lock();
        if pending.is_carried {
            what(&mut pending);
            drop(pending);
            self.signal.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Notes ends; whether anybody else is to be told.
    fn end(&mut self, runs: &[RunId]) -> bool {
        let now = Instant::now();
        let (age, most) = Outgoing::RECENT;
        self.recent.extend(runs.iter().map(|run| (now, *run)));
        while self.recent.len() > most
            || self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > age)
        {
            self.recent.pop_front();
        }
        let others_wait = self.others_wait_until.is_some_and(|until| now < until);
        if others_wait {
            self.ended.extend(runs);
        }
        others_wait
    }
}
