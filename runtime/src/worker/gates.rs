use std::sync::Arc;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::store::StoreError;

/// Lets runs pass their gates. Also where the program has no limits: one before it may have had some, and
/// left runs that wait.
pub(crate) async fn open(env: Arc<Env>) {
    let mut lookout = Lookout::new(&env, &env.hints().gates, "a run that may pass its gates");
    loop {
        lookout.rest(open_once(&env).await).await;
    }
}

async fn open_once(env: &Env) -> Result<Looked, StoreError> {
    let opened = env.store.open_gates(env.program.app).await?;
    let next = Next::Within(opened.next.unwrap_or(env.config.poll_interval));
    Ok(Looked { found: 0, next })
}
