use std::io::Read as _;

use serde_json::json;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::table::Table;
use crate::client::Client;
use crate::error::Result;
use crate::event::EventId;
use crate::store::{BlockedQuery, EventQuery};

/// JSON from the command line, or from standard input if it is `-`.
pub(super) fn given(text: &str) -> Result<Box<RawValue>, Answer> {
    let refused = |what: &str, reason: &dyn std::fmt::Display| {
        Answer::failed(2).line(format_args!("error: {what}: {reason}"))
    };
    let mut read = String::new();
    let text = match text {
        "-" => match std::io::stdin().read_to_string(&mut read) {
            Ok(_) => &read,
            Err(error) => return Err(refused("standard input cannot be read", &error)),
        },
        text => text,
    };
    serde_json::from_str(text).map_err(|error| refused("this is not JSON", &error))
}

/// `send`
#[derive(Debug, Clone, clap::Args)]
pub struct Send {
    /// The event's name: ticket/created
    name: String,
    /// Its data in JSON; `-` reads it from standard input
    data: String,
    /// Sends nothing if an event with this name and key was sent in the last 24 hours
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Sends it so much later: "1h"
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Send {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let data = match given(&self.data) {
            Ok(data) => data,
            Err(answer) => return Ok(answer),
        };
        let mut sending = client.send_by_name(&self.name, data);
        if let Some(key) = &self.idempotency_key {
            sending = sending.idempotency_key(key);
        }
        if let Some(delay) = &self.after {
            sending = sending.after(&**delay);
        }
        let id = sending.await?;
        Ok(self.asked.answer(&json!({ "event": id }), id))
    }
}

/// `events`
#[derive(Debug, Clone, clap::Args)]
pub struct Events {
    /// Only events of this name
    #[arg(long)]
    name: Option<String>,
    /// Only events that were accepted before this one
    #[arg(long, value_name = "EVENT")]
    after: Option<EventId>,
    /// At most this many, up to 1000
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Events {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let query =
            EventQuery { name: self.name.clone(), after: self.after, limit: Some(self.limit) };
        let page = client.list_events(&query).await?;
        let mut table =
            Table::new(["EVENT", "NAME", "ACCEPTED", "DATA"], "There are no such events.");
        for event in &page.items {
            let accepted = format_args!("{:.3}", event.accepted_at).to_string();
            table.row([&event.id, &event.name, &accepted, &shortened(event.data.as_str())]);
        }
        let more = page.next.map(|next| format!("For more: --after {next}\n"));
        let text = format!("{table}{}", more.unwrap_or_default());
        Ok(self.asked.answer(&page, text))
    }
}

/// So much of a JSON text as fits beside other columns.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `blocked`
#[derive(Debug, Clone, clap::Args)]
pub struct Blocked {
    /// Only events with a greater id
    #[arg(long, value_name = "EVENT")]
    after: Option<EventId>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Blocked {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let query = BlockedQuery { after: self.after, limit: Some(self.limit) };
        let events = client.blocked_events(&query).await?;
        let mut table = Table::new(["EVENT", "NAME", "FOR", "WHY"], "No event is blocked.");
        for event in &events {
            for blocked in &event.blocked {
                table.row([&event.id, &event.name, &blocked.workflow, &blocked.reason]);
            }
        }
        Ok(self.asked.answer(&events, table))
    }
}

/// `resend`
#[derive(Debug, Clone, clap::Args)]
pub struct Resend {
    /// The blocked event's id
    event: EventId,
    /// The changed data in JSON; `-` reads it from standard input
    data: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Resend {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let data = match given(&self.data) {
            Ok(data) => data,
            Err(answer) => return Ok(answer),
        };
        let id = client.resend(self.event, &data).await?;
        Ok(self.asked.answer(&json!({ "event": id }), id))
    }
}

/// `discard`
#[derive(Debug, Clone, clap::Args)]
pub struct Discard {
    /// The blocked event's id
    event: EventId,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Discard {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { event, .. } = self;
        match client.discard(*event).await? {
            true => Ok(self.asked.answer(
                &json!({ "discarded": event }),
                format_args!("No workflow will be asked about the event {event} again."),
            )),
            false => Ok(Answer::failed(1)
                .line(format_args!("error: the event {event} is blocked for no workflow"))),
        }
    }
}
