//! The durable work of the help desk, a subject a file.

mod comment;
mod digest;
mod failure;
mod password;
mod signup;
mod ticket;
mod urgent;

use indelible::prelude::*;

pub(crate) use self::comment::on_comment_posted;
pub(crate) use self::digest::{admin_digest, batch_digest, mail_admin_digest, post_admin_digest};
pub(crate) use self::failure::report_failure;
pub(crate) use self::password::{on_password_changed, on_password_reset_requested};
pub(crate) use self::signup::on_user_signup;
pub(crate) use self::ticket::{Assignment, on_ticket_created};
pub(crate) use self::urgent::on_urgent_ticket;

/// What the clock starts, and what follows from it. It is no part of the main job, which is the same at
/// midnight as at noon.
pub(crate) const DIGESTS: [&str; 4] =
    [admin_digest::ID, mail_admin_digest::ID, post_admin_digest::ID, batch_digest::ID];
