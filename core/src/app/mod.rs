//! What a program registers: its workflows and events, gathered by `app!`.

mod declared;
mod shapes;

pub use self::declared::Declared;
use crate::event::{Catalog, EventDef};
use crate::step::Definition;
use crate::workflow::{Handlers, SYSTEM_EVENTS};

/// The workflows and events of one program, made with [`app!`](macro@indelible_macros::app).
#[doc(alias("namespace", "task queue"))]
pub trait App: Send + Sync + 'static {
    /// The app's name. The store files its runs and deliveries under this name.
    const NAME: &'static str;

    /// The workflows that handle the ends of all its runs.
    #[doc(hidden)]
    const HANDLERS: Handlers = Handlers::NONE;

    /// Its events.
    #[doc(hidden)]
    fn events() -> Vec<EventDef>;

    /// Its workflows.
    #[doc(hidden)]
    fn workflows() -> Vec<Definition>;
}

impl Catalog {
    /// The event types of an app.
    pub fn of<A: App>() -> Self {
        Self::new(A::events())
    }

    /// The events that Indelible itself makes.
    #[doc(hidden)]
    pub fn of_system() -> Self {
        Self::new(SYSTEM_EVENTS)
    }
}
