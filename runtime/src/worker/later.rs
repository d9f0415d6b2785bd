use std::sync::Arc;
use std::time::Duration;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::store::StoreError;

/// How many events are accepted in one transaction.
const BATCH: usize = 100;

/// How soon it is looked again whether somebody else has accepted what is due.
const TAKEN: Duration = Duration::from_millis(5);

/// Accepts events whose time has come, of whatever app, and those that a transaction of the user's has
/// left behind.
pub(crate) async fn accept(env: Arc<Env>) {
    let mut lookout = Lookout::new(&env, &env.hints().later, "an event that was due");
    loop {
        lookout.rest(accept_once(&env).await).await;
    }
}

async fn accept_once(env: &Env) -> Result<Looked, StoreError> {
    let accepted = env.store.accept_due(BATCH).await?;
    let next = match accepted.next {
        _ if accepted.events == BATCH => Next::Again,
        Some(next) => Next::Within(next.max(TAKEN)),
        None => Next::Within(env.config.poll_interval),
    };
    Ok(Looked { found: accepted.overlooked, next })
}
