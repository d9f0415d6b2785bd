//! A worker process of the tests: it drives the workflows of `operations` until it is stopped.
//!
//! `operations DATABASE_URL before|after LEDGER_URL`

use std::time::Duration;

use indelible::{App, Runtime};
use indelible_tests::operations::{After, Before, Ledger};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = tracing_subscriber::filter::LevelFilter::WARN;
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next().as_deref(), arguments.next()) {
        (Some(url), Some("before"), Some(ledger)) => drive(Before, url, &ledger).await?,
        (Some(url), Some("after"), Some(ledger)) => drive(After, url, &ledger).await?,
        _ => return Err("usage: operations DATABASE_URL before|after LEDGER_URL".into()),
    }
    Ok(())
}

async fn drive<A: App>(app: A, url: String, ledger: &str) -> indelible::Result<()> {
    let ledger = Ledger::at(ledger);
    let runtime = Runtime::builder(app)
        .database(url)
        .resource(ledger)
        .lease(Duration::from_secs(30))
        .poll_interval(Duration::from_millis(100))
        .start()
        .await?;
    runtime.until_signal().await
}
