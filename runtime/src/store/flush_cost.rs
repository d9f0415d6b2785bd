//! What a flush costs, by the size of its batch. As a test it sees that all lines arrive; with
//! `INDELIBLE_BENCH` set (`cargo run -p xtask -- bench-flush`) it writes more of them and prints the
//! figures.

use std::time::Instant;

use super::NewRun;
use super::conformance::{
    APP, HOUR, ORDER, World, commit, done_with, ids, json, on_postgres, on_sqlite,
};
use crate::store::Then;

/// The outcome of a step: some hundred bytes, as most are.
const OUTCOME: &str = r#"{"ticket":"0192f3c4-5d6e-7f80-9a1b-2c3d4e5f6071","priority":"medium","skills":["billing","refunds"],"notes":"asked twice"}"#;

#[tokio::test]
async fn on_a_sqlite_file() {
    on_sqlite(measure).await;
}

#[tokio::test]
async fn on_a_postgres_server() {
    on_postgres(measure).await;
}

async fn measure(world: World) {
    let bench = std::env::var_os("INDELIBLE_BENCH").is_some();
    if bench {
        println!(
            "{:>10} {:>12} {:>14} {:>12}",
            world.store.name(),
            "rows a flush",
            "µs a flush",
            "µs a row"
        );
    }
    let worker = world.worker(HOUR).await;
    for size in [1, 10, 100, 1000] {
        let runs: Vec<_> = (0..size).map(|_| NewRun::new(ORDER, None, json("{}"))).collect();
        world.store.start(APP, &runs).await.expect("they start");
        let runs = ids(&world.claim(worker, size).await);
        let flushes = if bench { (50_000 / size).clamp(50, 2000) as u32 } else { 2 };
        let begun = Instant::now();
        for seq in 0..flushes {
            let lines: Vec<_> = runs
                .iter()
                .map(|run| commit(*run, seq, vec![done_with("triage", OUTCOME)], Then::Continue))
                .collect();
            let flushed = world.flush(worker, &lines).await.expect("all are ours");
            assert_eq!(flushed.evicted, []);
        }
        let flush = begun.elapsed().as_secs_f64() * 1e6 / f64::from(flushes);
        if bench {
            println!("{:>10} {size:>12} {flush:>14.0} {:>12.1}", "", flush / size as f64);
        }
        assert_eq!(world.lines(runs[0]).await, flushes as usize);
    }
}
