//! Why a run does not go on, and what an event did.

mod event;
mod run;

pub use self::event::EventReasons;

use std::fmt;

use super::Client;
use crate::error::{Error, Result};
use crate::event::EventId;
use crate::journal::RunId;
use crate::store::{EventRecord, RunReasons};

impl Client {
    /// Why a run does not go on, or what it does: it waits for a slot, sleeps, waits for an event or a child,
    /// no worker can drive it, and so on. Print it with `{}`.
    ///
    /// ```
    /// # async fn ask(client: &indelible::Client, run: indelible::journal::RunId) -> indelible::Result<()> {
    /// println!("{}", client.why(run).await?);
    /// // The run 0198… of `on-order-placed` is waiting.
    /// // It has waited in `paid` since 2026-03-01T09:00:00Z for the event `order/paid` with order = 7.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The answer holds for the moment of the question. It takes a handful of statements, however much there
    /// is, so ask it when you look, not all the time.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRun`]; or when the database does not answer.
    #[doc(alias("explain", "stuck", "pending", "diagnose"))]
    pub async fn why(&self, run: RunId) -> Result<RunReasons> {
        self.store.why(run).await?.ok_or(Error::NoSuchRun(run))
    }

    /// What an event did: the runs that it started, the waits that have taken it, the batch or debounce that it
    /// is in, the workflows that skipped it or are blocked by it and why, and where it is still to be routed.
    /// `None` if there is no such event. Print it with `{}`.
    ///
    /// A run counts as started by each event of its batch. Of a debounce that gives its run only the last event,
    /// the others are skipped. A wait is listed once its run has taken the event. The conditions (`if = ..`)
    /// that the event does not pass are those of this client's program; a client without the app's code lists none.
    ///
    /// It takes a handful of statements. They go over the deliveries that are still to be routed and over open
    /// batches, so ask it when you look, not all the time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn event(&self, id: EventId) -> Result<Option<EventRecord>> {
        let Some((mut event, data)) = self.store.event(id).await? else { return Ok(None) };
        let unmet = self.program().map(|program| program.unmet(id, &event.name, &data));
        // It may have passed the condition that another version had.
        let unmet = unmet.into_iter().flatten();
        event.unmet = unmet.filter(|unmet| !event.is_known_to(&unmet.workflow)).collect();
        Ok(Some(event))
    }

    /// The events that started a run, in the order of their ids. A run of a batch has several, and the first
    /// thousand are given. A run that was started directly, or by a schedule, has none.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRun`]; or when the database does not answer.
    pub async fn events_of(&self, run: RunId) -> Result<Vec<EventId>> {
        match self.run(run).await?.ok_or(Error::NoSuchRun(run))?.event {
            Some(event) => Ok(vec![event]),
            None => Ok(self.store.events_of(run).await?),
        }
    }

    /// Why an event has started nothing, or what it has started. Print it with `{}`.
    ///
    /// It has the facts of [`event`](Self::event).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchEvent`]; or when the database does not answer.
    pub async fn why_event(&self, id: EventId) -> Result<EventReasons> {
        self.event(id).await?.map(EventReasons).ok_or(Error::NoSuchEvent(id))
    }
}

/// How many there are, in words: `1 run`, `3 runs`, `1,000 or more runs`.
struct Count(u64, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, what) = self;
        match number {
            1 => write!(f, "1 {what}"),
            1_000.. => write!(f, "1,000 or more {what}s"),
            _ => write!(f, "{number} {what}s"),
        }
    }
}

/// `of the key 7`, if there is one.
struct OfKey<'a>(&'a str);

impl fmt::Display for OfKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            key => write!(f, " of the key {key}"),
        }
    }
}

/// Text that does not end with a full stop.
fn unstopped(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}
