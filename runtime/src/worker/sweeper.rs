use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Env;

/// How long it rests, and how long if it has left something.
const REST: Duration = Duration::from_secs(60);
const BREATH: Duration = Duration::from_millis(200);

/// Removes what says nothing any more, so that keys that come only once leave nothing behind.
pub(crate) async fn sweep(env: Arc<Env>) {
    let mut rest = REST;
    loop {
        sleep(rest).await;
        rest = match env.store.sweep(env.program.app).await {
            Ok(true) => BREATH,
            Ok(false) => REST,
            Err(error) => {
                env.outages.outage(&error);
                REST
            }
        };
    }
}
