use std::sync::Arc;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::id::WorkerId;
use crate::store::{Deliveries, StoreError};

/// How many deliveries are routed in one transaction.
const BATCH: usize = 500;

/// Turns deliveries into runs.
pub(crate) async fn route(env: Arc<Env>, worker: WorkerId) {
    let parts = env.program.registration.parts();
    let mut lookout = Lookout::new(&env, &env.hints().deliveries, "events to be routed");
    loop {
        lookout.rest(route_once(&env, worker, &parts).await).await;
    }
}

async fn route_once(env: &Env, worker: WorkerId, parts: &[String]) -> Result<Looked, StoreError> {
    let program = &env.program;
    let (app, in_turn) = (program.app, program.needs_order());
    let deliveries = Deliveries { worker, app, parts, limit: BATCH, in_turn };
    let found = env.store.route_deliveries(deliveries, &**program).await?;
    let more = found == BATCH;
    let next = if more { Next::Again } else { Next::Within(env.config.poll_interval) };
    Ok(Looked { found, next })
}
