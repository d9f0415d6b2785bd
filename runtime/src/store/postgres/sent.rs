//! Events that are sent in transactions of the user's. Nobody says when such a transaction is committed, and
//! a `NOTIFY` in it would make its commit wait for those of others. So the process that sends looks, on
//! a connection of its own, whether its events are there, and tells the workers then.

use std::collections::{HashMap, HashSet};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::{Executor, PgConnection, Postgres};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;
use uuid::Uuid;

use super::accept;
use super::connect::which;
use super::database::Database;
use crate::event::EventId;
use crate::store::hints::{Stirred, Work};
use crate::store::{NewEvent, StoreError, dedupe};

/// How soon it is looked for an event that was just sent. From then on each look is later than the one
/// before by a part of the time that the transaction has taken.
const FIRST: Duration = Duration::from_millis(2);
const PART: u32 = 8;
const LONGEST: Duration = Duration::from_secs(1);

/// When it is given up: the transaction was rolled back, or it takes so long that the event may wait for a
/// worker's poll.
const GIVEN_UP: Duration = Duration::from_secs(10 * 60);

/// How many events are looked for at once.
const BATCH: usize = 1000;

/// How long a look that has failed waits.
const RETRY: Duration = Duration::from_millis(200);

/// Which database a connection is to. No setting of its session changes what this says.
const WHICH: &str = concat!("SELECT ", which!());

/// Which of some events are there. Served by the primary keys.
pub(super) const SEEN: &str = "
    SELECT id FROM indelible.later WHERE id = ANY ($1)
    UNION
    SELECT id FROM indelible.events WHERE id = ANY ($1)";

/// Sends events in transactions of the user's, and watches for their commits.
#[derive(Default)]
pub(super) struct Sent {
    unseen: Arc<Unseen>,
    watching: OnceLock<AbortHandle>,
    /// Which database the runs are in, as it was when somebody last asked: another one after each start
    /// of the server.
    which: Mutex<String>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Sent {
    /// Sends an event in a transaction. Gives its id, or that of the event which has its key.
    pub(super) async fn send(
        &self,
        database: &Database,
        tx: &mut PgConnection,
        event: &NewEvent,
    ) -> Result<EventId, StoreError> {
        self.check(database, tx).await?;
        let events = slice::from_ref(event);
        let keys = dedupe::keys(events);
        let known = match keys.is_empty() {
            true => HashMap::new(),
            false => accept::remember(&mut *tx, keys).await?,
        };
        let (fresh, ids) = dedupe::settle(events, &known);
        if !fresh.is_empty() {
            accept::keep(&fresh).execute(tx).await?;
            self.unseen.add(event.id);
            self.watching.get_or_init(|| {
                let watching = watch(database.with_own_connection(), self.unseen.clone());
                tokio::spawn(watching).abort_handle()
            });
        }
        Ok(ids.first().copied().unwrap_or(event.id))
    }

    /// Tells of what is committed by now, and watches no longer.
    pub(super) async fn end(&self, database: &Database) {
        self.stop();
        let unseen = self.unseen.all();
        if !unseen.is_empty()
            && let Err(error) = look(database, &self.unseen, &unseen).await
        {
            debug!(%error, "could not look for events that were sent in transactions");
        }
    }

    fn stop(&self) {
        if let Some(watching) = self.watching.get() {
            watching.abort();
        }
    }

    /// Fails if the transaction is on another database.
    async fn check(&self, database: &Database, tx: &mut PgConnection) -> Result<(), StoreError> {
        let theirs = ask(tx).await?;
        if *self.lock_which() == theirs {
            return Ok(());
        }
        let ours = ask(&mut database.acquire().await?).await?;
        let is_ours = ours == theirs;
        *self.lock_which() = ours;
        match is_ours {
            true => Ok(()),
            false => Err(StoreError::OtherDatabase(
                "it is on another database than the one in which the program stores its runs"
                    .to_owned(),
            )),
        }
    }

    fn lock_which(&self) -> MutexGuard<'_, String> {
        self.which.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask<'e>(executor: impl Executor<'e, Database = Postgres>) -> Result<String, StoreError> {
    Ok(sqlx::query_scalar(WHICH).fetch_one(executor).await?)
}

/// Looks for events for as long as there are some to look for.
async fn watch(database: Database, unseen: Arc<Unseen>) {
    loop {
        let due = unseen.due().await;
        if let Err(error) = look(&database, &unseen, &due).await {
            debug!(%error, "could not look for events that were sent in transactions");
            sleep(RETRY).await;
        }
    }
}

/// Tells workers of those of the events that are there.
async fn look(database: &Database, unseen: &Unseen, sent: &[EventId]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = sent.iter().map(|event| event.as_uuid()).collect();
    let seen = sqlx::query_scalar(SEEN).bind(ids).fetch_all(&mut database.acquire().await?).await?;
    let seen: HashSet<EventId> = seen.into_iter().map(|id: Uuid| id.into()).collect();
    unseen.looked_for(Instant::now(), sent, &seen);
    database.committed(Stirred::here(Work::LATER).if_any(seen.len() as u64));
    Ok(())
}

/// The events that were sent and not seen yet.
#[derive(Default)]
struct Unseen {
    events: Mutex<HashMap<EventId, Look>>,
    /// There is one more.
    bell: Notify,
}

/// When it is looked for an event.
#[derive(Clone, Copy)]
struct Look {
    sent: Instant,
    next: Instant,
}

impl Unseen {
    fn add(&self, event: EventId) {
        let sent = Instant::now();
        self.lock().insert(event, Look { sent, next: sent + FIRST });
        self.bell.notify_one();
    }

