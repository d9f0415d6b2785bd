//! A database that is moved while runs are on their way. What has happened stays so, and what is still to
//! happen does.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, RunQuery};
use indelible_tests::cluster::Cluster;
use indelible_tests::databases::Fresh;
use indelible_tests::dump::Dump;
use indelible_tests::moves::{
    House, Knocked, Moves, Opened, delegate, look, sleep, wait_from_now, wait_in_a_loop,
    wait_twice, walk,
};
use indelible_tests::process::Process;
use indelible_tests::{eventually, shut_down};
use serde_json::value::to_raw_value;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

/// How the last worker of the old database has ended.
#[derive(Clone, Copy)]
enum End {
    /// It gave its runs back.
    Orderly,
    /// It holds its runs until its lease is over.
    Killed,
}

#[tokio::test]
async fn a_dump_is_restored_on_a_fresh_server() {
    on_a_fresh_server(End::Orderly).await;
}

#[tokio::test]
async fn a_dump_of_what_a_killed_worker_left_is_restored_on_a_fresh_server() {
    on_a_fresh_server(End::Killed).await;
}

async fn on_a_fresh_server(end: End) {
    let database = Fresh::postgres().await;
    database.execute(USE_TRANSACTION_IDS.to_owned()).await;
    let here = next_transaction(&database.url()).await;
    let before = Before::of(&database, end).await;
    before.client.close().await;
    let dump = Dump::of(&database.url());

    let cluster = Cluster::start().await;
    dump.restore_into(&cluster.url());
    let there = next_transaction(&cluster.url()).await;
    assert!(there < here, "the new server is at {there}, and the old one was at {here} already");
    before.runs.go_on(cluster.url()).await;
}

/// Logical replication copies rows, but not the sequences that number them.
#[tokio::test]
async fn rows_are_copied_without_their_sequences() {
    const NUMBERED: [&str; 2] = ["events ALTER position", "deliveries ALTER seq"];
    let database = Fresh::postgres().await;
    let builder = Runtime::builder(Moves).database(database.url());
    builder.connect().await.expect("it makes the tables").close().await;
    for column in NUMBERED {
        // There were others before, which are no longer there.
        database.execute(format!("ALTER TABLE indelible.{column} RESTART WITH 1000")).await;
    }
    let before = Before::of(&database, End::Orderly).await;
    before.client.close().await;
    let copy = database.another().await;
    Dump::of(&database.url()).restore_into(&copy.url());
    for column in NUMBERED {
        copy.execute(format!("ALTER TABLE indelible.{column} RESTART")).await;
    }
    before.runs.go_on(copy.url()).await;
}

#[tokio::test]
async fn a_sqlite_file_is_copied() {
    let database = Fresh::sqlite().await;
    let before = Before::of(&database, End::Orderly).await;
    before.client.close().await;
    let copy = database.copied().await;
    before.runs.go_on(copy.url()).await;
}

/// The last commits are in the `-wal` file only.
#[tokio::test]
async fn a_sqlite_file_is_copied_that_a_killed_worker_left() {
    let database = Fresh::sqlite().await;
    let before = Before::of(&database, End::Killed).await;
    let copy = database.copied().await;
    before.client.close().await;
    before.runs.go_on(copy.url()).await;
}

/// A fresh server uses some hundred for itself and for what is restored.
const USE_TRANSACTION_IDS: &str = "
    DO $$ BEGIN
        FOR n IN 1..5000 LOOP
            PERFORM pg_current_xact_id();
            COMMIT;
        END LOOP;
    END $$";

async fn next_transaction(url: &str) -> i64 {
    const NEXT: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let mut connection = PgConnection::connect(url).await.expect("it answers");
    sqlx::query_scalar(NEXT).fetch_one(&mut connection).await.expect("it has one")
}

/// A database whose runs have come as far as they can, and whose worker is gone.
struct Before {
    client: Client,
    runs: Runs,
}

/// The runs, and what they still need to end.
struct Runs {
    twice: RunId,
    from_now: RunId,
    in_a_loop: RunId,
    parent: RunId,
    walking: RunId,
    sleeping: RunId,
    dozing: RunId,
    queued: RunId,
    unsettled: RunId,
    first_knock: EventId,
}

/// How long a run sleeps: longer than its worker takes to be stopped.
const NIGHT: u64 = 4;

