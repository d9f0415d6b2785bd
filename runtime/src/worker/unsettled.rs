use std::sync::Arc;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::store::{SETTLED, StoreError};

/// Works out which events cancel the runs that were begun by clients without the code, and what limits these runs
/// have.
pub(crate) async fn settle(env: Arc<Env>) {
    let what = "a run whose limits were not known where it was begun";
    let mut lookout = Lookout::new(&env, &env.hints().unsettled, what);
    loop {
        lookout.rest(settle_once(&env).await).await;
    }
}

async fn settle_once(env: &Env) -> Result<Looked, StoreError> {
    let program = &env.program;
    let workflows = &program.registration.workflows;
    let found = env.store.settle_runs(program.app, workflows, &**program).await?;
    let next = if found < SETTLED { Next::Within(env.config.poll_interval) } else { Next::Again };
    Ok(Looked { found, next })
}
