use std::sync::Arc;

use super::{Env, Next, rest};
use crate::store::StoreError;

/// How many deliveries are routed in one transaction.
const BATCH: usize = 500;

/// Turns deliveries into runs.
pub(crate) async fn route(env: Arc<Env>) {
    loop {
        let routed = route_once(&env).await;
        rest(&env, &env.signals.deliveries, routed).await;
    }
}

async fn route_once(env: &Env) -> Result<Next, StoreError> {
    let program = &env.program;
    let router = |event: &_| program.route(event);
    let routed = env.store.route(program.app, BATCH, program.gathers(), &router).await?;
    if routed > 0 {
        env.signals.ready.notify_one();
        env.signals.messages.notify_one();
        env.signals.batches.notify_one();
        env.signals.announcement.notify_one();
    }
    Ok(if routed == BATCH { Next::Again } else { Next::Within(env.config.poll_interval) })
}
