use serde_json::json;

use super::answer::Answer;
use super::events::given;
use super::operation::{Asked, Operation};
use crate::client::Client;
use crate::error::Result;

/// `start`
#[derive(Debug, Clone, clap::Args)]
pub struct Start {
    /// The workflow's id
    workflow: String,
    /// The input in JSON; `-` reads it from standard input
    input: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Start {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let input = match given(&self.input) {
            Ok(input) => input,
            Err(answer) => return Ok(answer),
        };
        let run = client.start_by_name(&self.workflow, input).await?.id();
        Ok(self.asked.answer(&json!({ "run": run }), run))
    }
}
