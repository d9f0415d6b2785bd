use std::sync::Arc;

use super::{Env, Next, rest};
use crate::id::WorkerId;
use crate::store::{Deliveries, StoreError};

/// How many deliveries are routed in one transaction.
const BATCH: usize = 500;

/// Turns deliveries into runs.
pub(crate) async fn route(env: Arc<Env>, worker: WorkerId) {
    let parts = env.program.registration.parts();
    loop {
        let routed = route_once(&env, worker, &parts).await;
        rest(&env, &env.signals.deliveries, routed).await;
    }
}

async fn route_once(env: &Env, worker: WorkerId, parts: &[String]) -> Result<Next, StoreError> {
    let program = &env.program;
    let router = |event: &_| program.route(event);
    let (app, in_turn) = (program.app, program.gathers());
    let deliveries = Deliveries { worker, app, parts, limit: BATCH, in_turn };
    let routed = env.store.route(deliveries, &router).await?;
    if routed > 0 {
        env.signals.ready.notify_one();
        env.signals.messages.notify_one();
        env.signals.batches.notify_one();
        env.signals.announcement.notify_one();
    }
    Ok(if routed == BATCH { Next::Again } else { Next::Within(env.config.poll_interval) })
}