    fn all(&self) -> Vec<EventId> {
        self.lock().keys().copied().collect()
    }

    /// Waits until it is time to look for some, and gives them.
    async fn due(&self) -> Vec<EventId> {
        loop {
            let (due, next) = self.due_at(Instant::now());
            if !due.is_empty() {
                return due;
            }
            match next {
                None => self.bell.notified().await,
                Some(next) => tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.bell.notified() => {}
                },
            }
        }
    }

    fn due_at(&self, now: Instant) -> (Vec<EventId>, Option<Instant>) {
        let events = self.lock();
        let due = events.iter().filter(|(_, look)| look.next <= now);
        let due = due.map(|(event, _)| *event).take(BATCH).collect();
        (due, events.values().map(|look| look.next).min())
    }

    fn looked_for(&self, now: Instant, sent: &[EventId], seen: &HashSet<EventId>) {
        let mut events = self.lock();
        for event in sent {
            let Some(look) = events.get_mut(event) else { continue };
            let age = now.duration_since(look.sent);
            look.next = now + (age / PART).clamp(FIRST, LONGEST);
            if seen.contains(event) || age >= GIVEN_UP {
                events.remove(event);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EventId, Look>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, PgPool, Transaction};
    use tokio::time::timeout;

    use super::*;
    use crate::id::WorkerId;
    use crate::journal::{RunCommit, RunId, Then};
    use crate::store::conformance::{
        APP, HOUR, PAID, PLACED, World, commit, event, numbered, on_postgres, route, wait,
        wait_for, waited,
    };
    use crate::transaction::Borrowed;

    /// Sends an event in a transaction that takes its time.
    async fn send_slowly(world: &World, event: &NewEvent) -> Transaction<'static, Postgres> {
        let pool = PgPool::connect(&world.database.url()).await.expect("the server answers");
        let mut tx = pool.begin().await.expect("it begins");
        world.store.send_in(Borrowed::Postgres(&mut tx), event).await.expect("it is sent");
        tx
    }

    /// Accepts and routes what is due.
    async fn settle(world: &World) {
        world.store.accept_due(100).await.expect("it answers");
        route(&*world.store).await;
    }

    /// The events that a run was told of.
    async fn told(world: &World, worker: WorkerId, run: RunId) -> Vec<EventId> {
        let inbox = world.inbox(worker, run).await.into_iter();
        inbox.map(|message| message.id.as_uuid().into()).collect()
    }

    #[tokio::test]
    async fn an_event_whose_transaction_is_slow_is_neither_lost_nor_seen_twice() {
        on_postgres(|world: World| async move {
            world.subscribe(APP, &[PLACED, PAID]).await;
            let worker = world.worker(HOUR).await;
            let paid = event(PAID, r#"{"no":7}"#);
            let tx = send_slowly(&world, &paid).await;

            // All of this is accepted and seen by others in the meantime.
            world.send(PAID, 8).await;
            world.send(PLACED, 7).await;
            let started = world.claim(worker, 1).await[0].origin.trigger.run;
            let from_trigger = commit(started, 0, vec![wait("paid", 7)], Then::Continue);
            world.flush(worker, &[from_trigger]).await.expect("it is ours");
            let waiting = world.claimed(worker).await;
            let from_now = wait_for("paid", numbered(PAID, 7), false);
            let from_now = commit(waiting, 0, vec![from_now], Then::Continue);
            world.flush(worker, &[from_now]).await.expect("it is ours");
            world.send(PAID, 9).await;
            settle(&world).await;
            assert_eq!(told(&world, worker, started).await, []);

            tx.commit().await.expect("it is committed");
            settle(&world).await;
            assert_eq!(told(&world, worker, started).await, [paid.id]);
            assert_eq!(told(&world, worker, waiting).await, [paid.id]);
            // Each run takes it, and waits again.
            for run in [started, waiting] {
                let taken = RunCommit {
                    taken: vec![paid.id.as_uuid().into()],
                    ..commit(run, 1, vec![waited("paid"), wait("paid-again", 7)], Then::Continue)
                };
                world.flush(worker, &[taken]).await.expect("it is ours");
            }
            settle(&world).await;
            assert_eq!(told(&world, worker, started).await, []);
            assert_eq!(told(&world, worker, waiting).await, []);
            // It lies before what comes now.
            let late = world.claimed(worker).await;
            let from_now = wait_for("paid", numbered(PAID, 7), false);
            let from_now = commit(late, 0, vec![from_now], Then::Continue);
            world.flush(worker, &[from_now]).await.expect("it is ours");
            settle(&world).await;
            assert_eq!(told(&world, worker, late).await, []);
        })
        .await;
    }

    const SOON: Duration = Duration::from_secs(10);

    const WAITING: &str = "
        SELECT EXISTS (
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'
        )";

    /// The second sender waits for the end of the first one.
    #[tokio::test]
    async fn a_key_of_a_transaction_is_one_event_whoever_commits() {
        on_postgres(|world: World| async move {
            world.subscribe(APP, &[PLACED]).await;
            let observer = PgConnection::connect(&world.database.url()).await;
            let mut observer = observer.expect("the server answers");
            for is_committed in [true, false] {
                let key = format!("committed: {is_committed}");
                let keyed =
                    || NewEvent { idempotency_key: Some(key.clone()), ..event(PLACED, "{}") };
                let [first, second] = [keyed(), keyed()];
                let tx = send_slowly(&world, &first).await;
                let sending = tokio::spawn({
                    let (world, second) = (world.clone(), second.clone());
                    async move { world.store.accept_events(None, &[second]).await }
                });
                let waits = async {
                    while !sqlx::query_scalar::<_, bool>(WAITING)
                        .fetch_one(&mut observer)
                        .await
                        .expect("it answers")
                    {
                        tokio::task::yield_now().await;
                    }
                };
                timeout(SOON, waits).await.expect("it comes to wait");
                match is_committed {
                    true => tx.commit().await.expect("it is committed"),
                    false => tx.rollback().await.expect("it is rolled back"),
                }
                let named = sending.await.expect("it does not panic").expect("it is accepted");
                assert_eq!(named, [if is_committed { first.id } else { second.id }]);
            }
        })
        .await;
    }

    #[test]
    fn an_event_is_looked_for_in_growing_pauses_until_it_is_given_up() {
        let unseen = Unseen::default();
        let event = EventId::new();
        unseen.add(event);
        let (mut now, sent, mut looks) = (Instant::now(), Instant::now(), 0);
        while let (_, Some(next)) = unseen.due_at(now) {
            assert!(next - now <= (now - sent) / PART + FIRST * 2, "it waits too long");
            now = next.max(now);
            unseen.looked_for(now, &[event], &HashSet::new());
            looks += 1;
        }
        assert!(now - sent >= GIVEN_UP && looks < 1000, "{looks} looks in {:?}", now - sent);
    }
}
