use std::sync::Arc;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::store::StoreError;

/// How many batches are completed in one transaction.
const BATCH: usize = 20;

/// Starts the runs of batches whose first event has waited long enough.
pub(crate) async fn complete(env: Arc<Env>) {
    if !env.program.gathers() {
        // A service that ended would end the life that it is part of.
        return std::future::pending().await;
    }
    let mut lookout = Lookout::new(&env, &env.hints().batches, "a batch that was due");
    loop {
        lookout.rest(complete_once(&env).await).await;
    }
}

async fn complete_once(env: &Env) -> Result<Looked, StoreError> {
    let completed = env.store.complete_batches(env.program.app, BATCH).await?;
    let next = match completed.next {
        _ if completed.runs == BATCH => Next::Again,
        Some(next) => Next::Within(next),
        None => Next::Within(env.config.poll_interval),
    };
    // Time alone has made them so.
    Ok(Looked { found: 0, next })
}
