//! The application itself: people, tickets, mails and what was done about them, in tables of its
//! own. Nothing here knows that it is called by workflows, except that every effect can be repeated
//! without being doubled: it is keyed, or guarded by what is in the table already.

mod database;
mod digests;
mod discussions;
mod executions;
mod fed;
mod passwords;
mod people;
mod report;
mod seed;
mod tickets;

#[cfg(test)]
pub(crate) use self::database::testing;
pub(crate) use self::database::{Database, on};
pub(crate) use self::digests::{Bundle, Count};
pub(crate) use self::discussions::Discussion;
pub(crate) use self::executions::CrashPoint;
pub(crate) use self::passwords::ResetState;
pub(crate) use self::people::Person;
pub(crate) use self::report::{Accounts, Assigned, MailCount};
pub(crate) use self::tickets::Ticket;

use std::sync::Arc;
use std::time::Duration;

use indelible::prelude::*;

use self::executions::Executions;
use crate::analysis::{Analyser, Analysis};
use crate::chat::Chat;
use crate::events::UrgentTicketCreated;
use crate::mail::{Letter, Mailer};

/// What the workflows work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    database: Database,
    executions: Arc<Executions>,
    analyser: Arc<dyn Analyser>,
    mailer: Arc<dyn Mailer>,
    chat: Chat,
    token_lifetime: Duration,
}

impl Desk {
    pub(crate) fn new(
        database: Database,
        analyser: Arc<dyn Analyser>,
        mailer: Arc<dyn Mailer>,
        chat: Chat,
        crash_at: Option<CrashPoint>,
    ) -> Self {
        let executions = Arc::new(Executions::new(database.clone(), crash_at));
        let token_lifetime = Duration::from_secs(60 * 60);
        Self { database, executions, analyser, mailer, chat, token_lifetime }
    }

    /// Lets tokens lapse after another time than an hour.
    #[must_use]
    pub(crate) fn tokens_live(self, token_lifetime: Duration) -> Self {
        Self { token_lifetime, ..self }
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

    /// Tells the chat that a run has failed.
    pub(crate) async fn post_failure(
        &self,
        message: Uuid,
        failed: &RunFailed,
    ) -> Result<(), Failure> {
        let RunFailed { run, workflow, error, .. } = failed;
        let text = format!("{workflow} has failed: {error} (run {run})");
        self.executions.record("post-failure", run, self.chat.post(message, text)).await
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A desk with all people and tickets, and the first of the tickets.
    async fn desk() -> (Desk, Ticket) {
        let database = testing::database().await;
        let mailer = crate::mail::outbox(database.clone());
        let chat = Chat::new(database.clone(), None);
        let desk = Desk::new(database, crate::analysis::rules(), mailer, chat, None);
        desk.prepare().await.unwrap();
        let (id,): (Uuid,) = on!(desk.database, pool => {
            sqlx::query_as("select id from tickets order by id limit 1").fetch_one(pool).await
        })
        .unwrap();
        let ticket = desk.ticket(id).await.unwrap();
        (desk, ticket)
    }

    async fn text(desk: &Desk, sql: &'static str) -> String {
        let (text,): (String,) =
            on!(desk.database, pool => sqlx::query_as(sql).fetch_one(pool).await).unwrap();
        text
    }

    #[tokio::test]
    async fn preparing_again_changes_nothing() {
        let (desk, ticket) = desk().await;
        desk.mark_todo(ticket.id).await.unwrap();
        desk.prepare().await.unwrap();
        let todo = "select count(*) || '' from tickets where status = 'todo'";
        assert_eq!(text(&desk, todo).await, "1");
    }

    #[tokio::test]
    async fn a_ticket_is_given_away_once() {
        let (desk, ticket) = desk().await;
        let billing = ["billing".to_owned()];
        let first = desk.assign(Uuid::from_u128(1), ticket.id, &billing).await.unwrap().unwrap();
        assert_eq!(first.name, "Claire Fontaine");

        let printing = ["printing".to_owned()];
        let again = desk.assign(Uuid::from_u128(1), ticket.id, &printing).await.unwrap();
        assert_eq!(again, Some(first), "whoever has it keeps it");
        let entries = "select group_concat(detail) from audit where action = 'assigned'";
        assert_eq!(text(&desk, entries).await, "claire.fontaine@northlight.example");
    }

    #[tokio::test]
    async fn a_late_execution_does_not_move_a_status_back() {
        let (desk, ticket) = desk().await;
        desk.mark_todo(ticket.id).await.unwrap();
        let analysis = desk.analyse(&ticket).await.unwrap();
        desk.store_analysis(Uuid::from_u128(1), ticket.id, &analysis).await.unwrap();
        desk.mark_todo(ticket.id).await.unwrap();
        let moved = "select group_concat(status) from tickets where status != 'new'";
        assert_eq!(text(&desk, moved).await, "in_progress");
    }

    #[tokio::test]
    async fn a_letter_is_sent_once_and_every_execution_is_recorded() {
        let (desk, _) = desk().await;
        let user = desk.user("zoe.kravchenko@posteo.example").await.unwrap();
        for _ in 0..2 {
            desk.welcome(Uuid::from_u128(1), &user).await.unwrap();
        }
        assert_eq!(text(&desk, "select count(*) || '' from outbox").await, "1");
        let ended = "select count(ended_at) || '' from executions where step = 'welcome'";
        assert_eq!(text(&desk, ended).await, "2");
    }

    #[tokio::test]
    async fn what_is_gone_is_not_looked_for_again() {
        let (desk, _) = desk().await;
        let failures = [
            desk.ticket(Uuid::nil()).await.map(drop).unwrap_err(),
            desk.user("nobody@example.com").await.map(drop).unwrap_err(),
        ];
        for failure in failures {
            let failure = indelible::step::BoxError::from(failure);
            assert!(failure.is::<Permanent>(), "{failure}");
        }
    }
}
