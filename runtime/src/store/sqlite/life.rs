//! Signs of life that need no clock: each worker keeps a lock on a file of its own beside the
//! database. The operating system lets go of it however the process ends, so that the runs of one
//! that was killed are taken over at once. A lease still runs out by time, for a process that is
//! there and does nothing.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::warn;

use crate::id::WorkerId;

/// The lock files of one database.
pub(super) struct Lives {
    database: PathBuf,
    /// Those of this process.
    held: Mutex<HashMap<WorkerId, File>>,
}

impl Lives {
    pub(super) fn beside(database: &Path) -> Self {
        Self { database: database.to_owned(), held: Mutex::default() }
    }

    /// Begins to show that a worker lives. Where no file can be locked, its lease alone shows it.
    pub(super) fn begin(&self, worker: WorkerId) -> Beginning<'_> {
        match lock_new(&self.path(worker)) {
            Ok(file) => {
                self.held().insert(worker, file);
            }
            Err(error) => warn!(
                %worker, %error,
                "cannot lock a file beside the database: if this process dies, its runs wait for \
                 its lease to run out"
            ),
        }
        Beginning { lives: self, worker, is_known: false }
    }

    /// A worker of this process is over. Its file stays until nothing is held in its name any more.
    pub(super) fn let_go(&self, worker: WorkerId) {
        drop(self.held().remove(&worker));
    }

    /// A worker of this process is over, or one that was found dead has been taken over.
    pub(super) fn end(&self, worker: WorkerId) {
        let file = self.held().remove(&worker);
        // Somebody else may have removed it first.
        let _ = fs::remove_file(self.path(worker));
        drop(file);
    }

    /// Whether the process of a worker is gone. A worker that never had a file is not known to be.
    pub(super) fn is_dead(&self, worker: WorkerId) -> bool {
        File::open(self.path(worker)).is_ok_and(|file| file.try_lock().is_ok())
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        let mut path = self.database.clone().into_os_string();
        path.push(format!("-worker-{worker}"));
        path.into()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<WorkerId, File>> {
        self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A worker that the database may not know yet. If it never does, the worker's file is removed.
#[must_use]
pub(super) struct Beginning<'l> {
    lives: &'l Lives,
    worker: WorkerId,
    is_known: bool,
}

impl Beginning<'_> {
    /// The database knows of it.
    pub(super) fn keep(mut self) {
        self.is_known = true;
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        if !self.is_known {
            self.lives.end(self.worker);
        }
    }
}

fn lock_new(path: &Path) -> io::Result<File> {
    let file = File::create_new(path)?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::store::conformance::{HOUR, World, on_sqlite, program, worker};

    #[tokio::test]
    async fn the_runs_of_a_process_that_is_gone_are_taken_over_before_their_lease_is_over() {
        on_sqlite(a_process_that_is_gone_is_noticed).await;
    }

    async fn a_process_that_is_gone_is_noticed(world: World) {
        let elsewhere = world.another().await;
        let worker = worker(program(&[]));
        elsewhere.join(&worker, HOUR).await.expect("a worker can join");
        let run = world.claimed(worker.id).await;
        assert_eq!(world.take_over().await.expect("it lives"), 0);

        // What its process held goes with it.
        drop(elsewhere);
        assert_eq!(world.take_over().await.expect("it is gone"), 1);
        let next = world.worker(HOUR).await;
        let claimed = world.claim(next, 10).await;
        assert_eq!(claimed[0].origin.trigger.run, run);
    }

    /// The files beside a database that show that workers live.
    fn files(world: &World) -> usize {
        let file = world.database.url();
        let folder = Path::new(file.trim_start_matches("sqlite://")).parent().expect("a folder");
        let files = std::fs::read_dir(folder).expect("it can be read");
        let names = files.map(|file| file.expect("it can be read").file_name());
        names.filter(|name| name.to_string_lossy().contains("-worker-")).count()
    }

    #[tokio::test]
    async fn a_worker_that_cannot_join_leaves_no_file() {
        on_sqlite(|world: World| async move {
            let first = world.worker(HOUR).await;
            assert_eq!(files(&world), 1);
            let refuse = "CREATE TRIGGER full BEFORE INSERT ON indelible_workers
                          BEGIN SELECT RAISE(ABORT, 'there is no room'); END";
            world.database.execute(refuse).await;
            for _ in 0..3 {
                let worker = worker(program(&[]));
                world.store.join(&worker, HOUR).await.expect_err("there is no room");
            }
            assert_eq!(files(&world), 1);
            world.database.execute("DROP TRIGGER full").await;
            world.store.leave(first).await.expect("it lives");
            assert_eq!(files(&world), 0);
        })
        .await;
    }

    #[tokio::test]
    async fn a_worker_that_could_not_leave_is_taken_over_at_once_and_its_file_goes() {
        on_sqlite(|world: World| async move {
            let first = world.worker(HOUR).await;
            let run = world.claimed(first).await;
            let refuse = "CREATE TRIGGER full BEFORE DELETE ON indelible_workers
                          BEGIN SELECT RAISE(ABORT, 'there is no room'); END";
            world.database.execute(refuse).await;
            world.store.leave(first).await.expect_err("there is no room");
            world.database.execute("DROP TRIGGER full").await;
            let next = world.worker(HOUR).await;
            assert_eq!(world.take_over().await.expect("it is gone"), 1);
            assert_eq!(files(&world), 1);
            assert_eq!(world.claim(next, 10).await[0].origin.trigger.run, run);
        })
        .await;
    }
}
