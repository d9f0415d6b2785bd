//! What a flush costs, by the size of its batch. As a test it sees that all rows arrive; with
//! `INDELIBLE_BENCH` set (`cargo run -p xtask -- bench-flush`) it writes more of them and prints the
//! figures.

use std::time::{Duration, Instant};

use super::RunStatus;
use super::conformance::{
    APP, HOUR, ORDER, World, commit, done_with, ids, json, on_postgres, on_sqlite,
};
use crate::flow::NewRun;
use crate::id::WorkerId;
use crate::journal::{End, RunId, Then};

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
    let worker = world.worker(HOUR).await;
    print(world.store.name(), "rows a flush", "µs a row");
    for size in [1, 10, 100, 1000] {
        let runs = begin(&world, worker, size).await;
        let flushes = flushes(size, 50_000);
        let begun = Instant::now();
        for seq in 0..flushes {
            let rows: Vec<_> = runs
                .iter()
                .map(|run| commit(*run, seq, vec![done_with("triage", OUTCOME)], Then::Continue))
                .collect();
            let flushed = world.flush(worker, &rows).await.expect("all are ours");
            assert_eq!(flushed.evicted, []);
        }
        print_cost(size, flushes, begun.elapsed());
        assert_eq!(world.rows(runs[0]).await, flushes as usize);
    }
    print("", "ends a flush", "µs an end");
    for size in [1, 10, 100, 1000] {
        let flushes = flushes(size, 10_000);
        let mut took = Duration::ZERO;
        for _ in 0..flushes {
            let runs = begin(&world, worker, size).await;
            let ends: Vec<_> = runs
                .iter()
                .map(|run| {
                    let end = Then::End(End::Completed(json(OUTCOME)));
                    commit(*run, 0, vec![done_with("triage", OUTCOME)], end)
                })
                .collect();
            let begun = Instant::now();
            let flushed = world.flush(worker, &ends).await.expect("all are ours");
            took += begun.elapsed();
            assert_eq!(flushed.evicted, []);
            assert_eq!(world.status(runs[0]).await, RunStatus::Completed);
        }
        print_cost(size, flushes, took);
    }
}

/// Starts runs and claims them.
async fn begin(world: &World, worker: WorkerId, size: usize) -> Vec<RunId> {
    let runs: Vec<_> = (0..size).map(|_| NewRun::new(ORDER, None, json("{}"))).collect();
    world.store.start_runs(APP, &runs).await.expect("they start");
    ids(&world.claim(worker, size).await)
}

fn is_bench() -> bool {
    std::env::var_os("INDELIBLE_BENCH").is_some()
}

/// So many that they have written `rows` rows in the end.
fn flushes(size: usize, rows: usize) -> u32 {
    if is_bench() { (rows / size).clamp(50, 2000) as u32 } else { 2 }
}

fn print(name: &str, size: &str, share: &str) {
    if is_bench() {
        println!("{name:>10} {size:>12} {:>14} {share:>12}", "µs a flush");
    }
}

fn print_cost(size: usize, flushes: u32, took: Duration) {
    if is_bench() {
        let flush = took.as_secs_f64() * 1e6 / f64::from(flushes);
        println!("{:>10} {size:>12} {flush:>14.0} {:>12.1}", "", flush / size as f64);
    }
}
