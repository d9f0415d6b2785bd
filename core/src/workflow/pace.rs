use std::time::Duration;

use super::Key;

/// How fast runs start, where all of them start in the end: `throttle(limit = 10, per = "1m", burst = 5)`.
///
/// The starts of runs with the same key are spread evenly: with 10 in a minute, six seconds apart. After a time
/// without starts, `burst` runs more start at once. The rest waits, in order of acceptance and
/// [priority](super::Priority). Nothing is lost. Without a key, all runs are spread together. A run whose key
/// is `None` is not.
///
/// A run counts once, when it begins; how long it takes, and how often it waits and wakes, makes no difference.
/// Runs that you start directly, or invoke, and those of a schedule count like those of events. The rule is the
/// [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm), by the database's
/// clock.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use std::time::Duration;
///
/// use indelible::prelude::*;
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "shop/opened")]
/// pub struct ShopOpened {
///     pub shop: Uuid,
/// }
///
/// # async fn import(shop: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(throttle(limit = 10, per = "1m", burst = 5, key = event.shop))]
/// async fn on_shop_opened(event: ShopOpened, step: Step) -> Result<(), Failure> {
///     step.run("import", import(event.shop)).await?;
///     Ok(())
/// }
///
/// let throttle = on_shop_opened::CONFIG.flow.throttle.expect("it has one");
/// assert_eq!((throttle.limit(), throttle.per(), throttle.burst()), (10, Duration::from_secs(60), 5));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Throttle {
    limit: u32,
    per: Duration,
    burst: u32,
    key: Option<Key>,
}

impl Throttle {
    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(limit: u32, per: Duration, burst: u32) -> Self {
        Self { limit, per, burst, key: None }
    }

    /// Sets what is spread apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn by(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How many runs of a key start in [`per`](Self::per).
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The time in which [`limit`](Self::limit) runs start.
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// How many runs more may start at once.
    pub const fn burst(&self) -> u32 {
        self.burst
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

/// How many events start a run, where the rest starts none: `rate_limit(limit = 10, per = "1h")`.
///
/// A window begins with the first event of a key and lasts for `per`. The first `limit` events in it start a run
/// each. The rest is skipped: those events start nothing, now or later. They are recorded and counted. The next
/// event after the window begins a new one. Without a key, there is one window for all events. An event whose
/// key is `None` is not limited.
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
/// #[event(name = "disk/filled")]
/// pub struct DiskFilled {
///     pub host: String,
/// }
///
/// # async fn tell(host: &str) -> Result<(), Failure> { Ok(()) }
/// #[workflow(rate_limit(limit = 1, per = "1h", key = event.host))]
/// async fn on_disk_filled(event: DiskFilled, step: Step) -> Result<(), Failure> {
///     step.run("tell", tell(&event.host)).await?;
///     Ok(())
/// }
///
/// let rate_limit = on_disk_filled::CONFIG.flow.rate_limit.expect("it has one");
/// assert_eq!((rate_limit.limit(), rate_limit.per()), (1, Duration::from_secs(60 * 60)));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    limit: u32,
    per: Duration,
    key: Option<Key>,
}

impl RateLimit {
    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(limit: u32, per: Duration) -> Self {
        Self { limit, per, key: None }
    }

    /// Sets what tells windows apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn by(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// How many events of a window start a run.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How long a window lasts.
    pub const fn per(&self) -> Duration {
        self.per
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
