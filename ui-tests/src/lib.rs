//! What the cases share: a help desk in miniature. `fail/` holds what must not compile, beside what
//! rustc says about it, and `pass/` the same programs put right.

use std::io;

use indelible::prelude::*;

/// A customer opened a ticket.
#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "ticket/created")]
pub struct TicketCreated {
    /// The ticket.
    pub ticket: u32,
}

/// A ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    /// Its number.
    pub id: u32,
    /// What it is about.
    pub subject: String,
}

/// What answers.
pub struct Desk;

impl Desk {
    /// Looks a ticket up.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn ticket(&self, id: u32) -> io::Result<Ticket> {
        Ok(Ticket { id, subject: "printer on fire".to_owned() })
    }

    /// Asks a language model, which costs money.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn analyse(&self, ticket: &Ticket) -> io::Result<String> {
        Ok(ticket.subject.clone())
    }

    /// Sends a mail.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub async fn mail(&self, text: &str) -> io::Result<usize> {
        Ok(text.len())
    }
}
