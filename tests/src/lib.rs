//! What the end-to-end tests share.

pub mod databases;
pub mod fleet;
pub mod postgres;
pub mod process;

use std::time::{Duration, Instant};

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
