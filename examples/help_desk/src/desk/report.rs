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

/// Scans the tickets: a report, made once.
const ASSIGNED: &str = "
    select users.name, users.role, tickets.priority, count(*)
    from tickets left join users on users.id = tickets.assignee
    where tickets.status = 'in_progress'
    group by users.name, users.role, tickets.priority";

/// Scans the outbox: a report, made once.
const MAILS: &str = "select kind, count(*) from outbox group by kind order by kind";

impl Desk {
    /// Who has how many of the tickets that were triaged.
    pub(crate) async fn assigned(&self) -> Result<Vec<Assigned>> {
        let rows: Vec<(Option<String>, Option<String>, String, i64)> =
            on!(self.database, pool => sqlx::query_as(ASSIGNED).fetch_all(pool).await)?;
        let assigned = |(to, role, priority, tickets)| Assigned { to, role, priority, tickets };
        Ok(rows.into_iter().map(assigned).collect())
    }

    /// How many mails were sent, by kind.
    pub(crate) async fn mails(&self) -> Result<Vec<MailCount>> {
        let rows: Vec<(String, i64)> =
            on!(self.database, pool => sqlx::query_as(MAILS).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(kind, mails)| MailCount { kind, mails }).collect())
    }
}
