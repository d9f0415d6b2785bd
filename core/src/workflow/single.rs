use std::time::Duration;

use super::{Key, Single};

/// One run of a key at a time: `singleton(key = event.shop, mode = skip)`.
///
/// While a run of a key is not over, no other run of the key begins. It is over when it has completed, failed or
/// was cancelled; a run that sleeps or waits is not. What becomes of the second run, `mode` says:
///
/// | `mode` | what becomes of the second run |
/// |---|---|
/// | `skip` | it does not start. The event is recorded as skipped |
/// | `cancel` | the first one is cancelled. The second one begins when the first one has ended, undos included |
/// | `latest` | it waits until the first one has ended. If another one waits already, that one is cancelled |
///
/// There is no default, because two of the three give work up. Without a key, the workflow has one run at a time.
/// A run whose key is `None` is not limited. A child that `step.invoke` starts is never skipped, and cancels
/// nothing: it waits until the other run has ended, because its parent waits for its output.
///
/// For a second run that simply waits, write `concurrency(limit = 1, hold = run, key = ..)`.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use indelible::prelude::*;
/// use indelible::workflow::Single;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "shop/changed")]
/// pub struct ShopChanged {
///     pub shop: Uuid,
/// }
///
/// # async fn sync(shop: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(singleton(key = event.shop, mode = latest))]
/// async fn on_shop_changed(event: ShopChanged, step: Step) -> Result<(), Failure> {
///     step.run("sync", sync(event.shop)).await?;
///     Ok(())
/// }
///
/// let singleton = on_shop_changed::CONFIG.flow.singleton.expect("it is one");
/// assert_eq!((singleton.key(), singleton.mode()), (Some("event.shop"), Single::Latest));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Singleton {
    mode: Single,
    key: Option<Key>,
}

impl Singleton {
    /// One run at a time.
    #[doc(hidden)]
    pub const fn new(mode: Single) -> Self {
        Self { mode, key: None }
    }

    /// Sets what tells runs apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn by(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// What becomes of a second run.
    pub const fn mode(&self) -> Single {
        self.mode
    }

    /// The expression of its key, as it stands in the source.
    pub const fn key(&self) -> Option<&'static str> {
        match &self.key {
            Some(key) => Some(key.expression()),
            None => None,
        }
    }

    pub(super) const fn expression(&self) -> Option<Key> {
        self.key
    }
}

/// One run for all events of a key: `idempotency(key = event.order, within = "24h")`.
///
/// An event whose key has started a run within this time starts none. It is recorded as skipped. The time begins
/// with the event that started the run, by the database's clock, and does not depend on what becomes of the run:
/// if it fails, a further event does not start another one; `client.retry(..)` does. An event whose key is `None`
/// starts a run in any case.
///
/// Only events count: runs that you start directly, or invoke, and those of a schedule begin in any case. To send
/// an event once, whatever it starts, give the event itself a key:
/// [`send(..).idempotency_key(..)`](../struct.Sending.html#method.idempotency_key).
///
/// ```
/// # extern crate indelible_core as indelible;
/// use std::time::Duration;
///
/// use indelible::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "order/paid")]
/// pub struct OrderPaid {
///     pub order: Uuid,
/// }
///
/// # async fn ship(order: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(idempotency(key = event.order, within = "3 days"))]
/// async fn on_order_paid(event: OrderPaid, step: Step) -> Result<(), Failure> {
///     step.run("ship", ship(event.order)).await?;
///     Ok(())
/// }
///
/// let idempotency = on_order_paid::CONFIG.flow.idempotency.expect("it has a key");
/// assert_eq!((idempotency.key(), idempotency.within()), ("event.order", Duration::from_hours(72)));
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias("deduplication", "dedupe"))]
pub struct Idempotency {
    key: Key,
    within: Duration,
}

impl Idempotency {
    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(key: Key, within: Duration) -> Self {
        Self { key, within }
    }

    /// For how long no other event of a key starts a run.
    pub const fn within(&self) -> Duration {
        self.within
    }

    /// The expression of its key, as it stands in the source.
    pub const fn key(&self) -> &'static str {
        self.key.expression()
    }

    pub(super) const fn expression(&self) -> Key {
        self.key
    }
}
