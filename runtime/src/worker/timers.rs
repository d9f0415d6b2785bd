use std::sync::Arc;

use super::{Env, Next, rest};
use crate::store::StoreError;

/// How many runs are woken in one transaction.
const BATCH: usize = 1000;

/// Wakes parked runs whose time has come.
pub(crate) async fn promote(env: Arc<Env>) {
    loop {
        let promoted = promote_once(&env).await;
        rest(&env, &env.signals.timers, promoted).await;
    }
}

async fn promote_once(env: &Env) -> Result<Next, StoreError> {
    let promoted = env.store.promote(BATCH).await?;
    if promoted.runs > 0 {
        env.signals.announce();
    }
    Ok(match promoted.next {
        _ if promoted.runs == BATCH => Next::Again,
        Some(next) => Next::Within(next),
        None => Next::Within(env.config.poll_interval),
    })
}
