//! The leases: each worker keeps a lock on a file of its own beside the database. The operating system
//! lets go of it however the process ends, so that the runs of one that was killed are taken over at
//! once. Until then the worker lives, whatever blocks it: it writes nothing to show that it does.
//!
//! All processes that use the database are on one machine. Once that was restarted, nothing is locked any
//! more; beside a copy of the database there is no such file. So the workers in either are taken for
//! gone.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

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

    /// Begins to show that a worker lives.
    pub(super) fn begin(&self, worker: WorkerId) -> io::Result<Beginning<'_>> {
        let path = self.path(worker);
        let file = lock_new(&path).map_err(|error| {
            let path = path.display();
            let message = format!("cannot lock {path}, which shows that a worker lives: {error}");
            io::Error::new(error.kind(), message)
        })?;
        self.held().insert(worker, file);
        Ok(Beginning { lives: self, worker, is_known: false })
    }

    /// A worker of this process is over, or one that was found dead has been taken over.
    pub(super) fn end(&self, worker: WorkerId) {
        let file = self.held().remove(&worker);
        // Somebody else may have removed it first.
        let _ = fs::remove_file(self.path(worker));
        drop(file);
    }

    /// Whether the process of a worker is gone, or was told to go. A worker has a locked file before the
    /// database knows of it.
    pub(super) fn is_dead(&self, worker: WorkerId) -> bool {
        match File::open(self.path(worker)) {
            Ok(file) => file.try_lock().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
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
    use std::time::Duration;

    use tokio::time::timeout;

    use crate::store::conformance::{HOUR, World, counted, on_sqlite, program, step, worker};
    use crate::store::open;

    /// Less than a connection waits for another to finish its transaction.
    const AT_ONCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn the_runs_of_a_process_that_is_gone_are_taken_over_at_once() {
        on_sqlite(a_process_that_is_gone_is_noticed).await;
    }

    async fn a_process_that_is_gone_is_noticed(world: World) {
        let elsewhere = world.another().await;
        let worker = worker(program(&[]));
        elsewhere.begin_lease(&worker, HOUR).await.expect("a worker can join");
        let run = world.claimed(worker.id).await;
        assert_eq!(world.take_over().await.expect("it lives"), 0);

        // What its process held goes with it.
        drop(elsewhere);
        assert_eq!(world.take_over().await.expect("it is gone"), 1);
        let next = world.worker(HOUR).await;
        let claimed = world.claim(next, 10).await;
        assert_eq!(claimed[0].origin.trigger.run, run);
    }

    /// Others see it live, however long ago it joined, and by whatever name they have opened the file.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_lease_lasts_as_long_as_its_process() {
        on_sqlite(|world: World| async move {
            let worker = worker(program(&[]));
            world.store.begin_lease(&worker, Duration::ZERO).await.expect("a worker can join");
            let run = world.claimed(worker.id).await;
            let file = world.database.url().replace("sqlite://", "");
            let link = file.replace("test.db", "link.db");
            std::os::unix::fs::symlink(file, &link).expect("it can be linked");
            let other = open(&format!("sqlite://{link}"), None).await.expect("it opens");
            assert_eq!(other.take_over_runs(&counted).await.expect("nobody is gone"), 0);
            world.flush(worker.id, &[step(run, 0, "a")]).await.expect("it lives");
            other.close().await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_lease_is_renewed_and_looked_at_while_the_file_is_locked() {
        on_sqlite(|world: World| async move {
            let worker = world.worker(HOUR).await;
            let transaction = world.store.begin_transaction().await.expect("it begins");
            let mut renewals = world.store.renewals();
            let renewed = timeout(AT_ONCE, renewals.renew(worker, HOUR)).await;
            renewed.expect("it does not wait").expect("it lives");
            let taken = timeout(AT_ONCE, world.take_over()).await.expect("it does not wait");
            assert_eq!(taken.expect("nobody is gone"), 0);
            drop(transaction);
        })
        .await;
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
                world.store.begin_lease(&worker, HOUR).await.expect_err("there is no room");
            }
            assert_eq!(files(&world), 1);
            world.database.execute("DROP TRIGGER full").await;
            world.store.end_lease(first).await.expect("it lives");
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
            world.store.end_lease(first).await.expect_err("there is no room");
            world.database.execute("DROP TRIGGER full").await;
            let next = world.worker(HOUR).await;
            assert_eq!(world.take_over().await.expect("it is gone"), 1);
            assert_eq!(files(&world), 1);
            assert_eq!(world.claim(next, 10).await[0].origin.trigger.run, run);
        })
        .await;
    }
}
