use super::{
    Batch, Concurrency, Debounce, Filter, Idempotency, Priority, RateLimit, Singleton, Throttle,
};

/// What becomes of the events that would start a workflow, and in which order and how fast its runs begin.
///
/// **Which events count.** `on(E, if = ..)`, [`rate_limit`](RateLimit) and [`idempotency`](Idempotency) skip
/// events. [`batch`](Batch) and [`debounce`](Debounce) gather events into one run.
///
/// **When a run begins.** [`concurrency`](Concurrency), [`throttle`](Throttle) and [`singleton`](Singleton) let a
/// run wait until it may begin, whatever has started it: an event, a schedule, `client.start(..)` or
/// `step.invoke(..)`. [`priority`](Priority) decides who is next.
///
/// **Keys.** A key is a Rust expression over what starts the workflow: `event` if that is an event or one of
/// several, `tick` for a `Tick`, `events` for a `Vec` of events, `input` under `#[workflow(input)]`. The keys of
/// `batch` and `debounce` see one `event` in any case. A value is a key if it derives `Serialize`; two are the
/// same if their JSON is. A key has at most 512 bytes as JSON. The key `None` means that nothing is counted. In
/// the key of a workflow over several events, a `Received` has neither its id nor its time, because a key is the
/// same for every run with the same input.
///
/// **If a key fails**, because it panics or is too long, no run begins without its limits. An event is kept
/// until a new deploy fixes the key, and delays no other events. `client.start(..)` gives an error. The step of
/// `step.invoke(..)` fails and is not tried again. A tick of a schedule starts nothing, and the log says why.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Which of them start it.
    pub(crate) filters: &'static [Filter],
    /// How they are gathered, if it takes a list of them.
    pub batch: Option<Batch>,
    /// How long it waits for further events.
    pub debounce: Option<Debounce>,
    /// How many of them start a run in a time.
    pub rate_limit: Option<RateLimit>,
    /// Which of them have started a run already.
    pub idempotency: Option<Idempotency>,
    /// How many of its runs do something at the same time.
    pub concurrency: [Option<Concurrency>; 2],
    /// How fast its runs start.
    pub throttle: Option<Throttle>,
    /// Whether it has one run at a time.
    pub singleton: Option<Singleton>,
    /// Which of its runs begin first.
    pub priority: Option<Priority>,
}

impl Flow {
    /// Each event starts a run, which begins when a worker has room for it.
    pub const DEFAULT: Self = Self {
        filters: &[],
        batch: None,
        debounce: None,
        rate_limit: None,
        idempotency: None,
        concurrency: [None; 2],
        throttle: None,
        singleton: None,
        priority: None,
    };

    /// Sets which of them start it.
    #[doc(hidden)]
    #[must_use]
    pub const fn filters(self, filters: &'static [Filter]) -> Self {
        Self { filters, ..self }
    }

    /// Sets how they are gathered.
    #[must_use]
    pub const fn batch(self, batch: Batch) -> Self {
        Self { batch: Some(batch), ..self }
    }

    /// Sets how long it waits for further events.
    #[must_use]
    pub const fn debounce(self, debounce: Debounce) -> Self {
        Self { debounce: Some(debounce), ..self }
    }

    /// Sets how many of them start a run in a time.
    #[must_use]
    pub const fn rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit: Some(rate_limit), ..self }
    }

    /// Sets which of them have started a run already.
    #[must_use]
    pub const fn idempotency(self, idempotency: Idempotency) -> Self {
        Self { idempotency: Some(idempotency), ..self }
    }

    /// Sets how many of its runs do something at the same time: a second time, the second limit.
    #[must_use]
    pub const fn concurrency(self, concurrency: Concurrency) -> Self {
        let limits = match self.concurrency {
            [None, _] => [Some(concurrency), None],
            [first, _] => [first, Some(concurrency)],
        };
        Self { concurrency: limits, ..self }
    }

    /// Sets how fast its runs start.
    #[must_use]
    pub const fn throttle(self, throttle: Throttle) -> Self {
        Self { throttle: Some(throttle), ..self }
    }

    /// Lets it have one run at a time.
    #[must_use]
    pub const fn singleton(self, singleton: Singleton) -> Self {
        Self { singleton: Some(singleton), ..self }
    }

    /// Sets which of its runs begin first.
    #[must_use]
    pub const fn priority(self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// Whether it gathers events into runs.
    #[doc(hidden)]
    pub const fn gathers(&self) -> bool {
        self.batch.is_some() || self.debounce.is_some()
    }

    /// Whether what becomes of an event depends on the events before it.
    #[doc(hidden)]
    pub const fn needs_order(&self) -> bool {
        self.gathers()
            || self.rate_limit.is_some()
            || self.idempotency.is_some()
            || self.singleton.is_some()
    }
}
