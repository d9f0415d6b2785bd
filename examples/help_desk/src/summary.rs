//! What happened, as a table: the same after an undisturbed run and after one that was killed and
//! started again.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use indelible::prelude::*;
use indelible::{Error, RunQuery, RunRecord, RunStatus, Runtime};

use crate::desk::{Assigned, Desk, MailCount};
use crate::feed::Rejection;
use crate::progress::Tally;

pub(crate) struct Summary {
    runs: Tally,
    assigned: Vec<Assigned>,
    mails: Vec<MailCount>,
    failures: Vec<Stopped>,
    rejected: Vec<Rejection>,
}

/// A run that did not get to its end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stopped {
    workflow: String,
    /// The ticket or the person that it was about.
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
        Ticket { ticket_id: Uuid },
        Person { email: String },
    }
    match serde_json::from_str(data) {
        Ok(About::Ticket { ticket_id }) => ticket_id.to_string(),
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
        write!(f, "{done} runs completed, {failed} failed")?;
        if held > 0 {
            write!(f, ", {held} held")?;
        }
        write!(f, "; {tickets} tickets triaged, {mails} mails sent")?;
        writeln!(f, ", {} lines rejected", self.rejected.len())
    }
}
