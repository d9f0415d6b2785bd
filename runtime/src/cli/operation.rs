use std::fmt;

use serde::Serialize;

use super::answer::Answer;
use crate::client::Client;
use crate::error::Result;

/// Where to ask, and how to answer.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Asked {
    /// The database [default: INDELIBLE_DATABASE_URL, or the file `<app>.db` in the current folder]
    #[arg(long, value_name = "URL")]
    pub(super) database_url: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Asked {
    /// The answer, for people or in JSON.
    pub(super) fn answer(
        &self,
        what: &(impl Serialize + ?Sized),
        text: impl fmt::Display,
    ) -> Answer {
        match self.json {
            true => {
                let json = serde_json::to_string_pretty(what);
                Answer::default().line(json.unwrap_or_else(|error| error.to_string()))
            }
            false => Answer::default().text(text),
        }
    }
}

/// A command on the database.
pub(super) trait Operation {
    fn asked(&self) -> &Asked;

    async fn run(&self, client: &Client) -> Result<Answer>;
}
