//! A worker process of the tests: it drives the workflows of `moves` until it is stopped, and prints
//! which steps begin.
//!
//! `moves DATABASE_URL`

use std::time::Duration;

use indelible::Runtime;
use indelible_tests::moves::{House, Moves};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = tracing_subscriber::filter::LevelFilter::ERROR;
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let Some(url) = std::env::args().nth(1) else {
        return Err("usage: moves DATABASE_URL".into());
    };
    let runtime = Runtime::builder(Moves)
        .database(url)
        .resource(House::old())
        .lease(Duration::from_secs(2))
        .grace(Duration::from_millis(100))
        .start()
        .await?;
    runtime.until_signal().await?;
    Ok(())
}
