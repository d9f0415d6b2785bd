//! Mails: what they say and how they leave the house. Every mail stands in the outbox table under
//! its key; where an SMTP server is configured it goes out through that as well.

mod letter;
mod outbox;
mod smtp;

use std::env;
use std::sync::Arc;

use async_trait::async_trait;
use indelible::prelude::*;

#[cfg(test)]
pub(crate) use self::letter::Kind;
pub(crate) use self::letter::Letter;
use self::outbox::Outbox;
use self::smtp::Smtp;
use crate::desk::Database;

/// Something that takes letters to people.
#[async_trait]
pub(crate) trait Mailer: Send + Sync {
    /// Sends a letter. Sent again under the same key it is the same letter.
    async fn send(&self, letter: &Letter) -> Result<(), Failure>;
}

/// The mailer that the environment asks for: through the server of `HELP_DESK_SMTP_URL` if that is
/// set, else to the outbox alone.
pub(crate) fn from_env(database: Database) -> Result<Arc<dyn Mailer>, Failure> {
    let outbox = Outbox::new(database);
    Ok(match env::var("HELP_DESK_SMTP_URL") {
        Ok(url) => Arc::new(Smtp::new(&url, env::var("HELP_DESK_MAIL_FROM").ok(), outbox)?),
        Err(_) => Arc::new(outbox),
    })
}

/// A mailer that keeps mails in the outbox.
#[cfg(test)]
pub(crate) fn outbox(database: Database) -> Arc<dyn Mailer> {
    Arc::new(Outbox::new(database))
}
