//! How soon a run that is started gives its result.

use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use indelible::Client;
use indelible::prelude::*;

use crate::{Benches, chain, walker};

/// So many events follow one another in a chain.
const HOPS: u32 = 10;

/// A worker in another process, as long as this is there.
struct Apart(Child);

impl Apart {
    fn begin(url: &str) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self(Command::new(program).args(["--database-url", url, "worker"]).spawn()?))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts runs one after the other and waits for each: in the worker's process, then from another one.
pub(crate) async fn latency(url: &str, runs: usize) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder(Benches).database(url).start().await?;
    measure("in one process", &runtime, runs).await?;
    runtime.shutdown().await;

    let client = Runtime::builder(Benches).database(url).connect().await?;
    let worker = Apart::begin(url)?;
    measure("from another process", &client, runs).await?;
    drop(worker);
    client.close().await;
    Ok(())
}

async fn measure(from: &str, client: &Client, runs: usize) -> indelible::Result<()> {
    // The first one waits for the worker to be there.
    client.start(walker, 1).await?.result().await?;
    client.start(chain, HOPS).await?.result().await?;
    let mut single = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        client.start(walker, 1).await?.result().await?;
        single.push(begun.elapsed());
    }
    println!("{from}, start to result of one step: {}", Latencies::of(single));
    let mut chained = Vec::new();
    for _ in 0..runs.div_ceil(10) {
        let begun = Instant::now();
        client.start(chain, HOPS).await?.result().await?;
        chained.push(begun.elapsed());
    }
    println!("{from}, a chain of {HOPS} events: {}", Latencies::of(chained));
    println!("{from}, found by polling alone: {}", client.found_by_polling());
    Ok(())
}

/// Sorted times, to be asked for their middle and their end.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that so many of a hundred stay below.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, most, worst] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(f, "median {median:.1?}, 99 % within {most:.1?}, at most {worst:.1?}")
    }
}
