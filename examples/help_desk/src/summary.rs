//! What happened, as a table: the same after an undisturbed run and after one that was killed and
//! started again.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use indelible::prelude::*;
use indelible::{Error, RunQuery, RunRecord, RunStatus, Runtime};

use crate::desk::{Accounts, Assigned, Desk, MailCount};
use crate::feed::Rejection;
use crate::progress::Tally;

pub(crate) struct Summary {
    runs: Tally,
    assigned: Vec<Assigned>,
    mails: Vec<MailCount>,
    accounts: Accounts,
    failures: Vec<Stopped>,
    rejected: Vec<Rejection>,
}

/// A run that did not get to its end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stopped {
    workflow: String,
    /// The comment, ticket or person that it was about.
    about: String,
    step: String,
    reason: String,
}

impl Summary {
    /// Asks the desk and the runtime what they have.
    pub(crate) async fn gather(
        desk: &Desk,
        runtime: &Runtime,
        rejected: Vec<Rejection>,
    ) -> Result<Self, Failure> {
        let runs = Tally::of(&runtime.counts().await?);
        let mut failures = stopped(runtime, RunStatus::Failed).await?;
        failures.extend(stopped(runtime, RunStatus::Held).await?);
        failures.sort();
        Ok(Self {
            runs,
            assigned: desk.assigned().await?,
            mails: desk.mails().await?,
            accounts: desk.accounts().await?,
            failures,
            rejected,
        })
    }
}

/// Every run with a status, page by page.
async fn stopped(runtime: &Runtime, status: RunStatus) -> Result<Vec<Stopped>, Error> {
    let mut query = RunQuery { status: Some(status), limit: Some(500), ..RunQuery::default() };
    let mut stopped = Vec::new();
    loop {
        let page = runtime.runs(&query).await?;
        let Some(last) = page.last() else { return Ok(stopped) };
        query.after = Some(last.id);
        stopped.extend(page.iter().map(Stopped::of));
    }
}

impl Stopped {
    fn of(run: &RunRecord) -> Self {
        let (step, reason) = match &run.error {
            Some(error) => (error.step.as_ref().map(ToString::to_string), error.to_string()),
            None => (None, run.held.clone().unwrap_or_default()),
        };
        Self {
            workflow: run.workflow.clone(),
            about: about(run.input.as_str()),
            step: step.unwrap_or_default(),
            reason,
        }
    }
}

/// What an event was about, from its data.
fn about(data: &str) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum About {
        Comment { comment_id: Uuid },
        Ticket { ticket_id: Uuid },
        Person { email: String },
    }
    match serde_json::from_str(data) {
        Ok(About::Comment { comment_id: id } | About::Ticket { ticket_id: id }) => id.to_string(),
        Ok(About::Person { email }) => email,
        Err(_) => data.to_owned(),
    }
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(columns);
    table
}

