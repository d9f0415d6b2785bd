use std::fmt;

use indelible::prelude::*;
use lettre::Address;
use lettre::message::Mailbox;

use crate::analysis::Analysis;
use crate::desk::{Bundle, Discussion, Person, Ticket};
use crate::events::{AdminDigestReady, UrgentTicketCreated};

/// A mail to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Tells it from every other letter, and a repetition of it from a second one.
    pub(crate) key: Uuid,
    pub(crate) kind: Kind,
    pub(crate) to: String,
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// What a letter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AdminDigest,
    Alarm,
    Assignment,
    Comment,
    Digest,
    PasswordChanged,
    PasswordReset,
    Welcome,
}

/// A letter cannot go there, however often it is tried.
#[derive(Debug, thiserror::Error)]
#[error("`{address}` is not a mail address")]
struct NotAnAddress {
    address: String,
    source: lettre::address::AddressError,
}

impl Letter {
    pub(crate) fn assignment(key: Uuid, to: &Person, ticket: &Ticket, analysis: &Analysis) -> Self {
        Self::new(
            key,
            Kind::Assignment,
            to,
            format!("[{}] {}", analysis.priority, ticket.title),
            format!(
                "Hello {},\n\nthis ticket is yours now.\n\n{}\n\n{}\n\nTriage: {}\nTicket: {}\n",
                to.name, ticket.title, ticket.description, analysis.notes, ticket.id
            ),
        )
    }

    pub(crate) fn welcome(key: Uuid, to: &Person) -> Self {
        Self::new(
            key,
            Kind::Welcome,
            to,
            "Welcome to Northlight".to_owned(),
            format!(
                "Hello {},\n\ngood to have you here. Your account is ready; whenever something \
                 does not work as it should, open a ticket and a person will answer.\n\n\
                 The people at Northlight\n",
                to.name
            ),
        )
    }

    pub(crate) fn alarm(key: Uuid, to: &Person, ticket: &UrgentTicketCreated) -> Self {
        let who = ticket.assignee.as_deref().unwrap_or("nobody");
        Self::new(
            key,
            Kind::Alarm,
            to,
            format!("Urgent: {}", ticket.title),
            format!(
                "Hello {},\n\na ticket came in that should not wait. It is with {who}.\n\n{}\n\
                 Ticket: {}\n",
                to.name, ticket.title, ticket.ticket_id
            ),
        )
    }

    pub(crate) fn comment(key: Uuid, to: &Person, discussion: &Discussion) -> Self {
        let Discussion { ticket, comment, .. } = discussion;
        Self::new(
            key,
            Kind::Comment,
            to,
            format!("Re: {}", ticket.title),
            format!(
                "Hello {},\n\nthere is a new comment.\n\n{}\n\nTicket: {}\n",
                to.name, comment.body, ticket.id
            ),
        )
    }

    pub(crate) fn password_changed(key: Uuid, to: &Person) -> Self {
        Self::new(
            key,
            Kind::PasswordChanged,
            to,
            "You have a new password".to_owned(),
            format!(
                "Hello {},\n\nyour password was changed. If that was not you, answer to this mail.\n",
                to.name
            ),
        )
    }

    pub(crate) fn password_reset(key: Uuid, to: &Person, token: Uuid) -> Self {
        Self::new(
            key,
            Kind::PasswordReset,
            to,
            "Choose a new password".to_owned(),
            format!(
                "Hello {},\n\nchoose a new password here:\n\n\
                 https://northlight.example/password?token={token}\n\n\
                 The link works once, and for a short time.\n",
                to.name
            ),
        )
    }

    pub(crate) fn admin_digest(key: Uuid, to: &Person, digest: &AdminDigestReady) -> Self {
        let AdminDigestReady { day, waiting, urgent, unassigned } = digest;
        Self::new(
            key,
            Kind::AdminDigest,
            to,
            format!("Tickets on {}", day.strftime("%F")),
            format!(
                "Hello {},\n\ntickets that wait for triage: {waiting}\n\
                 urgent tickets: {urgent}\ntickets that nobody has: {unassigned}\n",
                to.name
            ),
        )
    }

    pub(crate) fn digest(key: Uuid, bundle: &Bundle) -> Self {
        let Bundle { to, notifications } = bundle;
        let texts: String = notifications.iter().map(|one| format!("- {}\n", one.text)).collect();
        Self::new(
            key,
            Kind::Digest,
            to,
            "What happened to your tickets".to_owned(),
            format!("Hello {},\n\n{texts}", to.name),
        )
    }

    fn new(key: Uuid, kind: Kind, to: &Person, subject: String, body: String) -> Self {
        Self { key, kind, to: to.email.clone(), name: to.name.clone(), subject, body }
    }

    /// Whom it goes to.
    ///
    /// # Errors
    ///
    /// A permanent one if that is not a mail address.
    pub(crate) fn mailbox(&self) -> Result<Mailbox, Failure> {
        let address: Address = self.to.parse().map_err(|source| {
            Permanent(NotAnAddress { address: self.to.clone(), source }.into())
        })?;
        Ok(Mailbox::new(Some(self.name.clone()), address))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AdminDigest => "admin digest",
            Self::Alarm => "alarm",
            Self::Assignment => "assignment",
            Self::Comment => "comment",
            Self::Digest => "digest",
            Self::PasswordChanged => "password changed",
            Self::PasswordReset => "password reset",
            Self::Welcome => "welcome",
        })
    }
}
