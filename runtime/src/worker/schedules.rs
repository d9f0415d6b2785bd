use std::sync::Arc;

use tokio::sync::Notify;

use super::{Env, Next, rest};
use crate::store::{Schedule, StoreError};

/// Starts the workflows whose time has come.
pub(crate) async fn fire(env: Arc<Env>) {
    let schedules = &env.program.registration.schedules;
    if schedules.is_empty() {
        // A service that ended would end the life that it is part of.
        return std::future::pending().await;
    }
    // Nothing that happens in this process makes a schedule due.
    let nothing = Notify::new();
    loop {
        let fired = fire_once(&env, schedules).await;
        rest(&env, &nothing, fired).await;
    }
}

async fn fire_once(env: &Env, schedules: &[Schedule]) -> Result<Next, StoreError> {
    let program = &env.program;
    let fired = env.store.fire(program.app, schedules, &|due| program.fire(due)).await?;
    if fired.runs > 0 {
        env.signals.announce();
    }
    Ok(Next::Within(fired.next.unwrap_or(env.config.poll_interval)))
}
