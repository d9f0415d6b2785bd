use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use super::Env;
use super::lookout::{Looked, Lookout, Next};

/// The workflows that are paused, as far as this worker knows.
pub(crate) type Paused = watch::Receiver<BTreeSet<String>>;

/// Keeps up with which workflows are paused. That none of their runs is claimed is the store's part;
/// this is for the runs that are being driven.
pub(crate) async fn follow(env: Arc<Env>, paused: watch::Sender<BTreeSet<String>>) {
    let mut lookout =
        Lookout::new(&env, &env.hints().pauses, "a workflow that was paused or resumed");
    loop {
        let looked = env.store.paused_workflows(env.program.app).await.map(|found| {
            let found = found.into_iter().map(|paused| paused.workflow).collect();
            let is_news = paused.send_if_modified(|known| {
                let changed = *known != found;
                *known = found;
                changed
            });
            Looked { found: is_news.into(), next: Next::Within(env.config.poll_interval) }
        });
        lookout.rest(looked).await;
    }
}
