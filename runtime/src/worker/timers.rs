use std::sync::Arc;
use std::time::Duration;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::store::StoreError;

/// How many runs are woken in one transaction.
const BATCH: usize = 1000;

/// A timer that has been due for longer was not known of. One that another worker looks after may be
/// found here a moment before.
const OVERLOOKED: Duration = Duration::from_secs(1);

/// Wakes parked runs whose time has come.
pub(crate) async fn wake(env: Arc<Env>) {
    let mut lookout = Lookout::new(&env, &env.hints().timers, "a timer that was due");
    loop {
        lookout.rest(wake_once(&env).await).await;
    }
}

async fn wake_once(env: &Env) -> Result<Looked, StoreError> {
    let woken = env.store.wake_due(BATCH).await?;
    let overlooked = woken.late.is_some_and(|late| late > OVERLOOKED);
    let found = if overlooked { woken.runs } else { 0 };
    let next = match woken.next {
        _ if woken.runs == BATCH => Next::Again,
        Some(next) => Next::Within(next),
        None => Next::Within(env.config.poll_interval),
    };
    Ok(Looked { found, next })
}
