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
    /// Replays the journals of all of an app's runs in a database, finished or not, each up to each of
    /// its lines: what a crash there would have made of it. So a test that drives runs in earnest
    /// finds impurities that the runs themselves did not stumble over. No step runs; give it the
    /// resources that the workflows take.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    ///
    /// # Panics
    ///
    /// When a body does not do again what its journal says, with both orders.
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
