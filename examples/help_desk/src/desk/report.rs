use sqlx::Result;

use super::Desk;
use super::database::on;

/// How many tickets of one priority somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// The person's name; `None` for tickets that nobody has.
    pub(crate) to: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) priority: String,
    pub(crate) tickets: i64,
}

/// How many mails of one kind were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailCount {
    pub(crate) kind: String,
    pub(crate) mails: i64,
}

/// What happened to accounts, and what the chat was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Accounts {
    pub(crate) passwords_changed: i64,
    pub(crate) resets_used: i64,
    pub(crate) resets_lapsed: i64,
    pub(crate) messages: i64,
}

/// Scans the tickets: a report, made once.
const ASSIGNED: &str = "
    select users.name, users.role, tickets.priority, count(*)
    from tickets left join users on users.id = tickets.assignee
    where tickets.status = 'in_progress'
    group by users.name, users.role, tickets.priority";

/// Scans the outbox: a report, made once. Digests are not part of the job: they are sent by the clock.
const MAILS: &str = "
    select kind, count(*) from outbox where kind not like '%digest' group by kind order by kind";

/// Scans small tables: a report, made once.
const ACCOUNTS: &str = "
    select (select count(*) from account_log),
        (select count(*) from resets where state = 'used'),
        (select count(*) from resets where state = 'lapsed'),
        (select count(*) from chat where text like '% has failed: %')";

impl Desk {
    /// Who has how many of the tickets that were triaged.
    pub(crate) async fn assigned(&self) -> Result<Vec<Assigned>> {
        let rows: Vec<(Option<String>, Option<String>, String, i64)> =
            on!(self.database, pool => sqlx::query_as(ASSIGNED).fetch_all(pool).await)?;
        let assigned = |(to, role, priority, tickets)| Assigned { to, role, priority, tickets };
        Ok(rows.into_iter().map(assigned).collect())
    }

    /// What happened to accounts, and what the chat was told.
    pub(crate) async fn accounts(&self) -> Result<Accounts> {
        let (passwords_changed, resets_used, resets_lapsed, messages) =
            on!(self.database, pool => sqlx::query_as(ACCOUNTS).fetch_one(pool).await)?;
        Ok(Accounts { passwords_changed, resets_used, resets_lapsed, messages })
    }

    /// How many mails were sent, by kind.
    pub(crate) async fn mails(&self) -> Result<Vec<MailCount>> {
        let rows: Vec<(String, i64)> =
            on!(self.database, pool => sqlx::query_as(MAILS).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(kind, mails)| MailCount { kind, mails }).collect())
    }
}
