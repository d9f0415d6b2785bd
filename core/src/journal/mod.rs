//! What is persisted of a run, as types: where a step stands ([`StateKey`]), what happened to it
//! ([`Transition`]), and the errors that a resumed run must see again exactly as they were. Also what goes
//! to and fro between a run and its store: the [`Origin`] from which a run goes on, the [`RunCommit`] that
//! it asks for, and the [`Message`]s that it is sent.

mod awaited;
mod commit;
mod entry;
mod message;
mod origin;
mod row;

pub use self::awaited::AwaitedEvent;
pub use self::commit::{End, RunCommit, Then};
pub use self::entry::{Change, Child, Due, Entry, OutgoingEvent, round_up};
pub(crate) use self::message::Awaited;
pub use self::message::{CancelKey, Content, MatchKey, Message, MessageId};
pub use self::origin::Origin;
pub use self::row::{Row, Transition, TransitionKind};
pub use crate::error_record::{Attempt, ErrorKind, ErrorRecord, Undone};
pub use crate::id::RunId;
pub use crate::key::StateKey;
