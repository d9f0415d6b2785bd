use std::time::Duration;

use super::trigger::{Form, Trigger};
use super::{Input, Key, TriggerData};
use crate::event::Event;
use crate::payload::{EncodeError, Payload, Undecodable};

/// How events are gathered into one run: `batch(max = 100, timeout = "5s", key = event.user_id)`.
///
/// A batch is complete when it has `max` events, or when its first event has waited for `timeout`. It is also
/// complete if one more event would make it larger than a run's input may be
/// ([`event_limit`](../struct.RuntimeBuilder.html#method.event_limit)). All events of a batch have the same key, and stand
/// in the order in which they were accepted. Each event is in exactly one batch. A key has at most 512 bytes as
/// JSON.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use std::time::Duration;
///
/// use indelible::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "page/viewed")]
/// pub struct PageViewed {
///     pub user_id: Uuid,
/// }
///
/// # async fn store(views: &[PageViewed]) -> Result<(), Failure> { Ok(()) }
/// #[workflow(batch(max = 100, timeout = "5s", key = event.user_id))]
/// async fn on_views(views: Vec<PageViewed>, step: Step) -> Result<(), Failure> {
///     step.run("store", store(&views)).await?;
///     Ok(())
/// }
///
/// let batch = on_views::CONFIG.flow.batch.expect("it has one");
/// assert_eq!((batch.max(), batch.timeout()), (100, Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    max: u32,
    timeout: Duration,
    /// What tells batches apart.
    key: Option<Key>,
}

impl Batch {
    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(max: u32, timeout: Duration) -> Self {
        Self { max, timeout, key: None }
    }

    /// Sets what tells batches apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn key(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How many events make a batch full.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// How long the first event of a batch waits for others.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether there is a batch for each key.
    pub(crate) fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The key of an event; the empty one if there is but one batch.
    ///
    /// # Errors
    ///
    /// When the key fails: why.
    pub(crate) fn key_of(&self, data: &Payload) -> Result<String, String> {
        self.key.map_or(Ok(String::new()), |key| key.of(data))
    }
}

/// What a batch is given as.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`batch` gathers events into a list, and `{Self}` is none",
    label = "the first parameter has to be a `Vec` of events",
    note = "take `events: Vec<E>`, or remove `batch` for a run for each event"
)]
pub trait Batched {
    /// What the list is of.
    type Event: Event;
}

#[diagnostic::do_not_recommend]
impl<E: Event> Batched for Vec<E> {
    type Event = E;
}

#[diagnostic::do_not_recommend]
impl<E: Event> Input for Vec<E> {
    type Start = Self;
    const TRIGGERS: &'static [Trigger] = &[Trigger::Event(E::NAME)];
    const FORM: Form = Form::Listed;
    type Subject = [E];

    fn subject(&self) -> &[E] {
        self
    }

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        data.data.decode()
    }

    fn encode(start: &Self, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(start, limit)
    }
}
