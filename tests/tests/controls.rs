//! Each argument of flow control holds exactly while four worker processes share the work and two of them are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use indelible::testing::Bench;
use indelible::{Client, Runtime};
use indelible_tests::controls::{LOT, Load, PACE, RATED, WHOLE};
use indelible_tests::eventually;
use indelible_tests::fleet::{Fleet, Ground};
use indelible_tests::postgres::Database;
use indelible_tests::process::Process;

/// How many loads each workflow gets.
const LOADS: u32 = 40;

/// How many keys they have.
const KEYS: u32 = 4;

/// What is not there any more at the end.
const LEFT: [(&str, &str); 6] = [
    ("all events were looked at", "SELECT count(*) FROM indelible.deliveries"),
    ("all batches have started", "SELECT count(*) FROM indelible.batches"),
    ("all runs are over", "SELECT count(*) FROM indelible.runs WHERE ended_at IS NULL"),
    ("no slot is left", "SELECT count(*) FROM indelible.slots WHERE app <> ''"),
    ("nothing is ready", "SELECT count(*) FROM indelible.ready WHERE app <> ''"),
    ("no opening is left", "SELECT count(*) FROM indelible.openings"),
];

/// A run of a workflow.
#[derive(Debug, Clone)]
struct Run {
    /// The numbers of its loads.
    loads: Vec<u32>,
    key: u32,
    status: String,
    /// When its first step began, in microseconds.
    begun: Option<i64>,
    ended: i64,
}

impl Run {
    fn no(&self) -> u32 {
        self.loads[0]
    }
}

/// What four workers have made of the loads.
struct Outcome {
    runs: BTreeMap<String, Vec<Run>>,
    /// The loads that started no run, by workflow.
    skipped: BTreeMap<String, BTreeSet<u32>>,
}

impl Outcome {
    async fn read(ground: &Ground) -> Self {
        let rows: Vec<(String, String, String, Option<i64>, i64)> = sqlx::query_as(
            "SELECT run.workflow, run.status, run.input::text,
                    (SELECT (extract(epoch FROM min(trace.begun)) * 1000000)::bigint FROM traces trace
                     WHERE trace.step = 'load ' || coalesce(run.input ->> 'no', run.input -> 0 ->> 'no')),
                    (extract(epoch FROM run.ended_at) * 1000000)::bigint
             FROM indelible.runs run WHERE run.workflow <> 'pay-toll'",
        )
        .fetch_all(ground.pool())
        .await
        .expect("the runs");
        let mut runs = BTreeMap::<String, Vec<Run>>::new();
        for (workflow, status, input, begun, ended) in rows {
            let loads: Vec<Load> = match serde_json::from_str(&input) {
                Ok(loads) => loads,
                Err(_) => vec![serde_json::from_str(&input).expect("a load")],
            };
            let key = loads[0].key;
            assert!(loads.iter().all(|load| load.key == key), "{workflow} has mixed its keys");
            let loads = loads.iter().map(|load| load.no).collect();
            runs.entry(workflow).or_default().push(Run { loads, key, status, begun, ended });
        }
        for runs in runs.values_mut() {
            runs.sort_by_key(Run::no);
        }
        let rows: Vec<(String, i32)> = sqlx::query_as(
            "SELECT skipped.workflow, (event.data ->> 'no')::int
             FROM indelible.skipped JOIN indelible.events event ON event.id = skipped.event_id",
        )
        .fetch_all(ground.pool())
        .await
        .expect("what was skipped");
        let mut skipped = BTreeMap::<String, BTreeSet<u32>>::new();
        for (workflow, no) in rows {
            skipped.entry(workflow).or_default().insert(no as u32);
        }
        Self { runs, skipped }
    }

    fn of(&self, workflow: &str) -> &[Run] {
        self.runs.get(workflow).unwrap_or_else(|| panic!("{workflow} has no runs"))
    }

    /// The runs of each key of a workflow, in order of acceptance.
    fn by_key(&self, workflow: &str) -> BTreeMap<u32, Vec<&Run>> {
        let mut keys = BTreeMap::<u32, Vec<&Run>>::new();
        for run in self.of(workflow) {
            keys.entry(run.key).or_default().push(run);
        }
        assert_eq!(keys.len(), KEYS as usize, "{workflow} has lost a key");
        keys
    }

    /// Every load has become a run, and each of those has completed.
    fn all_completed(&self, workflow: &str) {
        let runs = self.of(workflow);
        assert_eq!(runs.len(), LOADS as usize, "{workflow}");
        let undone: Vec<_> = runs.iter().filter(|run| run.status != "completed").collect();
        assert!(undone.is_empty(), "{workflow}: {undone:?}");
    }

    /// Every load is in exactly one run or was skipped. Loads of a run are in order.
    fn nothing_is_lost(&self, workflow: &str) {
        let none = BTreeSet::new();
        let skipped = self.skipped.get(workflow).unwrap_or(&none);
        let mut loads: Vec<u32> = skipped.iter().copied().collect();
        for run in self.of(workflow) {
            assert!(run.loads.is_sorted(), "{workflow}: {run:?}");
            loads.extend(&run.loads);
        }
        loads.sort_unstable();
        let before = loads.len();
        loads.dedup();
        assert_eq!((before, loads.len()), (LOADS as usize, LOADS as usize), "{workflow}");
    }

