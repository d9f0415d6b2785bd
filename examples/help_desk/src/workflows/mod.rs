//! The durable work of the help desk, one workflow a file.

mod signup;
mod ticket;
mod urgent;

pub(crate) use self::signup::on_user_signup;
pub(crate) use self::ticket::{Assignment, on_ticket_created};
pub(crate) use self::urgent::on_urgent_ticket;
