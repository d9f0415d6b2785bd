use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use crate::client::Client;
use crate::error::Result;
use crate::store::{BlockedQuery, DatabaseHealth, RunStatus};

/// `migrate`
#[derive(Debug, Clone, clap::Args)]
pub struct Migrate {
    #[command(flatten)]
    pub(super) asked: Asked,
}

/// `doctor`
#[derive(Debug, Clone, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    asked: Asked,
}

/// What the doctor has found.
#[derive(Debug, Serialize)]
struct Findings {
    /// What needs somebody's attention.
    problems: Vec<String>,
    /// What is all right.
    fine: Vec<String>,
    database: DatabaseHealth,
}

impl Findings {
    fn note(&mut self, problem: Option<impl Into<String>>, fine: impl Into<String>) {
        match problem {
            Some(problem) => self.problems.push(problem.into()),
            None => self.fine.push(fine.into()),
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fine.iter().try_for_each(|fine| writeln!(f, "fine     {fine}"))?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "problem  {problem}"))
    }
}

impl Operation for Doctor {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let database = client.database_health().await?;
        let now = Timestamp::now();
        let mut findings = Findings { problems: Vec::new(), fine: Vec::new(), database };
        look_at_database(&mut findings, now);
        look_at_app(&mut findings, client).await?;
        let code = u8::from(!findings.problems.is_empty());
        Ok(Answer { code, ..self.asked.answer(&findings, &findings) })
    }
}

/// By how much clocks may differ before somebody should look at them.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// For how long a transaction may be open before it counts as forgotten.
const LONG: SignedDuration = SignedDuration::from_secs(60);
/// How many transactions may begin before whatever holds dead rows back counts as forgotten.
const MANY_TRANSACTIONS: u64 = 100_000;
/// How many dead rows a table may have, unless it has more that live.
const MANY_ROWS: u64 = 10_000;

fn look_at_database(findings: &mut Findings, now: Timestamp) {
    let health = findings.database.clone();
    findings.fine.push(format!("the database answers: {} {}", health.kind, health.version));

    let apart = now.duration_since(health.at).abs();
    let problem = (apart > SKEW).then(|| {
        format!(
            "the clocks of this machine and of the database differ by {apart:#}: times that you give to `--since` \
             or `.at(..)` mean another moment there"
        )
    });
    findings.note(problem, "the clocks agree");

    let risky = |name: &str, value: &str| {
        let risk = match (name, value) {
            ("fsync" | "full_page_writes", "off") | ("synchronous", "off") => {
                "a crash of the machine can destroy the database"
            }
            ("synchronous_commit", "off") | ("synchronous", "normal") => {
                "a crash of the machine can undo commits that were reported as done"
            }
            ("autovacuum" | "track_counts", "off") => {
                "dead rows are never removed, and all gets slower"
            }
            _ => return None,
        };
        Some(format!("the setting `{name}` is `{value}`: {risk}"))
    };
    let problems: Vec<_> =
        health.settings.iter().filter_map(|set| risky(set.name, &set.value)).collect();
    if problems.is_empty() {
        findings.fine.push("the settings keep what is committed".to_owned());
    }
    findings.problems.extend(problems);

    let bloated = health.tables.iter().filter_map(|table| {
        let (rows, dead) = (table.rows?, table.dead_rows?);
        (dead > MANY_ROWS.max(rows))
            .then(|| format!("the table `{}` has {dead} dead rows and {rows} others", table.name))
    });
    let bloated: Vec<_> = bloated.collect();
    if bloated.is_empty() {
        findings.fine.push("no table has many dead rows".to_owned());
    }
    findings.problems.extend(bloated);

    let held = health.horizon.filter(|held| {
        let is_long = held.since.is_some_and(|since| health.at.duration_since(since) > LONG);
        is_long || held.transactions > MANY_TRANSACTIONS
    });
    let problem = held.map(|held| {
        let since = held.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
        format!(
            "{} has kept dead rows from being removed{since}, for {} transactions: end it, or all gets slower",
            held.holder, held.transactions
        )
    });
    findings.note(problem, "nothing keeps dead rows from being removed");
}

async fn look_at_app(findings: &mut Findings, client: &Client) -> Result<()> {
    let workers = client.workers().await?;
    let late = workers.iter().filter(|worker| worker.is_late).count();
    let problem = match workers.len() - late {
        0 => Some("no worker of the app is there: no run goes on".to_owned()),
        _ if late > 0 => Some(format!("the leases of {late} workers have run out")),
        _ => None,
    };
    findings.note(problem, format!("{} workers are there", workers.len()));

    let stranded: u64 = client.stranded().await?.iter().map(|runs| runs.runs).sum();
    let problem = (stranded > 0)
        .then(|| format!("{stranded} runs are stranded: no worker can drive them; see `stranded`"));
    findings.note(problem, "no run is stranded");

    let workflows = client.workflows().await?;
    let held: u64 = workflows
        .iter()
        .filter_map(|workflow| workflow.runs.get(&RunStatus::Held))
        .map(|runs| runs.count)
        .sum();
    let problem = (held > 0).then(|| {
        format!(
            "{held} runs are held: the program cannot go on with them; see `runs --status held`"
        )
    });
    findings.note(problem, "no run is held");

    let blocked = client.blocked_events(&BlockedQuery::default()).await?.len();
    let problem = "events are blocked: workflows cannot tell what to make of them; see `blocked`";
    let problem = (blocked > 0).then_some(problem);
    findings.note(problem, "no event is blocked");

    for workflow in workflows {
        if let Some(since) = workflow.paused_since {
            findings
                .fine
                .push(format!("the workflow `{}` is paused since {since:.0}", workflow.id));
        }
    }
    Ok(())
}
