//! A worker process of the tests: it drives the workflows of `wakeups` until it is stopped.
//!
//! `wakeups DATABASE_URL`

use std::time::Duration;

use indelible::Runtime;
use indelible_tests::wakeups::Wakeups;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = tracing_subscriber::filter::LevelFilter::ERROR;
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let Some(url) = std::env::args().nth(1) else {
        return Err("usage: wakeups DATABASE_URL".into());
    };
    let runtime = Runtime::builder(Wakeups)
        .database(url)
        .poll_interval(Duration::from_secs(60))
        .grace(Duration::from_secs(1))
        .start()
        .await?;
    let client = runtime.client();
    runtime.until_signal().await?;
    println!("{}", client.found_by_polling());
    Ok(())
}
