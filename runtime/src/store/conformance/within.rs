use std::sync::Mutex;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, PgPool, SqlitePool};
use tokio::time::timeout;

use super::world::{APP, HOUR, PLACED, deliveries, event};
use super::{TestDatabase, World};
use crate::event::EventId;
use crate::journal::Due;
use crate::store::hints::Work;
use crate::store::{NewEvent, Routing, Store, StoreError, StoredEvent};
use crate::transaction::{Borrowed, Connection};

/// How soon the workers hear of a commit.
const SOON: Duration = Duration::from_secs(10);

/// The user's connections to a database.
pub(super) enum User {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl User {
    pub(super) async fn of(database: &TestDatabase) -> Self {
        match database.connect_to_postgres().await {
            Some(_) => {
                let url = database.hints_url().unwrap_or_else(|| database.url());
                Self::Postgres(PgPool::connect(&url).await.expect("it is there"))
            }
            None => {
                let options: SqliteConnectOptions = database.url().parse().expect("it is a URL");
                let options = options.create_if_missing(true).disable_statement_logging();
                Self::Sqlite(SqlitePool::connect_with(options).await.expect("it opens"))
            }
        }
    }

    pub(super) async fn begin(&self) -> Connection {
        match self {
            Self::Postgres(pool) => Connection::Postgres(pool.begin().await.expect("it begins")),
            Self::Sqlite(pool) => {
                let begun = pool.begin_with("BEGIN IMMEDIATE").await;
                Connection::Sqlite(begun.expect("it begins"), None)
            }
        }
    }
}

impl Connection {
    async fn execute(&mut self, sql: &'static str) {
        match self.borrow() {
            Borrowed::Postgres(tx) => sqlx::query(sql).execute(tx).await.map(drop),
            Borrowed::Sqlite(tx) => sqlx::query(sql).execute(tx).await.map(drop),
            Borrowed::None => panic!("it is open"),
        }
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(super) async fn send(&mut self, world: &World, event: &NewEvent) -> EventId {
        world.store.send_in(self.borrow(), event).await.expect("it is sent")
    }

    pub(super) async fn commit(self) {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx, _) => tx.commit().await,
        }
        .expect("it is committed");
    }

    async fn rollback(self) {
        match self {
            Self::Postgres(tx) => tx.rollback().await,
            Self::Sqlite(tx, _) => tx.rollback().await,
        }
        .expect("it is rolled back");
    }
}

fn keyed(event: NewEvent) -> NewEvent {
    NewEvent { idempotency_key: Some("a".to_owned()), ..event }
}

