//! A worker process of the tests: it drives `errand` until it is stopped.
//!
//! `fleet DATABASE_URL LEASE_IN_MILLISECONDS`

use std::time::Duration;

use indelible::Runtime;
use indelible_tests::fleet::{Fleet, GRACE, Ground};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(lease)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fleet DATABASE_URL LEASE_IN_MILLISECONDS".into());
    };
    let lease = Duration::from_millis(lease.parse()?);
    let ground = Ground::open(&url).await?;
    let runtime = Runtime::builder(Fleet)
        .database(url)
        .resource(ground)
        .max_active_runs(50)
        .lease(lease)
        .poll_interval(Duration::from_millis(100))
        .grace(GRACE)
        .start()
        .await?;
    runtime.until_signal().await?;
    Ok(())
}
