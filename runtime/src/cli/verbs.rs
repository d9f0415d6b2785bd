use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::json;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::runs::Filter;
use crate::client::Client;
use crate::error::Result;
use crate::journal::RunId;
use crate::store::{RunQuery, RunStatus};

/// Runs that are named, or all that a filter selects.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Chosen {
    /// The ids of the runs
    #[arg(value_name = "RUN")]
    runs: Vec<RunId>,
    #[command(flatten)]
    filter: Filter,
    /// All runs of the app that the filters leave
    #[arg(long)]
    all: bool,
    /// Does not ask whether that many runs are meant
    #[arg(long)]
    yes: bool,
}

/// What becomes of the runs that were chosen.
#[derive(Serialize)]
struct Done {
    runs: u64,
}

impl Chosen {
    /// Whether the runs are chosen in one way, and whoever asks agrees to how many a filter selects. If so, the
    /// query of a filter.
    async fn query(
        &self,
        client: &Client,
        verb: &str,
        applies: impl Fn(RunQuery) -> RunQuery,
    ) -> Result<Result<Option<RunQuery>, Answer>> {
        let is_filtered = self.all || self.filter != Filter::default();
        match (self.runs.is_empty(), is_filtered) {
            (false, false) => return Ok(Ok(None)),
            (false, true) => return Ok(Err(refused("name runs or filter them, not both"))),
            (true, false) => {
                return Ok(Err(refused(
                    "name the runs, or filter them; `--all` means all runs of the app",
                )));
            }
            (true, true) => {}
        }
        let query = applies(self.filter.query());
        if self.yes {
            return Ok(Ok(Some(query)));
        }
        let found = client.list_runs(&RunQuery { limit: Some(1_000), ..query.clone() }).await?;
        let more = if found.next.is_some() { "+" } else { "" };
        let count = format!("{}{more} runs", found.items.len());
        Ok(match agreed(&format!("{verb} {count}?")) {
            Some(true) => Ok(Some(query)),
            Some(false) => Err(Answer::failed(1).line("Nothing was changed.")),
            None => Err(refused(format_args!(
                "this would {} {count}; pass `--yes` if that is meant",
                verb.to_lowercase()
            ))),
        })
    }
}

fn refused(reason: impl fmt::Display) -> Answer {
    Answer::failed(2).line(format_args!("error: {reason}"))
}

/// Asks on the terminal; `None` if there is none.
fn agreed(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    eprint!("{question} [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// `cancel`
#[derive(Debug, Clone, clap::Args)]
pub struct Cancel {
    #[command(flatten)]
    chosen: Chosen,
    /// Why; the run's undos and whoever looks at it are told
    #[arg(long, default_value = "cancelled on the command line")]
    reason: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Cancel {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let unfinished = |query| RunQuery { over: Some(false), ..query };
        let runs = match self.chosen.query(client, "Cancel", unfinished).await? {
            Err(answer) => return Ok(answer),
            Ok(Some(query)) => client.cancel_all(&query, &self.reason).await?,
            Ok(None) => {
                let mut asked = 0;
                for run in &self.chosen.runs {
                    if !client.cancel(*run, &self.reason).await? {
                        return Ok(Answer::failed(1).line(format_args!(
                            "error: the run {run} is over or does not exist; {asked} runs were asked to \
                             stop before"
                        )));
                    }
                    asked += 1;
                }
                asked
            }
        };
        Ok(self.asked.answer(&Done { runs }, format_args!("{runs} runs were asked to stop.")))
    }
}

/// `retry`
#[derive(Debug, Clone, clap::Args)]
pub struct Retry {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Retry {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let failed = |query| RunQuery { status: Some(RunStatus::Failed), ..query };
        let runs = match self.chosen.query(client, "Retry", failed).await? {
            Err(answer) => return Ok(answer),
            Ok(Some(query)) => client.retry_all(&query).await?,
            Ok(None) => {
                for run in &self.chosen.runs {
                    client.retry(*run).await?;
                }
                self.chosen.runs.len() as u64
            }
        };
        Ok(self.asked.answer(&Done { runs }, format_args!("{runs} runs go on.")))
    }
}

/// `replay`
#[derive(Debug, Clone, clap::Args)]
pub struct Replay {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Replay {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let over = |query| RunQuery { over: Some(true), ..query };
        let runs = match self.chosen.query(client, "Replay", over).await? {
            Err(answer) => return Ok(answer),
            Ok(Some(query)) => client.replay_all(&query).await?,
            Ok(None) => {
                let mut started = Vec::new();
                for run in &self.chosen.runs {
                    started.push(client.replay(*run).await?);
                }
                let lines =
                    started.iter().fold(String::new(), |text, run| format!("{text}{run}\n"));
                return Ok(self.asked.answer(&json!({ "started": started }), lines));
            }
        };
        Ok(self.asked.answer(&Done { runs }, format_args!("{runs} runs were started once more.")))
    }
}

/// `fork`
#[derive(Debug, Clone, clap::Args)]
pub struct Fork {
    /// The run to start from
    run: RunId,
    /// The state before which the new run begins: `ship-item`, or one occurrence of it, `ship-item#1`
    #[arg(value_name = "STATE")]
    at: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Fork {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let run = client.fork(self.run, &self.at).await?;
        Ok(self.asked.answer(&json!({ "run": run }), run))
    }
}
