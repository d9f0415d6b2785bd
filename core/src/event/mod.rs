//! Events: typed facts with a name. What they are and how a program's catalog of them is checked;
//! nothing here knows how they are stored or routed.

mod catalog;
mod name;

use std::marker::PhantomData;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::catalog::pointer;
pub use self::catalog::{Catalog, EventDef, InvalidEvent, UntypedEvent, check_name};
pub use self::name::is_reserved;
pub use crate::id::EventId;

/// A named, typed fact, made with `#[derive(Event)]`.
///
/// ```
/// # extern crate indelible_core as indelible;
/// use indelible::prelude::*;
///
/// /// A customer opened a support ticket.
/// #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// #[event(name = "ticket/created")]
/// pub struct TicketCreated {
///     pub ticket_id: Uuid,
///     pub subject: String,
/// }
///
/// assert_eq!(TicketCreated::NAME, "ticket/created");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "an event type is expected here",
    note = "give it a name and a schema: `#[derive(Event, Serialize, Deserialize, JsonSchema)]` and `#[event(name = \"area/what-happened\")]`"
)]
#[doc(alias("signal", "message"))]
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The event's name, as stored and as other programs see it: `ticket/created`.
    const NAME: &'static str;
    /// The Rust type's path, for messages.
    #[doc(hidden)]
    const TYPE: &'static str;
    /// Its fields, for `matching(field = value)`.
    #[doc(hidden)]
    type Fields;
    /// The same, by name.
    #[doc(hidden)]
    const FIELDS: Self::Fields;
}

/// A field of an event that a wait can match on.
#[doc(hidden)]
pub struct EventField<E, T> {
    /// Its name in the event's JSON.
    name: &'static str,
    /// Its value in the event's JSON.
    encode: fn(&T) -> Value,
    event: PhantomData<fn() -> E>,
}

impl<E, T> EventField<E, T> {
    /// Describes a field by its wire name and how its value is written.
    pub const fn new(name: &'static str, encode: fn(&T) -> Value) -> Self {
        Self { name, encode, event: PhantomData }
    }

    /// Its name in the event's JSON.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A value of it in the event's JSON.
    pub fn encode(&self, value: impl Matches<T>) -> Value {
        value.lend(self.encode)
    }
}

/// A value that can be compared with a field of type `T`: a `T`, a `&T`, or a `&str` for a `String`.
#[diagnostic::on_unimplemented(
    message = "a field of type `{T}` is never equal to a value of type `{Self}`",
    label = "expected `{T}` or a reference to one",
    note = "a wait matches an event if its field has exactly this value"
)]
pub trait Matches<T> {
    #[doc(hidden)]
    fn lend<R>(self, read: impl FnOnce(&T) -> R) -> R;
}

#[diagnostic::do_not_recommend]
impl<T> Matches<T> for T {
    fn lend<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(&self)
    }
}

#[diagnostic::do_not_recommend]
impl<T> Matches<T> for &T {
    fn lend<R>(self, read: impl FnOnce(&T) -> R) -> R {
        read(self)
    }
}

#[diagnostic::do_not_recommend]
impl Matches<String> for &str {
    fn lend<R>(self, read: impl FnOnce(&String) -> R) -> R {
        read(&self.to_owned())
    }
}

/// An event with its id and the time at which it was accepted.
///
/// A workflow can take it as its first parameter, and a wait for an event gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received<E> {
    /// The event's id. In a run that was started directly, it is the run's id.
    pub id: EventId,
    /// When it was accepted, by the database's clock.
    pub accepted_at: Timestamp,
    /// The event itself.
    pub data: E,
}
