use std::collections::BTreeMap;

use super::{Client, check_query};
use crate::error::{Error, Result};
use crate::given::{LONGEST_KEY, check};
use crate::journal::RunId;
use crate::store::{
    DatabaseHealth, EventQuery, EventSummary, Page, RunQuery, RunSummary, WorkerRecord,
    WorkflowSummary,
};

/// The longest page.
const LONGEST: u32 = 1_000;

impl Client {
    /// A page of the app's runs, the newest first, without their inputs and outputs. For the next page, give
    /// [`Page::next`] as [`RunQuery::after`]. A page has at most 1,000 runs.
    ///
    /// [`runs`](Self::runs) gives whole runs, the oldest first.
    ///
    /// ```
    /// # use indelible::{RunQuery, RunStatus};
    /// # async fn show(client: indelible::Client) -> indelible::Result<()> {
    /// let failed = RunQuery { status: Some(RunStatus::Failed), ..RunQuery::default() };
    /// for run in client.list_runs(&failed).await?.items {
    ///     println!("{} {} {:?}", run.id, run.workflow, run.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`runs`](Self::runs).
    pub async fn list_runs(&self, query: &RunQuery) -> Result<Page<RunSummary, RunId>> {
        check_query(query)?;
        let limit = query.limit.unwrap_or(100).clamp(1, LONGEST);
        let query = RunQuery { limit: Some(limit), ..query.clone() };
        let runs = self.store.run_summaries(self.app()?, &query).await?;
        let is_full = runs.len() == limit as usize;
        let next = runs.last().map(|run| run.id).filter(|_| is_full);
        Ok(Page::new(runs, next))
    }

    /// A page of the database's events, the newest first. For the next page, give [`Page::next`] as
    /// [`EventQuery::after`].
    ///
    /// Of a name that is rare, a page may have few events and yet a next page: it goes through 10,000 events at
    /// most.
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if the name is longer than 1 KiB or has a NUL character (U+0000); or when the
    /// database does not answer.
    pub async fn list_events(&self, query: &EventQuery) -> Result<Page<EventSummary>> {
        if let Some(name) = &query.name {
            check(name, LONGEST_KEY).map_err(|cause| Error::UnfitText {
                what: "the name of an event".to_owned(),
                cause,
            })?;
        }
        Ok(self.store.event_summaries(query).await?)
    }

    /// The workflows that programs of the app have registered, in order of their ids, with how many runs of
    /// each have which status. These are counted up to a thousand.
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`]; or when the database does not answer.
    pub async fn workflows(&self) -> Result<Vec<WorkflowSummary>> {
        Ok(self.store.workflow_summaries(self.app()?).await?)
    }

    /// The workers of the app, in the order in which they joined.
    ///
    /// # Errors
    ///
    /// [`Error::NoApp`]; or when the database does not answer.
    pub async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        Ok(self.store.worker_records(self.app()?).await?)
    }

    /// The [attributes](crate::step::Step::attribute) of a run.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn attributes(&self, run: RunId) -> Result<BTreeMap<String, String>> {
        Ok(self.store.attributes(run).await?)
    }

    /// How the database is doing: its settings, the sizes of its tables, and what keeps dead rows from being
    /// removed. What other users do on the server is known only with the rights of `pg_read_all_stats`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn database_health(&self) -> Result<DatabaseHealth> {
        Ok(self.store.health().await?)
    }
}
