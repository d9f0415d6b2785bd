//! How a process notices what others have committed: it looks whether the write-ahead log was written
//! to, asks whether others have done that, and then what there is to do. While nothing happens, that
//! costs a look at the log's time and length, and one at the database's file, which has to be there
//! still.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sqlx::{Row as _, SqlitePool};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use super::database::SqliteStore;
use super::file::DatabaseFile;
use super::value::{batch, micros, now, uuid};
use crate::id::RunId;
use crate::store::hints::{Hints, Rounds, Work};
use crate::store::{Hearing, StoreError};

/// How soon another process's commit is noticed.
const INTERVAL: Duration = Duration::from_millis(5);

/// Changes when another connection has committed. Asked on the connection that writes, so that this
/// process's own commits do not count.
const VERSION: &str = "PRAGMA data_version";

/// What there is to do for an app, and who is there to do it. Served by `indelible_ready_by_rank`,
/// `indelible_deliveries_in_order`, `indelible_inbox_untaken`, `indelible_later_by_time` and the primary keys.
pub(super) const TO_DO: &str = "
    SELECT EXISTS (SELECT 1 FROM indelible_ready WHERE app = ?1) AS ready,
           EXISTS (SELECT 1 FROM indelible_openings WHERE app = ?1) AS gates,
           EXISTS (SELECT 1 FROM indelible_unsettled WHERE app = ?1) AS unsettled,
           EXISTS (SELECT 1 FROM indelible_deliveries WHERE app = ?1) AS deliveries,
           EXISTS (SELECT 1 FROM indelible_inbox WHERE NOT taken) AS messages,
           (SELECT min(due_at) FROM indelible_later) AS later,
           (SELECT json_group_array(workflow) FROM indelible_paused WHERE app = ?1) AS paused,
           (SELECT json_group_array(id) FROM indelible_workers) AS workers";

/// Which of some runs are over, and whether they have been since a time. Served by the primary key.
const OVER: &str = "
    SELECT id, ended_at < ?2 FROM indelible_runs
    WHERE id IN (SELECT value FROM json_each(?1)) AND ended_at IS NOT NULL";

#[derive(Default, PartialEq)]
struct ToDo {
    ready: bool,
    gates: bool,
    unsettled: bool,
    deliveries: bool,
    messages: bool,
    /// When the first of the kept events is due.
    later: Option<i64>,
    paused: String,
    workers: String,
}

impl ToDo {
    /// What somebody has to look at, after it was like this before.
    fn since(&self, before: &Self) -> Work {
        let kinds = [
            (self.ready, Work::READY | Work::GATES),
            (self.gates, Work::GATES),
            (self.unsettled, Work::UNSETTLED),
            (self.deliveries, Work::DELIVERIES),
            (self.messages, Work::MESSAGES),
            (self.later != before.later, Work::LATER),
            // What is ready may be there for longer than it can be claimed.
            (self.paused != before.paused, Work::PAUSES | Work::READY),
            (self.workers != before.workers, Work::GONE),
        ];
        kinds.into_iter().filter(|(there_is, _)| *there_is).map(|(_, work)| work).collect()
    }
}

