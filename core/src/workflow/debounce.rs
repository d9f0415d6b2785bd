use std::time::Duration;

use super::Key;
use crate::payload::Payload;

/// One run for events that come in quick succession: `debounce(period = "30s", max = "5m", key = event.page)`.
///
/// The first event of a key opens a window. The window closes when `period` has gone by without a further event of
/// the key, and at the latest `max` after its first event. Then one run starts. Without `max`, a window stays open
/// for as long as events keep coming. Without a key, there is one window for all events. An event whose key is
/// `None` starts a run of its own at once.
///
/// If the first parameter is an event, the run gets the event that was accepted last; the others start nothing. If
/// it is a `Vec<E>`, the run gets all events of the window, in the order in which they were accepted. Such a window
/// also closes at 1,000 events, and before the list is larger than a run's input may be
/// ([`event_limit`](../struct.RuntimeBuilder.html#method.event_limit)).
///
/// The database's clock decides at which time an event came. Only events count: runs that you start directly, or
/// invoke, and those of a schedule begin in any case.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use std::time::Duration;
///
/// use indelible::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "page/edited")]
/// pub struct PageEdited {
///     pub page: Uuid,
/// }
///
/// # async fn publish(page: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(debounce(period = "30s", max = "5m", key = event.page))]
/// async fn on_page_edited(event: PageEdited, step: Step) -> Result<(), Failure> {
///     step.run("publish", publish(event.page)).await?;
///     Ok(())
/// }
///
/// let debounce = on_page_edited::CONFIG.flow.debounce.expect("it has one");
/// assert_eq!(debounce.period(), Duration::from_secs(30));
/// assert_eq!(debounce.max(), Some(Duration::from_secs(5 * 60)));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Debounce {
    period: Duration,
    max: Option<Duration>,
    key: Option<Key>,
}

impl Debounce {
    /// The most events of a window that become a list.
    pub(crate) const MOST: u32 = 1_000;

    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(period: Duration) -> Self {
        Self { period, max: None, key: None }
    }

    /// Sets the longest time that a window stays open.
    #[doc(hidden)]
    #[must_use]
    pub const fn at_most(self, max: Duration) -> Self {
        Self { max: Some(max), ..self }
    }

    /// Sets what tells windows apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn by(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How long it has to be quiet before the run starts.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How long after its first event a window closes at the latest.
    pub const fn max(&self) -> Option<Duration> {
        self.max
    }

    /// The expression of its key, as it stands in the source.
    pub const fn key(&self) -> Option<&'static str> {
        match &self.key {
            Some(key) => Some(key.expression()),
            None => None,
        }
    }

    /// The key of an event, the empty one if there is but one window; `None` if the event has none.
    ///
    /// # Errors
    ///
    /// When the key fails: why.
    pub(crate) fn key_of(&self, data: &Payload) -> Result<Option<String>, String> {
        self.key.map_or(Ok(Some(String::new())), |key| key.counted(data))
    }
}
