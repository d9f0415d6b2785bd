use std::sync::Arc;

use super::{Env, Next, rest};
use crate::store::StoreError;

/// How many batches are completed in one transaction.
const BATCH: usize = 20;

/// Starts the runs of batches whose first event has waited long enough.
pub(crate) async fn complete(env: Arc<Env>) {
    if !env.program.gathers() {
        // A service that ended would end the life that it is part of.
        return std::future::pending().await;
    }
    loop {
        let completed = complete_once(&env).await;
        rest(&env, &env.signals.batches, completed).await;
    }
}

async fn complete_once(env: &Env) -> Result<Next, StoreError> {
    let completed = env.store.complete(env.program.app, BATCH).await?;
    if completed.runs > 0 {
        env.signals.announce();
    }
    Ok(match completed.next {
        _ if completed.runs == BATCH => Next::Again,
        Some(next) => Next::Within(next),
        None => Next::Within(env.config.poll_interval),
    })
}
