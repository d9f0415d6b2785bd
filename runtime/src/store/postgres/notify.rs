//! How processes tell one another what they have stirred: by `NOTIFY`, after the commit and never
//! within it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

use super::database::Database;
use crate::id::RunId;
use crate::store::StoreError;
use crate::store::hints::{Hint, REMIND, Rounds};

/// One channel for all apps; each hint names its app.
const CHANNEL: &str = "indelible";

/// A hint needs no disk: it takes a transaction id, and would wait for the disk under a lock that all
/// who notify share. What it speaks of is committed already.
const NOTIFY: &str = "
    SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, hint)
    FROM unnest($2::text[]) AS hint";

/// Which of some runs are over, and whether they have been for a while. Served by the primary key.
pub(super) const OVER: &str = "
    SELECT id, ended_at < now() - interval '1 second' FROM indelible.runs
    WHERE id = ANY ($1) AND ended_at IS NOT NULL";

/// Hints closer together than this are said at once.
const PACE: Duration = Duration::from_millis(2);

/// How long a hint that could not be said waits, and listening that broke off.
const RETRY: Duration = Duration::from_millis(200);

/// How long closing waits for what is still to be said.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says what there is to say for as long as the store is open, and listens once it is asked to.
pub(super) struct Telling {
    over: Option<PgPool>,
    speaking: Mutex<Option<JoinHandle<()>>>,
    closing: CancellationToken,
    listening: OnceCell<AbortHandle>,
}

impl Telling {
    /// `over` is where it can listen, if anywhere.
    pub(super) fn begin(database: &Database, over: Option<PgPool>) -> Self {
        database.hints().carry();
        if over.is_none() {
            database.hints().expect_none();
        }
        let closing = CancellationToken::new();
        let speaking = tokio::spawn(speak(database.clone(), closing.clone()));
        Self { over, speaking: Mutex::new(Some(speaking)), closing, listening: OnceCell::new() }
    }

    /// Begins to listen for an app, once. Returns when it hears, or when the server does not answer; it
    /// hears later then.
    pub(super) async fn listen(&self, database: &Database, app: &str, poll: Duration) {
        let begin = async || {
            let (ready, heard) = oneshot::channel();
            let (database, over) = (database.clone(), self.over.clone());
            let listening = tokio::spawn(hear(database, over, app.to_owned(), poll, ready));
            // Dropped when the server does not answer.
            let _ = heard.await;
            listening.abort_handle()
        };
        self.listening.get_or_init(begin).await;
    }

    /// Tells others what they were not told yet, then stops.
    pub(super) async fn end(&self) {
        self.closing.cancel();
        let speaking = self.speaking.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(speaking) = speaking
            && timeout(PATIENCE, speaking).await.is_err()
        {
            debug!(
                "the server does not answer, so other processes did not hear of the last commits"
            );
        }
        self.stop_listening();
    }

    fn stop_listening(&self) {
        if let Some(listening) = self.listening.get() {
            listening.abort();
        }
    }
}

/// What is left to say is still said.
impl Drop for Telling {
    fn drop(&mut self) {
        self.closing.cancel();
        self.stop_listening();
    }
}

async fn speak(database: Database, closing: CancellationToken) {
    let hints = database.hints();
    let say = async |said: &[String]| {
        let mut link = database.acquire().await?;
        sqlx::query(NOTIFY).bind(CHANNEL).bind(said).execute(&mut link).await?;
        Ok::<_, StoreError>(())
    };
    loop {
        let is_closing = closing.run_until_cancelled(hints.something_to_say()).await.is_none();
        let said = hints.to_say();
        if !said.is_empty() {
            let said: Vec<String> = said.iter().map(Hint::to_string).collect();
            while let Err(error) = say(&said).await {
                debug!(%error, "could not tell other processes about commits");
                if closing.is_cancelled() {
                    return;
                }
                sleep(RETRY).await;
            }
        }
        if is_closing {
            return;
        }
        sleep(PACE).await;
    }
}

async fn hear(
    database: Database,
    over: Option<PgPool>,
    app: String,
    poll: Duration,
    ready: oneshot::Sender<()>,
) {
    let hints = database.hints();
    let hearing = async {
        let mut ready = Some(ready);
        let Some(over) = over else { return };
        loop {
            let Err(error) = hear_once(&database, &over, &app, &mut ready).await;
            debug!(%error, "could not listen for hints of other processes; polling goes on");
            drop(ready.take());
            sleep(RETRY).await;
        }
    };
    let asking = async {
        let mut rounds = Rounds::default();
        let mut interval = interval(poll.min(REMIND));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = tokio::time::Instant::now();
        loop {
            interval.tick().await;
            hints.remind();
            if asked.elapsed() >= poll {
                asked = tokio::time::Instant::now();
                if let Err(error) = ask(&database, &mut rounds).await {
                    debug!(%error, "could not ask for the ends of runs");
                }
            }
        }
    };
    tokio::join!(hearing, asking);
}

