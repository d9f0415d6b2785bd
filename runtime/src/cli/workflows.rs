use serde_json::json;

use super::answer::Answer;
use super::operation::{Asked, Operation};
use super::table::{Maybe, Table};
use crate::client::Client;
use crate::error::Result;
use crate::store::RunStatus;

/// `workflows`
#[derive(Debug, Clone, clap::Args)]
pub struct Workflows {
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Workflows {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let workflows = client.workflows().await?;
        let names = ["WORKFLOW", "QUEUED", "RUNNING", "WAITING", "HELD", "FAILED", "PAUSED SINCE"];
        let mut table = Table::new(names, "No program of the app has registered.");
        for workflow in &workflows {
            let runs = |status| Maybe(workflow.runs.get(&status));
            table.row([
                &workflow.id,
                &runs(RunStatus::Queued),
                &runs(RunStatus::Running),
                &runs(RunStatus::Waiting),
                &runs(RunStatus::Held),
                &runs(RunStatus::Failed),
                &Maybe(workflow.paused_since),
            ]);
        }
        Ok(self.asked.answer(&workflows, table))
    }
}

/// `pause`
#[derive(Debug, Clone, clap::Args)]
pub struct Pause {
    /// The workflow's id
    workflow: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Pause {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { workflow, .. } = self;
        let now = client.pause_by_name(workflow).await?;
        let text = if now { "is paused" } else { "was paused already" };
        Ok(self.asked.answer(
            &json!({ "workflow": workflow, "changed": now }),
            format_args!("The workflow `{workflow}` {text}."),
        ))
    }
}

/// `resume`
#[derive(Debug, Clone, clap::Args)]
pub struct Resume {
    /// The workflow's id
    workflow: String,
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Resume {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let Self { workflow, .. } = self;
        let now = client.resume_by_name(workflow).await?;
        let text = if now { "goes on" } else { "was not paused" };
        Ok(self.asked.answer(
            &json!({ "workflow": workflow, "changed": now }),
            format_args!("The workflow `{workflow}` {text}."),
        ))
    }
}

/// `schedules`
#[derive(Debug, Clone, clap::Args)]
pub struct Schedules {
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Schedules {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let schedules = client.schedules().await?;
        let mut table = Table::new(
            ["WORKFLOW", "CRON", "TIME ZONE", "LAST", "NEXT"],
            "No workflow of the app has a schedule.",
        );
        for schedule in &schedules {
            let (cron, next) = (&schedule.cron, Maybe(schedule.upcoming().next()));
            table.row([
                &schedule.workflow,
                &cron.expression(),
                &cron.zone(),
                &Maybe(schedule.last),
                &next,
            ]);
        }
        Ok(self.asked.answer(&schedules, table))
    }
}

/// `stranded`
#[derive(Debug, Clone, clap::Args)]
pub struct Stranded {
    #[command(flatten)]
    asked: Asked,
}

impl Operation for Stranded {
    fn asked(&self) -> &Asked {
        &self.asked
    }

    async fn run(&self, client: &Client) -> Result<Answer> {
        let stranded = client.stranded().await?;
        let mut table = Table::new(["WORKFLOW", "RUNS", "SHAPE", "EXAMPLE"], "No run is stranded.");
        for runs in &stranded {
            table.row([&runs.workflow, &runs.runs, &Maybe(runs.shape), &runs.example]);
        }
        Ok(self.asked.answer(&stranded, table))
    }
}
