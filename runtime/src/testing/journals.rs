use std::sync::Arc;

use super::Bench;
use crate::app::App;
use crate::client::Client;
use crate::error::Result;
use crate::machine::replay_prefixes;
use crate::program::Program;
use crate::step::Limits;
use crate::store::RunQuery;

impl Bench {
    /// Checks all runs of an app in a database for code that is not deterministic.
    ///
    /// For each run, finished or not, and for each entry of its journal, it resumes the run as if a crash had
    /// happened right after that entry. So an end-to-end test can find code that would break a resume, even
    /// if no run had to resume. No step runs. Give the bench the resources that the workflows take.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    ///
    /// # Panics
    ///
    /// When a body contradicts its journal. The message shows both orders.
    pub async fn assert_journals_replay<A: App>(self, _app: A, client: &Client) -> Result<()> {
        let resources = Arc::new(self.resources);
        let program = Program::new::<A>(Limits::DEFAULT);
        let mut query = RunQuery { limit: Some(1000), ..RunQuery::default() };
        loop {
            let page = client.runs(&query).await?;
            let Some(last) = page.last() else { return Ok(()) };
            query.after = Some(last.id);
            for record in page {
                // Runs of workflows that only an earlier program had cannot be replayed.
                let Some(definition) = program.workflow(&record.workflow) else { continue };
                let origin = record.origin(client.journal(record.id).await?);
                let output = record.output.as_ref();
                let replayed = replay_prefixes(definition, &resources, &origin, output);
                if let Err(contradiction) = replayed {
                    panic!("`{}` {}: {contradiction}", record.workflow, record.id);
                }
            }
        }
    }
}
