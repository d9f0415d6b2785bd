use super::{Hold, Key};
use crate::text::same;

/// How many runs do something at the same time: `concurrency(limit = 5, key = event.user_id)`.
///
/// At most `limit` runs of each key hold a *slot*. All other runs wait for one, in order of their acceptance and
/// their [priority](super::Priority). The limit holds across all workers. Without a key, there is one limit for
/// all runs. A run whose key is `None` is not limited. A workflow can have two limits; its runs then need a slot
/// of each.
///
/// - A run takes its slot when it begins. With `hold = active`, the default, it gives the slot back when it ends,
///   and when it leaves memory to wait for something that takes long: a sleep, an event, another run, or the next
///   attempt of a step. When it wakes, it waits for a slot again, at its old place in the order. With
///   `hold = run`, it keeps its slot until it ends.
/// - A worker that dies frees no slots. Whoever takes its runs over goes on with their slots.
/// - `limit = 0` lets no run begin or go on.
/// - With `scope = app`, all workflows of the app that say so share one limit. With `scope = "llm"`, those share
///   one that give this name. They all declare the same `limit`. Their keys are compared by value, whatever
///   their expressions are.
///
/// The key and the limit are those of the code that starts the run. If a new version of a program has another
/// limit, it holds from the version's start. If the key has another expression, slots that were taken under the
/// old one do not count.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use indelible::prelude::*;
/// use indelible::workflow::{Hold, Scope};
///
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "ticket/created")]
/// pub struct TicketCreated {
///     pub ticket_id: Uuid,
///     pub opened_by: Uuid,
/// }
///
/// # async fn triage(ticket: Uuid) -> Result<(), Failure> { Ok(()) }
/// #[workflow(
///     concurrency(limit = 5, key = event.opened_by),
///     concurrency(limit = 100, scope = "llm", hold = run),
/// )]
/// async fn on_ticket_created(event: TicketCreated, step: Step) -> Result<(), Failure> {
///     step.run("triage", triage(event.ticket_id)).await?;
///     Ok(())
/// }
///
/// let [Some(own), Some(shared)] = on_ticket_created::CONFIG.flow.concurrency else {
///     panic!("it has two limits");
/// };
/// assert_eq!((own.limit(), own.scope(), own.hold()), (5, Scope::Workflow, Hold::Active));
/// assert_eq!((shared.limit(), shared.scope(), shared.hold()), (100, Scope::Named("llm"), Hold::Run));
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias("parallelism", "semaphore", "worker pool"))]
pub struct Concurrency {
    limit: u32,
    key: Option<Key>,
    scope: Scope,
    hold: Hold,
}

/// Which workflows share a [concurrency](Concurrency) limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// None: the limit is the workflow's own.
    #[default]
    Workflow,
    /// All workflows of the app that declare a limit with `scope = app`.
    App,
    /// All workflows of the app that declare a limit with this name.
    Named(&'static str),
}

impl Scope {
    /// Whether limits of these two scopes are one.
    pub(crate) const fn is_shared_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::App, Self::App) => true,
            (Self::Named(name), Self::Named(other)) => same(name, other),
            _ => false,
        }
    }
}

impl Concurrency {
    /// `#[workflow]` has checked the bounds.
    #[doc(hidden)]
    pub const fn new(limit: u32) -> Self {
        Self { limit, key: None, scope: Scope::Workflow, hold: Hold::Active }
    }

    /// Sets what tells slots apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn by(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Sets who shares it.
    #[doc(hidden)]
    #[must_use]
    pub const fn within(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Sets how long a run holds its slot.
    #[doc(hidden)]
    #[must_use]
    pub const fn held(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// How many runs of a key hold a slot at the same time.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The expression of its key, as it stands in the source.
    pub const fn key(&self) -> Option<&'static str> {
        match &self.key {
            Some(key) => Some(key.expression()),
            None => None,
        }
    }

    /// Which workflows share it.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// How long a run holds its slot: [`Hold::Active`] or [`Hold::Run`].
    pub const fn hold(&self) -> Hold {
        self.hold
    }

    pub(super) const fn expression(&self) -> Option<Key> {
        self.key
    }
}
