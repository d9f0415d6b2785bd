//! A worker process of the tests: it drives the workflows of `crowd` until it is stopped.
//!
//! `crowd DATABASE_URL LEASE_IN_MILLISECONDS THREADS`

use std::time::Duration;

use indelible::Runtime;
use indelible_tests::crowd::Crowd;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(lease), Some(threads)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: crowd DATABASE_URL LEASE_IN_MILLISECONDS THREADS".into());
    };
    let lease = Duration::from_millis(lease.parse()?);
    let mut threads_of = tokio::runtime::Builder::new_multi_thread();
    threads_of.worker_threads(threads.parse()?).enable_all().build()?.block_on(async {
        let builder = Runtime::builder(Crowd).database(url).lease(lease);
        builder.grace(Duration::from_secs(1)).start().await?.until_signal().await?;
        Ok(())
    })
}
