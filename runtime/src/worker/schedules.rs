use std::sync::Arc;

use tokio::sync::Notify;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
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
    let mut lookout = Lookout::new(&env, &nothing, "a schedule that was due");
    loop {
        lookout.rest(fire_once(&env, schedules).await).await;
    }
}

async fn fire_once(env: &Env, schedules: &[Schedule]) -> Result<Looked, StoreError> {
    let program = &env.program;
    let fired = env.store.fire_schedules(program.app, schedules, &|due| program.fire(due)).await?;
    let next = Next::Within(fired.next.unwrap_or(env.config.poll_interval));
    Ok(Looked { found: 0, next })
}
