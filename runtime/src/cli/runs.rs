use std::collections::BTreeMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serialize;
use uuid::Uuid;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::table::{Maybe, Table};
use crate::client::{Client, Delay, Timeline};
use crate::error::{Error, Result};
use crate::event::EventId;
use crate::journal::RunId;
use crate::store::{Page, RunQuery, RunStatus, RunSummary};

/// Which runs are meant.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub(super) struct Filter {
    /// Only runs of this workflow
    #[arg(long, value_name = "ID")]
    workflow: Option<String>,
    /// Only runs with this status: queued, running, waiting, completed, failed, cancelled or held
    #[arg(long)]
    status: Option<RunStatus>,
    /// Only runs that this event started
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only runs that this run invoked
    #[arg(long, value_name = "RUN")]
    parent: Option<RunId>,
    /// Only runs with this attribute
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    attribute: Option<(String, String)>,
    /// Only runs whose error or reason has this text
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only runs accepted at this time or later: 2026-03-01T09:00:00Z, or how long ago: "2h"
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only runs accepted before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before: Option<Timestamp>,
}

impl Filter {
    pub(super) fn query(&self) -> RunQuery {
        let Self { workflow, status, event, parent, attribute, error, since, before } =
            self.clone();
        let (over, after, limit) = (None, None, None);
        RunQuery {
            workflow,
            status,
            over,
            parent,
            event,
            attribute,
            error,
            since,
            before,
            after,
            limit,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as `key=value`")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A time, or how long ago that was.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = text.read().map_err(|_| {
        "write a time, such as 2026-03-01T09:00:00Z, or how long ago: \"2h\"".to_owned()
    })?;
    let ago = SignedDuration::try_from(ago).map_err(|error| error.to_string())?;
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())
}

/// `runs`
#[derive(Debug, Clone, clap::Args)]
pub struct Runs {
    #[command(flatten)]
    filter: Filter,
    /// Only runs behind this one in the list
    #[arg(long, value_name = "RUN")]
    after: Option<RunId>,
    /// At most this many, up to 1000
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Runs {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { after, limit, .. } = *self;
        let query = RunQuery { after, limit: Some(limit), ..self.filter.query() };
        let page = client.list_runs(&query).await?;
        Ok(self.asked.answer(&page, listed(&page)))
    }
}

fn listed(page: &Page<RunSummary, RunId>) -> String {
    let mut table = Table::new(
        ["RUN", "WORKFLOW", "STATUS", "ACCEPTED", "TOOK", "WHY"],
        "There are no such runs.",
    );
    for run in &page.items {
        let error = run.error.as_ref().map(|error| error.message.as_str());
        let why = error.or(run.cancelled.as_deref()).or(run.held.as_deref()).unwrap_or_default();
        let took = run.started_at.zip(run.ended_at).map(|(from, to)| took(from, to));
        let accepted = format_args!("{:.3}", run.accepted_at).to_string();
        table.row([&run.id, &run.workflow, &run.status, &accepted, &Maybe(took), &why]);
    }
    match page.next {
        Some(next) => format!("{table}For more: --after {next}\n"),
        None => table.to_string(),
    }
}

fn took(from: Timestamp, to: Timestamp) -> String {
    let took = to.duration_since(from);
    let took = took.round(Unit::Millisecond).unwrap_or(took);
    format!("{took:#}")
}

/// `show`
#[derive(Debug, Clone, clap::Args)]
pub struct Show {
    /// The run's id
    run: RunId,
    /// Show its input, output and attributes, too
    #[arg(long)]
    payloads: bool,
    #[command(flatten)]
    asked: Asked,
}

/// A run with all that is known of it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    timeline: Timeline,
    attributes: BTreeMap<String, String>,
}

impl Operation for Show {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let timeline = client.timeline(self.run).await?;
        let attributes = client.attributes(self.run).await?;
        let mut text = timeline.to_string();
        if self.payloads {
            for (key, value) in &attributes {
                text += &format!("attribute  {key} = {value}\n");
            }
            text += &format!("input      {}\n", timeline.run.input.as_str());
            if let Some(output) = &timeline.run.output {
                text += &format!("output     {}\n", output.as_str());
            }
        }
        Ok(self.asked.answer(&Shown { timeline, attributes }, text))
    }
}

/// `why`
#[derive(Debug, Clone, clap::Args)]
pub struct Why {
    /// The id of a run or of an event
    #[arg(value_name = "RUN|EVENT", value_parser = Uuid::from_str)]
    id: Uuid,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Why {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        match client.why(self.id.into()).await {
            Ok(reasons) => Ok(self.asked.answer(&reasons, &reasons)),
            Err(Error::NoSuchRun(_)) => match client.why_event(self.id.into()).await {
                Ok(reasons) => Ok(self.asked.answer(&reasons.0, &reasons)),
                Err(Error::NoSuchEvent(id)) => {
                    let id = id.as_uuid();
                    Ok(Answer::failed(1)
                        .line(format_args!("error: there is no run and no event {id}")))
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        assert_eq!(
            moment("2026-03-01T09:00:00Z"),
            Ok("2026-03-01T09:00:00Z".parse().expect("it is one"))
        );
        let ago = moment("2h").expect("it is how long ago");
        let since = Timestamp::now().duration_since(ago);
        assert_eq!(since.as_hours(), 2);
        let refused = moment("yesterday").expect_err("it is neither");
        assert!(refused.contains("how long ago"), "{refused}");
    }

    #[test]
    fn an_attribute_is_a_key_and_a_value() {
        assert_eq!(pair("order=7=8"), Ok(("order".to_owned(), "7=8".to_owned())));
        assert!(pair("order").is_err());
    }
}