impl Before {
    async fn of(database: &Fresh, end: End) -> Self {
        let builder = Runtime::builder(Moves).database(database.url());
        let client = builder.connect().await.expect("a client");
        let mut command = Command::new(env!("CARGO_BIN_EXE_moves"));
        let mut worker = Process::start(command.arg(database.url()).stdout(Stdio::piped()));
        let mut steps = BufReader::new(worker.stdout()).lines();

        let twice = client.start(wait_twice, 1).await.expect("it starts").id();
        let from_now = client.start(wait_from_now, 2).await.expect("it starts").id();
        let in_a_loop = client.start(wait_in_a_loop, 3).await.expect("it starts").id();
        let parent = client.start(delegate, 4).await.expect("it starts").id();
        let dozing = client.start(sleep, 3600).await.expect("it starts").id();
        let walking = client.start(walk, 5).await.expect("it starts").id();
        let first_knock = knock_first(&client).await;
        for run in [twice, from_now, in_a_loop] {
            rests_with(&client, run, 0).await;
        }
        opened(&client, 1, &[1]).await;
        // Of the same kind, and known before the second wait begins.
        let known = to_raw_value(&Opened { door: 2, time: 1 }).expect("it is JSON");
        let known = client.catalog().check("moves/opened", &known, client.event_limit());
        let known = (known.expect("it is an event"), None);
        client.send_all_untyped([known.clone(), known]).await.expect("they are accepted");
        opened(&client, 3, &[1, 2]).await;
        for (run, outcomes) in [(twice, 1), (from_now, 1), (in_a_loop, 2), (dozing, 1)] {
            rests_with(&client, run, outcomes).await;
        }
        rests_with(&client, parent, 0).await;
        steps.find(|step| step.as_ref().is_ok_and(|step| step == "walk: second"));
        // As the last one, so that it sleeps when the worker is stopped.
        let sleeping = client.start(sleep, NIGHT).await.expect("it starts").id();
        rests_with(&client, sleeping, 1).await;
        match end {
            End::Orderly => {
                worker.signal("TERM");
                assert!(worker.wait().success(), "it stops of its own accord");
            }
            End::Killed => worker.kill(),
        }

        let queued = client.start(look, 6).await.expect("it starts").id();
        // Of this one nobody knows yet what it has to pass.
        let sender = Client::connect(database.url()).await.expect("a client").for_app("moves");
        let unsettled = sender.start_by_name("look", 9).await.expect("it starts").id();
        sender.close().await;
        client.send(Knocked { door: 8 }).await.expect("it is accepted");
        // For the child, and there is nobody to tell it.
        opened(&client, 4, &[1]).await;
        assert!(client.cancel(dozing, "moved").await.expect("it can be asked"));
        let runs = Runs {
            twice,
            from_now,
            in_a_loop,
            parent,
            walking,
            sleeping,
            dozing,
            queued,
            unsettled,
            first_knock,
        };
        Self { client, runs }
    }
}

async fn knock_first(client: &Client) -> EventId {
    let sent = client.send(Knocked { door: 7 }).idempotency_key("the first one");
    sent.await.expect("it is accepted")
}

/// Opens a door so many times.
async fn opened(client: &Client, door: u32, times: &[u32]) {
    for time in times {
        client.send(Opened { door, time: *time }).await.expect("it is accepted");
    }
}

/// Waits until a run is parked with so many outcomes.
async fn rests_with(client: &Client, run: RunId, outcomes: usize) {
    eventually("it rests", async || {
        let record = client.run(run).await.expect("it answers").expect("it is there");
        let journal = client.journal(run).await.expect("its journal");
        let found = journal.iter().filter(|row| row.transition.is_outcome()).count();
        record.status == RunStatus::Waiting && found == outcomes
    })
    .await;
}

impl Runs {
    /// A new worker drives them to their ends, on another database.
    async fn go_on(self, url: String) {
        let ended = timeout(Duration::from_secs(60), self.drive(url)).await;
        ended.expect("all of them end within a minute");
    }

    async fn drive(self, url: String) {
        let house = House::new();
        let runtime = Runtime::builder(Moves)
            .database(url)
            .resource(house.clone())
            .lease(Duration::from_secs(2))
            .start()
            .await
            .expect("it starts");
        assert_eq!(knock_first(&runtime).await, self.first_knock, "it is known");
        // What was seen is not told again, so that all of these still wait.
        eventually("what was left is done", async || house.begun().len() == 6).await;
        for run in [self.twice, self.from_now, self.in_a_loop] {
            assert_eq!(
                runtime.handle::<()>(run).status().await.expect("it answers"),
                RunStatus::Waiting
            );
        }
        opened(&runtime, 1, &[2]).await;
        opened(&runtime, 2, &[2]).await;
        opened(&runtime, 3, &[3, 4]).await;
        assert_eq!(runtime.handle::<Vec<u32>>(self.twice).result().await.expect("it ends"), [1, 2]);
        let from_now = runtime.handle::<Vec<u32>>(self.from_now);
        assert_eq!(from_now.result().await.expect("it ends"), [1, 2]);
        let in_a_loop = runtime.handle::<Vec<u32>>(self.in_a_loop);
        assert_eq!(in_a_loop.result().await.expect("it ends"), [1, 2, 3, 4]);
        assert_eq!(runtime.handle::<u32>(self.parent).result().await.expect("it ends"), 1);
        assert_eq!(runtime.handle::<u32>(self.walking).result().await.expect("it ends"), 5);
        assert_eq!(runtime.handle::<u64>(self.sleeping).result().await.expect("it ends"), NIGHT);
        assert_eq!(runtime.handle::<u32>(self.queued).result().await.expect("it ends"), 6);
        assert_eq!(runtime.handle::<u32>(self.unsettled).result().await.expect("it ends"), 9);
        let dozing = runtime.handle::<u64>(self.dozing).wait().await.expect("it ends");
        assert_eq!(dozing.cancelled.as_deref(), Some("moved"));

        // An event starts one run, wherever it was accepted.
        let all = runtime.runs(&RunQuery::default()).await.expect("the runs");
        assert!(all.iter().all(|run| run.ended_at.is_some()), "{all:?}");
        let of = |workflow| all.iter().filter(|run| run.workflow == workflow).count();
        assert_eq!((of("open"), of("wait-once"), all.len()), (2, 1, 12));
        // What was on record has not begun again.
        let begun =
            ["look 6", "look 9", "open 8", "sleep 4: get-up", "walk: second", "walk: third"];
        assert_eq!(house.begun(), begun);
        shut_down(Moves, Bench::new().resource(house), runtime).await;
    }
}
