//! A worker process of the tests: it drives some workflows of `split` until it is stopped.
//!
//! `split DATABASE_URL WORKFLOW..`

use std::time::Duration;

use indelible::Runtime;
use indelible_tests::split::{Crane, Split, heavy, light, round, tally};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let level = tracing_subscriber::filter::LevelFilter::ERROR;
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: split DATABASE_URL WORKFLOW..")?;
    let mut builder = Runtime::builder(Split).database(url).lease(Duration::from_secs(2));
    for workflow in arguments {
        builder = match &*workflow {
            "heavy" => builder.only(heavy).resource(Crane),
            "light" => builder.only(light),
            "tally" => builder.only(tally),
            "round" => builder.only(round),
            unknown => return Err(format!("no workflow of this app is `{unknown}`").into()),
        };
    }
    builder.start().await?.until_signal().await?;
    Ok(())
}
