//! The application itself: people, tickets, mails and what was done about them, in tables of its
//! own. Nothing here knows that it is called by workflows, except that every effect can be repeated
//! without being doubled: it is keyed, or guarded by what is in the table already.

mod database;
mod executions;
mod fed;
mod people;
mod report;
mod seed;
mod tickets;

#[cfg(test)]
pub(crate) use self::database::testing;
pub(crate) use self::database::{Database, on};
pub(crate) use self::executions::CrashPoint;
pub(crate) use self::people::Person;
pub(crate) use self::report::{Assigned, MailCount};
pub(crate) use self::tickets::Ticket;

use std::sync::Arc;

use indelible::prelude::*;

use self::executions::Executions;
use crate::analysis::{Analyser, Analysis};
use crate::events::UrgentTicketCreated;
use crate::mail::{Letter, Mailer};

/// What the workflows work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    database: Database,
    executions: Arc<Executions>,
    analyser: Arc<dyn Analyser>,
    mailer: Arc<dyn Mailer>,
}

impl Desk {
    pub(crate) fn new(
        database: Database,
        analyser: Arc<dyn Analyser>,
        mailer: Arc<dyn Mailer>,
        crash_at: Option<CrashPoint>,
    ) -> Self {
        let executions = Arc::new(Executions::new(database.clone(), crash_at));
        Self { database, executions, analyser, mailer }
    }

    /// What a ticket is about and how much it hurries.
    pub(crate) async fn analyse(&self, ticket: &Ticket) -> Result<Analysis, Failure> {
        self.executions.record("analyse", ticket.id, self.analyser.analyse(ticket)).await
    }

    /// Tells somebody that a ticket is theirs now.
    pub(crate) async fn notify_assignee(
        &self,
        letter: Uuid,
        assignee: &Person,
        ticket: &Ticket,
        analysis: &Analysis,
    ) -> Result<(), Failure> {
        let letter = Letter::assignment(letter, assignee, ticket, analysis);
        self.executions.record("notify-assignee", ticket.id, self.mailer.send(&letter)).await
    }

    /// Greets somebody who made an account.
    pub(crate) async fn welcome(&self, letter: Uuid, user: &Person) -> Result<(), Failure> {
        let letter = Letter::welcome(letter, user);
        self.executions.record("welcome", &user.email, self.mailer.send(&letter)).await
    }

    /// Tells an admin about a ticket that cannot wait.
    pub(crate) async fn alarm(
        &self,
        letter: Uuid,
        admin: &Person,
        ticket: &UrgentTicketCreated,
    ) -> Result<(), Failure> {
        let subject = format!("{} {}", ticket.ticket_id, admin.email);
        let letter = Letter::alarm(letter, admin, ticket);
        self.executions.record("alarm-admin", subject, self.mailer.send(&letter)).await
    }
}