    /// As many runs of the busiest key were there at a time, and of no key more, from their first step to their end.
    fn at_most(&self, workflow: &str, most: i64) {
        let mut greatest = 0;
        for (key, runs) in self.by_key(workflow) {
            // A step that was dropped may still reach the database when its run has been cancelled.
            let stays = runs.iter().filter_map(|run| Some((run.begun?.min(run.ended), run.ended)));
            let mut moves: Vec<(i64, i8)> =
                stays.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
            moves.sort_unstable();
            let mut there = 0_i64;
            for (_, change) in moves {
                there += i64::from(change);
                greatest = greatest.max(there);
                assert!(there <= most, "{there} runs of {workflow} had the key {key}: {runs:?}");
            }
        }
        assert_eq!(greatest, most, "{workflow} was never busy");
    }

    /// The newest run of each key has completed. Older ones have, or were cancelled.
    fn the_newest_completed(&self, workflow: &str) {
        for (key, runs) in self.by_key(workflow) {
            let statuses: Vec<_> = runs.iter().map(|run| &*run.status).collect();
            assert_eq!(statuses.last(), Some(&"completed"), "{workflow}, key {key}: {statuses:?}");
            let ends = ["completed", "cancelled"];
            assert!(
                statuses.iter().all(|status| ends.contains(status)),
                "{workflow}: {statuses:?}"
            );
        }
    }
}

async fn number(ground: &Ground, question: &'static str) -> i64 {
    sqlx::query_scalar(question).fetch_one(ground.pool()).await.expect("a number")
}

/// Sends a load to each of the workflows, again and again.
async fn send(client: &Client, workflows: &[&str]) {
    for no in 0..LOADS {
        for (place, to) in workflows.iter().enumerate() {
            let no = place as u32 * LOADS + no;
            // One key has most of the loads.
            let key = if no.is_multiple_of(2) { 0 } else { no / 2 % KEYS };
            let load = Load { to: (*to).to_owned(), key, no };
            client.send(load).await.expect("it is accepted");
        }
    }
}

#[tokio::test]
async fn every_control_holds_while_workers_are_killed() {
    let database = Database::create().await;
    let client = Runtime::builder(Fleet).database(database.url()).connect().await;
    let client = client.expect("a client");
    let ground = Ground::open(database.url()).await.expect("the tests' tables");
    let worker = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        Process::start(command.arg(database.url()).arg("4000"))
    };
    let joined = async |workers| {
        eventually("all workers have joined", async || {
            number(&ground, "SELECT count(*) FROM indelible.workers").await == workers
        })
        .await;
    };
    // It registers what the app subscribes to.
    let mut first = worker();
    joined(1).await;
    first.signal("TERM");
    first.wait();
    // These are there before all others, so that their order is known.
    for no in 10_000..10_000 + LOADS {
        let load = Load { to: "ranked".to_owned(), key: 0, no };
        client.send(load).await.expect("it is accepted");
    }
    let mut workers = [worker(), worker(), worker(), worker()];
    joined(4).await;
    let first_sent =
        number(&ground, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").await;
    let workflows =
        ["whole", "paced", "rated", "once", "alone", "newest", "latest", "settled", "lots"];
    let sending = send(&client, &workflows);
    let killing = async {
        for (worker, after) in workers.iter_mut().zip([40, 120]) {
            eventually("some are over", async || {
                number(&ground, "SELECT count(*) FROM indelible.runs WHERE status = 'completed'")
                    .await
                    >= after
            })
            .await;
            worker.kill();
        }
    };
    tokio::join!(sending, killing);
    for (what, question) in LEFT {
        eventually(what, async || number(&ground, question).await == 0).await;
    }

    let outcome = Outcome::read(&ground).await;
    for workflow in workflows {
        outcome.nothing_is_lost(workflow);
    }
    for (workflow, most) in [("whole", WHOLE), ("alone", 1), ("newest", 1), ("latest", 1)] {
        outcome.at_most(workflow, most);
    }
    for workflow in ["whole", "ranked", "paced"] {
        outcome.all_completed(workflow);
    }
    outcome.the_newest_completed("newest");
    outcome.the_newest_completed("latest");

    let mut ranked = outcome.of("ranked").to_vec();
    ranked.sort_by_key(|run| run.begun);
    let order: Vec<_> = ranked.iter().map(Run::no).collect();
    let all = 10_000..10_000 + LOADS;
    let urgent = all.clone().filter(|no| no % 2 == 0);
    let expected: Vec<_> = urgent.chain(all.filter(|no| no % 2 == 1)).collect();
    assert_eq!(order, expected, "they did not take turns by rank");

    let mut starts: Vec<_> = outcome.of("paced").iter().filter_map(|run| run.begun).collect();
    starts.sort_unstable();
    for (nth, start) in starts.iter().enumerate() {
        // One more than the pace may start at once.
        let earliest = first_sent + (nth as i64 - 1) * PACE;
        assert!(*start >= earliest, "start {nth} was {} µs early", earliest - start);
    }

    for (key, runs) in outcome.by_key("rated") {
        assert_eq!(runs.len(), RATED, "key {key}: {runs:?}");
        let last = runs.last().expect("there is one").no();
        let passed = outcome.skipped["rated"].iter().filter(|no| **no < last);
        let passed: Vec<_> = passed
            .filter(|no| if *no % 2 == 0 { key == 0 } else { *no / 2 % KEYS == key })
            .collect();
        assert!(passed.is_empty(), "key {key}: {passed:?} came before {last}");
    }
    for (key, runs) in outcome.by_key("once") {
        assert_eq!(runs.len(), 1, "key {key}: {runs:?}");
    }
    let lots = outcome.of("lots");
    assert!(lots.iter().all(|run| run.loads.len() <= LOT), "{lots:?}");
    assert!(lots.iter().any(|run| run.loads.len() == LOT), "no batch was full");
    let bench = Bench::new().resource(ground);
    bench.assert_journals_replay(Fleet, &client).await.expect("the database answers");
    tokio::time::timeout(Duration::from_secs(10), client.close()).await.expect("it closes");
}