/// The events that are to be routed, once what is due is accepted.
async fn routed(store: &dyn Store) -> Vec<EventId> {
    store.accept_due(100).await.expect("it answers");
    let seen = Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        seen.lock().expect("no router panics here").push(event.id);
        Routing::default()
    };
    while store.route_deliveries(deliveries(APP, 100), &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

pub(super) async fn an_event_is_there_exactly_if_its_transaction_is_committed(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    world.database.execute("CREATE TABLE tickets (id integer)").await;
    let user = User::of(&world.database).await;

    let mut tx = user.begin().await;
    tx.execute("INSERT INTO tickets VALUES (1)").await;
    tx.send(&world, &event(PLACED, "{}")).await;
    assert_eq!(world.store.accept_due(10).await.expect("it answers").events, 0);
    tx.rollback().await;
    assert_eq!(routed(&*world.store).await, []);

    let mut tx = user.begin().await;
    tx.execute("INSERT INTO tickets VALUES (2)").await;
    let sent = [event(PLACED, "{}"), event(PLACED, r#"{"no":2}"#)];
    let mut ids = Vec::new();
    for event in &sent {
        ids.push(tx.send(&world, event).await);
    }
    assert_eq!(ids, [sent[0].id, sent[1].id]);
    assert_eq!(world.store.accept_due(10).await.expect("it answers").events, 0);
    tx.commit().await;
    assert_eq!(routed(&*world.store).await, ids);
    assert_eq!(routed(&*world.store).await, []);
}

pub(super) async fn what_a_savepoint_takes_back_was_not_sent(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let user = User::of(&world.database).await;
    let mut tx = user.begin().await;
    let id = tx.send(&world, &event(PLACED, "{}")).await;
    tx.execute("SAVEPOINT here").await;
    tx.send(&world, &event(PLACED, "{}")).await;
    tx.execute("ROLLBACK TO here").await;
    tx.commit().await;
    assert_eq!(routed(&*world.store).await, [id]);
}

pub(super) async fn a_key_is_remembered_exactly_if_its_transaction_is_committed(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let user = User::of(&world.database).await;
    let mut tx = user.begin().await;
    tx.send(&world, &keyed(event(PLACED, "{}"))).await;
    tx.rollback().await;

    let mut tx = user.begin().await;
    let first = tx.send(&world, &keyed(event(PLACED, "{}"))).await;
    assert_eq!(tx.send(&world, &keyed(event(PLACED, "{}"))).await, first);
    tx.commit().await;
    let mut tx = user.begin().await;
    assert_eq!(tx.send(&world, &keyed(event(PLACED, "{}"))).await, first);
    tx.commit().await;
    let again = world.store.accept_events(None, &[keyed(event(PLACED, "{}"))]).await;
    assert_eq!(again.expect("accepted"), [first]);
    assert_eq!(routed(&*world.store).await, [first]);
}

pub(super) async fn an_event_of_a_transaction_can_be_due_later(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let user = User::of(&world.database).await;
    let mut tx = user.begin().await;
    let after = |wait| NewEvent { due: Some(Due::After(wait)), ..event(PLACED, "{}") };
    tx.send(&world, &after(HOUR)).await;
    let id = tx.send(&world, &after(Duration::ZERO)).await;
    tx.commit().await;
    assert_eq!(routed(&*world.store).await, [id]);
    let next = world.store.accept_due(10).await.expect("it answers").next;
    assert!(next.is_some_and(|next| next > HOUR / 2 && next <= HOUR), "{next:?}");
}

pub(super) async fn a_transaction_on_another_database_is_refused_and_goes_on(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let [same, other] = match world.store.name() {
        "sqlite" => [TestDatabase::sqlite(), TestDatabase::postgres().await],
        _ => [TestDatabase::postgres().await, TestDatabase::sqlite()],
    };
    for (database, why) in [(same, "it is on"), (other, "on a database of another kind")] {
        let mut tx = User::of(&database).await.begin().await;
        let refused = world.store.send_in(tx.borrow(), &keyed(event(PLACED, "{}"))).await;
        let error = refused.expect_err("its runs are elsewhere");
        assert!(matches!(error, StoreError::OtherDatabase(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        tx.execute("CREATE TABLE tickets (id integer)").await;
        tx.commit().await;
        database.remove().await;
    }
    assert_eq!(routed(&*world.store).await, []);
    let sent = world.store.accept_events(None, &[keyed(event(PLACED, "{}"))]).await;
    assert_eq!(sent.expect("accepted"), routed(&*world.store).await);
}

/// The transaction tells nobody.
pub(super) async fn the_commit_of_a_transaction_is_told_to_all_workers(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let other = world.another().await;
    let user = User::of(&world.database).await;
    for store in [&world.store, &other] {
        store.listen(APP, HOUR).await;
        store.hints().rung();
    }
    let mut tx = user.begin().await;
    let id = tx.send(&world, &event(PLACED, "{}")).await;
    let bells = [&world.store, &other].map(|store| match store.name() {
        "sqlite" => &store.hints().deliveries,
        _ => &store.hints().later,
    });
    for bell in bells {
        assert!(bell.notified().now_or_never().is_none(), "it is not committed yet");
    }
    tx.commit().await;
    for bell in bells {
        timeout(SOON, bell.notified()).await.expect("it is told");
    }
    assert_eq!(routed(&*other).await, [id]);
    assert!(!world.rung().contains(Work::READY));
    other.close().await;
}

/// A program that ends right after its commit.
pub(super) async fn what_was_committed_is_told_before_the_connections_are_closed(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    world.store.listen(APP, HOUR).await;
    let user = User::of(&world.database).await;
    for _ in 0..20 {
        let sender = World { store: world.another().await, ..world.clone() };
        world.rung();
        let mut tx = user.begin().await;
        let id = tx.send(&sender, &event(PLACED, "{}")).await;
        tx.commit().await;
        sender.store.close().await;
        let bell = match world.store.name() {
            "sqlite" => &world.store.hints().deliveries,
            _ => &world.store.hints().later,
        };
        timeout(SOON, bell.notified()).await.expect("it was told");
        assert_eq!(routed(&*world.store).await, [id]);
    }
}