async fn hear_once(
    database: &Database,
    over: &PgPool,
    app: &str,
    ready: &mut Option<oneshot::Sender<()>>,
) -> Result<std::convert::Infallible, StoreError> {
    let hints = database.hints();
    let mut listener = PgListener::connect_with(over).await?;
    listener.listen(CHANNEL).await?;
    hints.begin_to_hear();
    if let Some(ready) = ready.take() {
        // Whoever asked may have gone.
        let _ = ready.send(());
    } else {
        ask(database, &mut Rounds::default()).await?;
    }
    loop {
        match listener.try_recv().await? {
            // What another version says that this one does not understand is not for it.
            Some(said) => said.payload().parse().map_or((), |hint| hints.hear(&hint, app)),
            // The connection was lost and is there again; what was said meanwhile was missed.
            None => {
                hints.begin_to_hear();
                ask(database, &mut Rounds::default()).await?;
            }
        }
    }
}

/// Asks whether runs are over whose ends are waited for.
async fn ask(database: &Database, rounds: &mut Rounds) -> Result<(), StoreError> {
    const BATCH: usize = 1000;
    let hints = database.hints();
    let awaited = hints.awaited();
    let mut over = Vec::new();
    let mut link = database.acquire().await?;
    for runs in awaited.chunks(BATCH) {
        let runs: Vec<Uuid> = runs.iter().map(|run| run.as_uuid()).collect();
        let found: Vec<(Uuid, bool)> = sqlx::query_as(OVER).bind(runs).fetch_all(&mut link).await?;
        over.extend(found.into_iter().map(|(run, long)| (RunId::from(run), long)));
    }
    rounds.found(hints, awaited, &over);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{End, Then};
    use crate::store::conformance::{APP, HOUR, World, json, on_postgres, only};

    /// It may have looked where the run stands just before that ended.
    #[tokio::test]
    async fn who_begins_to_wait_is_told_of_the_last_moments() {
        on_postgres(|world: World| async move {
            world.store.listen(APP, HOUR).await;
            let other = world.another().await;
            other.listen(APP, HOUR).await;
            let worker = world.worker(HOUR).await;
            let run = world.claimed(worker).await;
            let end = only(run, 0, Then::End(End::Completed(json("1"))));
            world.flush(worker, &[end]).await.expect("it is ours");
            let awaited = other.hints().await_end(run);
            let told = timeout(Duration::from_secs(10), awaited.told());
            told.await.expect("it hears of what it has just missed");
            drop(awaited);
            other.close().await;
        })
        .await;
    }

    /// The connection on which hints come breaks, and is there again.
    #[tokio::test]
    async fn what_was_said_while_nobody_could_listen_is_made_good() {
        on_postgres(|world: World| async move {
            world.store.listen(APP, HOUR).await;
            let other = world.another().await;
            other.listen(APP, HOUR).await;
            other.hints().ready.notified().await;
            let worker = world.worker(HOUR).await;
            let run = world.claimed(worker).await;
            let awaited = other.hints().await_end(run);
            let broken = "
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'";
            world.database.execute(broken).await;
            let end = only(run, 0, Then::End(End::Completed(json("1"))));
            world.flush(worker, &[end]).await.expect("it is ours");
            world.start(1).await;
            let heard = async {
                awaited.told().await;
                other.hints().ready.notified().await;
            };
            timeout(Duration::from_secs(10), heard).await.expect("it looks again");
            drop(awaited);
            other.close().await;
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_left_to_say_is_said_before_the_connections_are_closed() {
        on_postgres(|world: World| async move {
            let other = world.another().await;
            other.listen(APP, HOUR).await;
            other.hints().ready.notified().await;
            for _ in 0..20 {
                let sender = world.another().await;
                let run = crate::flow::NewRun::new("on-order", None, json("{}"));
                sender.start_runs(APP, &[run]).await.expect("it starts");
                sender.close().await;
                let heard = timeout(Duration::from_secs(10), other.hints().ready.notified());
                heard.await.expect("it was said");
            }
            other.close().await;
        })
        .await;
    }
}
