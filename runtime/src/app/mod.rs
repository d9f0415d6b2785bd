//! What a program registers: its workflows and events, gathered by `app!`.

mod declared;
mod shapes;

pub use self::declared::Declared;
use crate::event::{Catalog, EventDef};
use crate::step::Definition;
use crate::workflow::Handlers;

/// The workflows and events of one program, made with [`app!`](crate::app).
pub trait App: Send + Sync + 'static {
    /// The app's name: what its runs and deliveries are filed under.
    const NAME: &'static str;

    /// Who handles the ends of all its runs.
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
}