fn numbers(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

impl Summary {
    fn assignments(&self) -> Table {
        let mut rows: BTreeMap<(Option<&str>, Option<&str>), [i64; 3]> = BTreeMap::new();
        for Assigned { to, role, priority, tickets } in &self.assigned {
            let row = rows.entry((role.as_deref(), to.as_deref())).or_default();
            let place = ["high", "medium", "low"].iter().position(|name| name == priority);
            row[place.unwrap_or(1)] += tickets;
        }
        let mut table = table(&["assigned to", "role", "high", "medium", "low", "tickets"]);
        for ((role, to), counts) in rows {
            let mut cells = vec![to.unwrap_or("nobody").to_owned(), role.unwrap_or("").to_owned()];
            cells.extend(counts.map(|count| count.to_string()));
            cells.push(counts.iter().sum::<i64>().to_string());
            table.add_row(cells);
        }
        numbers(&mut table, 2..6);
        table
    }

    fn mails(&self) -> Table {
        let mut table = table(&["mails", "sent"]);
        for MailCount { kind, mails } in &self.mails {
            table.add_row([kind.clone(), mails.to_string()]);
        }
        numbers(&mut table, 1..2);
        table
    }

    fn failures(&self) -> Table {
        let mut table = table(&["failed", "about", "step", "reason"]);
        for Stopped { workflow, about, step, reason } in &self.failures {
            table.add_row([workflow, about, step, reason]);
        }
        table
    }

    fn rejections(&self) -> Table {
        let mut table = table(&["rejected line", "at", "reason"]);
        for Rejection { file, line, pointer, reason } in &self.rejected {
            table.add_row([&format!("{file}:{line}"), pointer, reason]);
        }
        table
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.assigned.is_empty() {
            writeln!(f, "{}", self.assignments())?;
        }
        if !self.mails.is_empty() {
            writeln!(f, "{}", self.mails())?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "{}", self.failures())?;
        }
        if !self.rejected.is_empty() {
            writeln!(f, "{}", self.rejections())?;
        }
        let Tally { done, failed, held, .. } = self.runs;
        let tickets: i64 = self.assigned.iter().map(|assigned| assigned.tickets).sum();
        let mails: i64 = self.mails.iter().map(|count| count.mails).sum();
        write!(f, "runs completed: {done}, failed: {failed}")?;
        if held > 0 {
            write!(f, ", held: {held}")?;
        }
        let rejected = self.rejected.len();
        writeln!(
            f,
            "; tickets triaged: {tickets}; mails sent: {mails}; lines rejected: {rejected}"
        )?;
        let Accounts { passwords_changed, resets_used, resets_lapsed, messages } = self.accounts;
        if self.accounts != Accounts::default() {
            writeln!(
                f,
                "passwords changed: {passwords_changed}; resets used: {resets_used}, lapsed: \
                 {resets_lapsed}; failures told in the chat: {messages}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(to: Option<(&str, &str)>, priority: &str, tickets: i64) -> Assigned {
        Assigned {
            to: to.map(|(name, _)| name.to_owned()),
            role: to.map(|(_, role)| role.to_owned()),
            priority: priority.to_owned(),
            tickets,
        }
    }

    fn summary() -> Summary {
        let claire = Some(("Claire Fontaine", "moderator"));
        Summary {
            runs: Tally { done: 6, failed: 1, waiting: 0, held: 1 },
            assigned: vec![
                assigned(claire, "low", 2),
                assigned(Some(("Tomás Beltrán", "admin")), "medium", 1),
                assigned(claire, "high", 1),
                assigned(None, "low", 1),
            ],
            mails: vec![MailCount { kind: "assignment".to_owned(), mails: 4 }],
            accounts: Accounts {
                passwords_changed: 2,
                resets_used: 1,
                resets_lapsed: 0,
                messages: 1,
            },
            failures: vec![Stopped {
                workflow: "on-user-signup".to_owned(),
                about: about(r#"{"email": "zoe@example.com"}"#),
                step: "fetch-user".to_owned(),
                reason: "gone".to_owned(),
            }],
            rejected: vec![Rejection {
                file: "events.jsonl".to_owned(),
                line: 7,
                pointer: "/name".to_owned(),
                reason: "no event is named `x`".to_owned(),
            }],
        }
    }

    #[test]
    fn all_that_happened_is_told() {
        assert_eq!(
            summary().to_string(),
            "\
┌─────────────────┬───────────┬──────┬────────┬─────┬─────────┐
│ assigned to     ┆ role      ┆ high ┆ medium ┆ low ┆ tickets │
╞═════════════════╪═══════════╪══════╪════════╪═════╪═════════╡
│ nobody          ┆           ┆    0 ┆      0 ┆   1 ┆       1 │
│ Tomás Beltrán   ┆ admin     ┆    0 ┆      1 ┆   0 ┆       1 │
│ Claire Fontaine ┆ moderator ┆    1 ┆      0 ┆   2 ┆       3 │
└─────────────────┴───────────┴──────┴────────┴─────┴─────────┘
┌────────────┬──────┐
│ mails      ┆ sent │
╞════════════╪══════╡
│ assignment ┆    4 │
└────────────┴──────┘
┌────────────────┬─────────────────┬────────────┬────────┐
│ failed         ┆ about           ┆ step       ┆ reason │
╞════════════════╪═════════════════╪════════════╪════════╡
│ on-user-signup ┆ zoe@example.com ┆ fetch-user ┆ gone   │
└────────────────┴─────────────────┴────────────┴────────┘
┌────────────────┬───────┬───────────────────────┐
│ rejected line  ┆ at    ┆ reason                │
╞════════════════╪═══════╪═══════════════════════╡
│ events.jsonl:7 ┆ /name ┆ no event is named `x` │
└────────────────┴───────┴───────────────────────┘
runs completed: 6, failed: 1, held: 1; tickets triaged: 5; mails sent: 4; lines rejected: 1
passwords changed: 2; resets used: 1, lapsed: 0; failures told in the chat: 1
"
        );
    }

    #[test]
    fn the_order_in_which_the_database_answers_does_not_show() {
        let mut reversed = summary();
        reversed.assigned.reverse();
        assert_eq!(reversed.to_string(), summary().to_string());
    }

    #[test]
    fn what_did_not_happen_has_no_table() {
        let nothing = Summary {
            runs: Tally::default(),
            assigned: Vec::new(),
            mails: Vec::new(),
            accounts: Accounts::default(),
            failures: Vec::new(),
            rejected: Vec::new(),
        };
        assert_eq!(
            nothing.to_string(),
            "runs completed: 0, failed: 0; tickets triaged: 0; mails sent: 0; lines rejected: 0\n"
        );
    }
}
