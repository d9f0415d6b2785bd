use std::sync::Arc;
use std::time::Duration;

use super::Env;

/// Announcements closer together than this are one.
const COALESCED: Duration = Duration::from_millis(10);

/// Passes on what other processes announce.
pub(crate) async fn listen(env: Arc<Env>) {
    loop {
        let Err(error) = listen_once(&env).await;
        env.signals.outage(&error);
        tokio::time::sleep(env.config.poll_interval).await;
    }
}

async fn listen_once(env: &Env) -> Result<std::convert::Infallible, crate::store::StoreError> {
    let mut listener = env.store.listen(env.program.app).await?;
    // What was announced while nobody listened.
    env.signals.heard();
    loop {
        listener.heard().await?;
        env.signals.heard();
    }
}

/// Tells other processes of work made here, after its commit and never within it.
pub(crate) async fn announce(env: Arc<Env>) {
    loop {
        env.signals.announcement.notified().await;
        if let Err(error) = env.store.announce(env.program.app).await {
            env.signals.outage(&error);
        }
        tokio::time::sleep(COALESCED).await;
    }
}
