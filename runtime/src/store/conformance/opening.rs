use futures_util::future::join_all;

use super::World;
use super::world::{APP, HOUR, ORDER, PLACED, deliveries, event, json, only, program, route};
use crate::journal::{End, Then};
use crate::store::{Registration, Routing, Stranded, open, open_existing};

pub(super) async fn a_database_is_opened_twice_with_what_it_held(world: World) {
    let runs = world.start(1).await;
    let again = world.another().await;
    let run = again.run(runs[0]).await.expect("the store answers");
    assert_eq!(run.expect("it was started before").workflow, ORDER);
    again.close().await;
}

pub(super) async fn ten_programs_migrate_at_once(world: World) {
    // The world has migrated already: give the ten an empty database.
    let url = match world.store.name() {
        "sqlite" => world.database.url().replace("test.db", "empty.db"),
        _ => {
            world.database.execute("DROP SCHEMA indelible CASCADE").await;
            world.database.url()
        }
    };
    let programs = join_all((0..10).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url, None).await })
    }))
    .await;
    for program in programs {
        let store = program.expect("it does not panic").unwrap_or_else(|error| panic!("{error}"));
        store.run_counts(APP).await.expect("the tables are there");
        store.close().await;
    }
}

pub(super) async fn a_schema_for_newer_programs_is_refused(world: World) {
    let table = match world.store.name() {
        "sqlite" => "indelible_schema",
        _ => "indelible.schema",
    };
    let newer = |oldest| format!("UPDATE {table} SET version = 1000, oldest_program = {oldest}");

    world.database.execute(&newer(1)).await;
    world.another().await.close().await;

    world.database.execute(&newer(999)).await;
    let error = open(&world.database.url(), None).await.err().expect("this program is too old");
    assert!(
        error.to_string().contains("needs a program of schema version 999 or newer"),
        "{error}"
    );
    assert!(error.to_string().contains("build this program with a newer version"), "{error}");
}

/// Rows mean the same wherever they are copied to. A server's transaction ids and snapshots mean nothing
/// on another.
pub(super) async fn no_column_needs_the_server_that_wrote_it(world: World) {
    const TYPES: [&str; 5] = ["xid", "xid8", "pg_snapshot", "txid_snapshot", "pg_lsn"];
    const CALLS: [&str; 3] = ["pg_current_", "pg_snapshot_", "txid_"];
    let columns = world.database.columns().await;
    assert!(columns.len() > 100, "these are not all: {columns:?}");
    for (name, held, default) in columns {
        let held = held.trim_end_matches("[]").to_lowercase();
        assert!(!TYPES.contains(&&*held), "{name} is of type {held}");
        let default = default.to_lowercase();
        assert!(!CALLS.iter().any(|call| default.contains(call)), "{name} becomes {default}");
    }
}

pub(super) async fn workflows_that_are_gone_are_named_while_runs_need_them(world: World) {
    let runs = world.start(3).await;
    let worker = world.worker(HOUR).await;
    world.claim(worker, 1).await;
    let end = only(runs[0], 0, Then::End(End::Completed(json("null"))));
    world.flush(worker, &[end]).await.expect("it is ours");

    let with = |workflows: &[&str]| Registration {
        app: APP.to_owned(),
        workflows: workflows.iter().map(ToString::to_string).collect(),
        ..program(&[])
    };
    let stranded = world.store.register_app(&with(&["another"])).await.expect("it registers");
    assert_eq!(stranded, [Stranded { workflow: ORDER.to_owned(), runs: 2 }]);
    let stranded =
        world.store.register_app(&with(&["another", ORDER])).await.expect("it registers");
    assert_eq!(stranded, []);
}

pub(super) async fn subscriptions_are_replaced(world: World) {
    world.subscribe(APP, &["order/placed", "order/paid"]).await;
    world.subscribe(APP, &["order/paid", "order/sent"]).await;
    assert_eq!(delivered(&world).await, ["order/paid", "order/sent"]);
}

pub(super) async fn subscriptions_are_kept_while_a_worker_lives(world: World) {
    world.subscribe(APP, &["order/placed", "order/paid"]).await;
    let old = program(&["order/placed", "order/paid"]);
    let worker = world.worker_with(old).await;
    world.subscribe(APP, &["order/paid", "order/sent"]).await;
    assert_eq!(delivered(&world).await, ["order/placed", "order/paid", "order/sent"]);

    world.store.end_lease(worker).await.expect("it can leave");
    world.subscribe(APP, &["order/sent"]).await;
    assert_eq!(delivered(&world).await, ["order/sent"]);
}

/// Sends one event of each name, and gives the names of those that the app is told of.
async fn delivered(world: &World) -> Vec<String> {
    for name in ["order/placed", "order/paid", "order/sent"] {
        world.store.accept_events(None, &[event(name, "{}")]).await.expect("it is accepted");
    }
    let seen = std::sync::Mutex::new(Vec::new());
    let router = |event: &crate::store::StoredEvent| {
        seen.lock().expect("no test panics here").push(event.name.clone());
        Routing::default()
    };
    world.store.route_deliveries(deliveries(APP, 10), &router).await.expect("it routes");
    seen.into_inner().expect("no test panics here")
}

pub(super) async fn a_client_uses_tables_that_are_there(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let client = open_existing(&world.database.url(), None).await.expect("its tables are there");
    client.accept_events(None, &[event(PLACED, "{}")]).await.expect("it is accepted");
    route(&*world.store).await;
    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 10).await.len(), 1);
    client.close().await;
}