#[async_trait]
impl Hearing for SqliteStore {
    fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    async fn listen(&self, app: &str, poll: Duration) {
        let begin = async || {
            let mut changes = Changes {
                file: self.file.clone(),
                log: Log::of(self.file.path()),
                writer: self.writer.clone(),
                readers: self.readers.clone(),
                hints: self.hints.clone(),
                app: app.to_owned(),
                version: None,
                to_do: ToDo::default(),
                rounds: Rounds::default(),
            };
            // What was there before is looked at by whoever begins.
            if let Err(error) = changes.look().await {
                debug!(%error, "the file could not be asked whether it has changed");
            }
            tokio::spawn(changes.follow(poll)).abort_handle()
        };
        self.listening.0.get_or_init(begin).await;
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

struct Changes {
    file: Arc<DatabaseFile>,
    log: Log,
    writer: SqlitePool,
    readers: SqlitePool,
    hints: Arc<Hints>,
    app: String,
    version: Option<i64>,
    to_do: ToDo,
    rounds: Rounds,
}

/// The write-ahead log, which every commit writes to.
struct Log {
    path: PathBuf,
    /// When it was written to, and how long it was then.
    seen: Option<(SystemTime, u64)>,
}

impl Log {
    /// How long to go on asking after a write. Others see a commit only once the disk has it, and the file's time
    /// does not change then. That time is also no more exact than the clock that the system keeps for it.
    const TAIL: Duration = Duration::from_secs(1);

    fn of(database: &Path) -> Self {
        let mut path = database.to_owned().into_os_string();
        path.push("-wal");
        Self { path: path.into(), seen: None }
    }

    /// Whether it may have been written to since this was asked last.
    fn may_have_grown(&mut self) -> bool {
        let file = std::fs::metadata(&self.path);
        let seen = file.and_then(|file| Ok((file.modified()?, file.len()))).ok();
        let is_fresh = |(at, _): &(SystemTime, u64)| at.elapsed().is_ok_and(|age| age < Self::TAIL);
        let same = seen.is_some() && seen == self.seen && !seen.as_ref().is_some_and(is_fresh);
        self.seen = seen;
        !same
    }
}

impl Changes {
    async fn follow(mut self, poll: Duration) {
        let mut interval = interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = Instant::now();
        while !self.writer.is_closed() {
            interval.tick().await;
            if let Err(error) = self.file.check() {
                debug!(%error, "stopped listening for changes of the file");
                return self.hints.fall_silent();
            }
            let looked = if asked.elapsed() >= poll {
                asked = Instant::now();
                self.look().await.and(self.ask(true).await)
            } else if self.log.may_have_grown() {
                self.look().await
            } else {
                Ok(())
            };
            if let Err(error) = looked {
                debug!(%error, "the file could not be asked whether it has changed");
            }
        }
    }

    /// Wakes whoever has to act on what others have committed since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        let version = Some(sqlx::query_scalar(VERSION).fetch_one(&self.writer).await?);
        if self.version == version {
            return Ok(());
        }
        let row = sqlx::query(TO_DO).bind(&self.app).fetch_one(&self.readers).await?;
        let to_do = ToDo {
            ready: row.try_get("ready")?,
            gates: row.try_get("gates")?,
            unsettled: row.try_get("unsettled")?,
            deliveries: row.try_get("deliveries")?,
            messages: row.try_get("messages")?,
            later: row.try_get("later")?,
            paused: row.try_get("paused")?,
            workers: row.try_get("workers")?,
        };
        self.hints.ring(to_do.since(&self.to_do));
        self.ask(false).await?;
        (self.version, self.to_do) = (version, to_do);
        Ok(())
    }

    /// Asks whether runs are over whose ends are waited for: because the file has changed, or to be
    /// sure.
    async fn ask(&mut self, to_be_sure: bool) -> Result<(), StoreError> {
        let awaited = self.hints.awaited();
        if awaited.is_empty() {
            return Ok(());
        }
        let long_ago = micros(now()) - 1_000_000;
        let over: Vec<(String, bool)> = sqlx::query_as(OVER)
            .bind(batch(&awaited))
            .bind(long_ago)
            .fetch_all(&self.readers)
            .await?;
        let over =
            over.iter().map(|(run, long)| Ok((RunId::from(uuid(run)?), *long && to_be_sure)));
        let over = over.collect::<Result<Vec<_>, StoreError>>()?;
        self.rounds.found(&self.hints, awaited, &over);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_slow_disk_is_asked_for_as_long_as_a_commit_may_take() {
        let name = format!("indelible-log-{}.db", uuid::Uuid::now_v7());
        let mut log = Log::of(&std::env::temp_dir().join(name));
        let file = File::create(&log.path).expect("it is made");
        let mut asked_after = |age: u64| {
            let written = SystemTime::now() - Duration::from_millis(age);
            file.set_modified(written).expect("it is ours");
            // Once because its time has changed.
            assert!(log.may_have_grown());
            log.may_have_grown()
        };
        assert!(asked_after(10));
        assert!(asked_after(500), "the disk may have the commit only now");
        assert!(!asked_after(5_000));
        std::fs::remove_file(&log.path).expect("it is there");
    }
}
