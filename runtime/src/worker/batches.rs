use std::sync::Arc;
use std::time::Duration;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::id::WorkerId;
use crate::store::{Deliveries, StoreError};

/// How many batches are completed in one transaction.
const BATCH: usize = 20;
/// How soon it is looked again whether events were routed.
const ROUTED: Duration = Duration::from_millis(5);

/// Starts the runs of batches whose first event has waited long enough.
pub(crate) async fn complete(env: Arc<Env>, worker: WorkerId) {
    if !env.program.gathers() {
        // A service that ended would end the life that it is part of.
        return std::future::pending().await;
    }
    let mut lookout = Lookout::new(&env, &env.hints().batches, "a batch that was due");
    let parts = env.program.registration.parts();
    loop {
        lookout.rest(complete_once(&env, worker, &parts).await).await;
    }
}

async fn complete_once(
    env: &Env,
    worker: WorkerId,
    parts: &[String],
) -> Result<Looked, StoreError> {
    let deliveries =
        Deliveries { worker, app: env.program.app, parts, limit: BATCH, in_turn: false };
    let completed = env.store.complete_batches(deliveries, &*env.program).await?;
    let next = match completed.next {
        _ if completed.runs == BATCH => Next::Again,
        // What is due and was left waits for events to be routed.
        Some(next) => Next::Within(next.max(ROUTED)),
        None => Next::Within(env.config.poll_interval),
    };
    // Time alone has made them so.
    Ok(Looked { found: 0, next })
}
