//! Who is told of what a commit has made for others to do, so that nobody has to ask.
//!
//! Whatever commits says with [`Stirred`] what it has stirred. Within the process a signal wakes the
//! service that acts on it, at once. Other processes hear of it as their database allows: by `NOTIFY`
//! on Postgres, by noticing that the file changed on SQLite. A hint may be lost with the process that
//! owed it, so everybody also polls; what only a poll has found is counted.
//!
//! Ends of runs are told to those who wait for them. A process says to the others that it waits; while
//! nobody does, nobody is told.

mod awaited;
mod outgoing;
mod stirred;
mod waiting;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;
use tracing::warn;

pub(in crate::store) use self::awaited::Rounds;
pub(in crate::store) use self::outgoing::Hint;
use self::outgoing::Outgoing;
pub(crate) use self::stirred::{Stirred, Work};
pub(in crate::store) use self::waiting::REMIND;
use self::waiting::Waiting;
use crate::id::RunId;

/// How processes hear of what others commit.
#[async_trait]
pub(crate) trait Hearing: Send + Sync {
    /// Who is told of what is committed.
    fn hints(&self) -> &Arc<Hints>;

    /// Has [`hints`](Self::hints) hear what other processes commit for an app, from when this returns; if
    /// the database does not answer, from when it does. Ends that are waited for are asked for once
    /// each poll interval besides. It is begun once.
    async fn listen(&self, app: &str, poll: Duration);

    /// Tells others what they were not told yet, and closes its connections.
    async fn close(&self);
}

/// At most one line in the log for each so much time.
const QUIET: Duration = Duration::from_secs(60);

/// How the parts of one process wake one another, and what is to be said to other processes.
#[derive(Default)]
pub(crate) struct Hints {
    /// Runs may be ready.
    pub(crate) ready: Notify,
    /// Deliveries may be waiting.
    pub(crate) deliveries: Notify,
    /// Messages to runs that are being driven may have come.
    pub(crate) messages: Notify,
    /// A workflow may have been paused or resumed.
    pub(crate) pauses: Notify,
    /// A timer may be due earlier than was known.
    pub(crate) timers: Notify,
    /// A batch may be due earlier than was known.
    pub(crate) batches: Notify,
    /// Runs may pass their gates.
    pub(crate) gates: Notify,
    /// Runs may wait for what their program says of them.
    pub(crate) unsettled: Notify,
    /// A kept event may be due earlier than was known.
    pub(crate) later: Notify,
    /// Who waits here for the ends of runs.
    waiting: Waiting,
    /// What other processes are to be told.
    outgoing: Outgoing,
    /// How much was found by asking alone.
    polled: AtomicU64,
    /// Whether hints of other processes never come, so that asking is the way.
    hears_nobody: AtomicBool,
    warned: Mutex<Option<Instant>>,
}

impl Hints {
    /// Something is committed that has stirred this.
    pub(in crate::store) fn stir(&self, stirred: Stirred) {
        self.ring(stirred.work());
        self.waiting.ended(&stirred.ended);
        self.outgoing.push(stirred);
    }

    /// Wakes those in this process who act on such work.
    pub(in crate::store) fn ring(&self, work: Work) {
        let gone = if work.contains(Work::GONE) { Work::LOOKED_AFTER } else { Work::empty() };
        let rung = self.bells().into_iter().filter(|(kind, _)| (work | gone).intersects(*kind));
        rung.for_each(|(_, bell)| bell.notify_one());
    }

    /// What wakes whom.
    fn bells(&self) -> [(Work, &Notify); 9] {
        [
            (Work::READY, &self.ready),
            (Work::DELIVERIES, &self.deliveries),
            (Work::MESSAGES, &self.messages),
            (Work::PAUSES, &self.pauses),
            (Work::TIMERS, &self.timers),
            (Work::BATCHES, &self.batches),
            (Work::GATES, &self.gates),
            (Work::UNSETTLED, &self.unsettled),
            (Work::LATER, &self.later),
        ]
    }

    /// What was rung for since this was asked last.
    #[cfg(test)]
    pub(in crate::store) fn rung(&self) -> Work {
        use futures_util::FutureExt as _;

        let rung = self.bells().into_iter();
        let rung = rung.filter(|(_, bell)| bell.notified().now_or_never().is_some());
        rung.map(|(kind, _)| kind).collect()
    }

    /// Other processes cannot be heard: what only a poll finds is found as it has to be.
    pub(in crate::store) fn expect_none(&self) {
        self.hears_nobody.store(true, Ordering::Relaxed);
    }

    /// From now on [`to_say`](Self::to_say) is asked and its hints passed on.
    pub(in crate::store) fn carry(&self) {
        self.outgoing.carry();
    }

    /// Waits until other processes are to be told something.
    pub(in crate::store) async fn something_to_say(&self) {
        self.outgoing.signal.notified().await;
    }

    /// What other processes are to be told; it is theirs to know from then on.
    pub(in crate::store) fn to_say(&self) -> Vec<Hint> {
        self.outgoing.take()
    }

    /// Another process has said something; work counts if it is for this app, or for any.
    pub(in crate::store) fn hear(&self, hint: &Hint, app: &str) {
        if self.outgoing.is_own(hint) {
            return;
        }
        if hint.app.as_deref().is_none_or(|whose| whose == app) {
            self.ring(hint.work);
        }
        self.waiting.ended(&hint.ended);
        if hint.waits {
            self.outgoing.others_wait();
        }
        if hint.asks {
            self.waiting.forget_telling();
            self.remind();
        }
    }

    /// Listening begins, maybe again: anything may have been said before.
    pub(in crate::store) fn begin_to_hear(&self) {
        self.ring(Work::all());
        self.outgoing.ask();
        self.waiting.forget_telling();
        self.remind();
    }

    /// Nothing is heard any more: whoever waits for something asks and learns why.
    pub(in crate::store) fn fall_silent(&self) {
        self.ring(Work::all());
        self.waiting.ended(&self.awaited());
    }

    /// Tells others now and then that somebody waits here, as long as that is so.
    pub(in crate::store) fn remind(&self) {
        if self.waiting.is_time() {
            self.outgoing.say_that_we_wait();
        }
    }

    /// The runs whose ends are waited for here.
    pub(in crate::store) fn awaited(&self) -> Vec<RunId> {
        self.waiting.runs()
    }

    /// Work was found that nobody had spoken of.
    pub(crate) fn found_by_polling(&self, found: u64, what: &str) {
        if found == 0 {
            return;
        }
        let polled = self.polled.fetch_add(found, Ordering::Relaxed) + found;
        if self.hears_nobody.load(Ordering::Relaxed) {
            return;
        }
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= QUIET) {
            *warned = Some(Instant::now());
            warn!(
                polled,
                what,
                "polling found work whose hint was lost, so the work may have waited for the poll \
                 interval; `polled` counts such work in this process"
            );
        }
    }

    /// How much work only a poll has found.
    pub(crate) fn polled(&self) -> u64 {
        self.polled.load(Ordering::Relaxed)
    }
}
