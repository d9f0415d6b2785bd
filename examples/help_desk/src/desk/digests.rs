use indelible::prelude::*;

use super::Desk;
use super::database::on;
use super::people::{Person, PersonRow, person};
use crate::events::AdminDigestReady;
use crate::mail::Letter;

/// What admins want to know the number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    Waiting,
    Urgent,
    Unassigned,
}

/// What waits to be told to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub(crate) to: Person,
    pub(crate) notifications: Vec<Notification>,
}

/// Something that can wait until the morning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    pub(crate) key: Uuid,
    pub(crate) text: String,
}

// These scan the tickets, once a day.

const WAITING: &str = "select count(*) from tickets where status in ('new', 'todo')";

const URGENT: &str = "select count(*) from tickets where priority = 'high'";

const UNASSIGNED: &str = "
    select count(*) from tickets where status = 'in_progress' and assignee is null";

/// Served by the index on notifications that were not sent.
const PENDING: &str = "
    select users.id, users.email, users.name, users.role, users.skills,
        notifications.key, notifications.text
    from notifications join users on users.id = notifications.recipient
    where notifications.sent_on is null
    order by users.id, notifications.key";

/// Served by the primary key.
const MARK_SENT: &str = "
    update notifications set sent_on = $2 where key = $1 and sent_on is null";

/// What the executions of a digest's steps are about.
fn about(day: Timestamp) -> String {
    format!("digest {day}")
}

impl Desk {
    /// One of the numbers that admins want to know.
    pub(crate) async fn count(&self, what: Count, day: Timestamp) -> Result<i64, Failure> {
        let (step, statement) = match what {
            Count::Waiting => ("count-waiting", WAITING),
            Count::Urgent => ("count-urgent", URGENT),
            Count::Unassigned => ("count-unassigned", UNASSIGNED),
        };
        let count = async {
            let (count,): (i64,) = on!(self.database, pool => {
                sqlx::query_as(statement).fetch_one(pool).await
            })?;
            Ok(count)
        };
        self.executions.record(step, about(day), count).await
    }

    /// Those who get the numbers.
    pub(crate) async fn recipients(&self, day: Timestamp) -> Result<Vec<Person>, Failure> {
        self.executions.record("find-recipients", about(day), self.all_admins()).await
    }

    /// Mails the numbers to an admin.
    pub(crate) async fn mail_numbers(
        &self,
        letter: Uuid,
        admin: &Person,
        digest: &AdminDigestReady,
    ) -> Result<(), Failure> {
        let letter = Letter::admin_digest(letter, admin, digest);
        let subject = format!("{} {}", about(digest.day), admin.email);
        self.executions.record("mail-admin", subject, self.mailer.send(&letter)).await
    }

    /// Posts the numbers in the chat.
    pub(crate) async fn post_numbers(
        &self,
        message: Uuid,
        digest: &AdminDigestReady,
    ) -> Result<(), Failure> {
        let AdminDigestReady { day, waiting, urgent, unassigned } = digest;
        let text = format!(
            "{}: {waiting} tickets are waiting, {urgent} are urgent, nobody has {unassigned}.",
            day.strftime("%F")
        );
        self.executions.record("post-numbers", about(*day), self.chat.post(message, text)).await
    }

    /// What waits to be told, by person.
    pub(crate) async fn pending(&self, day: Timestamp) -> Result<Vec<Bundle>, Failure> {
        let pending = async {
            let rows: Vec<(Uuid, String, String, String, String, Uuid, String)> =
                on!(self.database, pool => sqlx::query_as(PENDING).fetch_all(pool).await)?;
            let mut bundles: Vec<Bundle> = Vec::new();
            for (id, email, name, role, skills, key, text) in rows {
                let to: PersonRow = (id, email, name, role, skills);
                let to = person(to)?;
                let notification = Notification { key, text };
                match bundles.last_mut() {
                    Some(bundle) if bundle.to == to => bundle.notifications.push(notification),
                    _ => bundles.push(Bundle { to, notifications: vec![notification] }),
                }
            }
            Ok(bundles)
        };
        self.executions.record("find-pending", about(day), pending).await
    }

    /// Mails somebody all that waits for them.
    pub(crate) async fn mail_bundle(
        &self,
        day: Timestamp,
        letter: Uuid,
        bundle: &Bundle,
    ) -> Result<(), Failure> {
        let letter = Letter::digest(letter, bundle);
        let subject = format!("{} {}", about(day), bundle.to.email);
        self.executions.record("mail-bundle", subject, self.mailer.send(&letter)).await
    }

    /// Notes that somebody has been told.
    pub(crate) async fn mark_sent(&self, day: Timestamp, bundle: &Bundle) -> Result<(), Failure> {
        let sent_on = day.to_string();
        let marked = async {
            on!(self.database, pool => {
                let mut transaction = pool.begin().await?;
                for notification in &bundle.notifications {
                    sqlx::query(MARK_SENT)
                        .bind(notification.key)
                        .bind(&sent_on)
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await
            })?;
            Ok(())
        };
        let subject = format!("{} {}", about(day), bundle.to.email);
        self.executions.record("mark-sent", subject, marked).await
    }
}
