use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::table::Table;
use crate::client::Client;
use crate::error::Result;

/// `workers`
#[derive(Debug, Clone, clap::Args)]
pub struct Workers {
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Workers {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let workers = client.workers().await?;
        let mut table = Table::new(
            ["WORKER", "HOST", "PROCESS", "SINCE", "RUNS", "LEASE"],
            "No worker is there.",
        );
        for worker in &workers {
            let lease = if worker.is_late { "has run out" } else { "holds" };
            let since = format_args!("{:.0}", worker.joined_at).to_string();
            table.row([&worker.id, &worker.host, &worker.pid, &since, &worker.runs, &lease]);
        }
        Ok(self.asked.answer(&workers, table))
    }
}
