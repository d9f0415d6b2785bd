//! What the end-to-end tests share.

pub mod cluster;
pub mod controls;
pub mod crowd;
pub mod databases;
pub mod dump;
pub mod fleet;
pub mod left_behind;
pub mod log;
pub mod moves;
pub mod operations;
pub mod postgres;
pub mod process;
pub mod split;
pub mod tables;
pub mod tripwire;
pub mod user;
pub mod wakeups;

use std::time::{Duration, Instant};

use indelible::Runtime;
use indelible::testing::Bench;

/// Asks until the answer is yes.
///
/// # Panics
///
/// When it is still no after a minute.
pub async fn eventually(what: &str, mut question: impl AsyncFnMut() -> bool) {
    let asked = Instant::now();
    while !question().await {
        assert!(asked.elapsed() < Duration::from_secs(60), "after a minute, still not: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Shuts a runtime down, after having replayed the journals of all its runs at every prefix. The bench
/// has what the workflows are lent.
///
/// # Panics
///
/// When a body does not do again what its journal says, or only polling has found some of its work.
pub async fn shut_down<A: indelible::App>(app: A, bench: Bench, runtime: Runtime) {
    assert_eq!(runtime.found_by_polling(), 0, "nobody has spoken of some work");
    bench.assert_journals_replay(app, &runtime).await.expect("the database answers");
    runtime.shutdown().await;
}

/// What the random choices of a test come from: `INDELIBLE_TEST_SEED`, or else the time. It is
/// printed, so that a failure can be had again.
///
/// # Panics
///
/// When the variable is not a number.
pub fn seed() -> u64 {
    let seed = match std::env::var("INDELIBLE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("INDELIBLE_TEST_SEED is a number"),
        Err(_) => {
            let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
            since.map_or(0, |since| since.as_nanos() as u64)
        }
    };
    println!("INDELIBLE_TEST_SEED={seed}");
    seed
}
