use std::fmt;

use indelible::prelude::*;
use lettre::Address;
use lettre::message::Mailbox;

use crate::analysis::Analysis;
use crate::desk::{Person, Ticket};
use crate::events::UrgentTicketCreated;

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
    Alarm,
    Assignment,
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
            Self::Alarm => "alarm",
            Self::Assignment => "assignment",
            Self::Welcome => "welcome",
        })
    }
}
