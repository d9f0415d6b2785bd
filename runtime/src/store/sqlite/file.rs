//! Whether the database's file is still where it was opened. A program that has it open can write on
//! after it was deleted, and all of that is lost when the program ends.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::store::StoreError;

/// The file of one store.
pub(super) struct DatabaseFile {
    /// Without symbolic links: whoever opens the file by another name has the same one here.
    path: PathBuf,
    identity: Identity,
    /// What has become of it, once that was noticed. It stays so, whatever comes to the path later.
    gone: OnceLock<String>,
}

impl DatabaseFile {
    /// The file that was just opened.
    pub(super) fn opened(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let identity = identity(&fs::metadata(&path)?);
        Ok(Self { path, identity, gone: OnceLock::new() })
    }

    /// Whether a path leads to it.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| path == self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails from the moment that the file was deleted, moved or replaced. Costs a look at its
    /// metadata.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.gone.get().is_none()
            && let Some(what) = self.what_happened()
        {
            let why = format!(
                "the database file {} was {what} while this program used it, so nothing more can be \
                 stored; stop this program, put the file back together with its `-wal` file if it \
                 has one, and start the program again",
                self.path.display()
            );
            let _ = self.gone.set(why);
        }
        self.gone.get().map_or(Ok(()), |why| Err(StoreError::Gone(why.clone())))
    }

    fn what_happened(&self) -> Option<&'static str> {
        match fs::metadata(&self.path) {
            Ok(file) if identity(&file) == self.identity => None,
            Ok(_) => Some("replaced by another file"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some("deleted or moved"),
            // It may be there and cannot be looked at.
            Err(_) => None,
        }
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

/// The device and the inode.
#[cfg(unix)]
fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;

    (file.dev(), file.ino())
}

#[cfg(not(unix))]
type Identity = ();

/// Other systems refuse to delete or replace a file that is open.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use uuid::Uuid;

    use crate::flow::NewRun;
    use crate::id::WorkerId;
    use crate::journal::RunId;
    use crate::store::StoreError;
    use crate::store::conformance::{APP, HOUR, ORDER, World, json, on_sqlite, step};

    fn file(world: &World) -> String {
        world.database.url().replace("sqlite://", "")
    }

    /// Nothing is accepted, committed, renewed or read any more, and everybody hears why.
    async fn assert_gone(world: &World, what: &str) {
        let store = &*world.store;
        let worker = WorkerId::new();
        let refused = [
            store.start_runs(APP, &[NewRun::new(ORDER, None, json("{}"))]).await.err(),
            world.flush(worker, &[step(RunId::new(), 0, "a")]).await.err(),
            store.renewals().renew(worker, HOUR).await.err(),
            store.run_counts(APP).await.err(),
        ];
        for error in refused {
            let error = error.expect("the file is gone");
            assert!(matches!(error, StoreError::Gone(_)), "{error}");
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[tokio::test]
    async fn a_file_that_was_gone_once_stays_so() {
        on_sqlite(|world: World| async move {
            let (file, aside) = (file(&world), format!("{}-aside", file(&world)));
            world.start(1).await;
            fs::rename(&file, &aside).expect("it can be moved");
            assert_gone(&world, "was deleted or moved while this program used it").await;
            assert!(!fs::exists(&file).expect("it can be asked"), "nobody makes a new one");
            fs::rename(&aside, &file).expect("it can be moved");
            assert_gone(&world, "was deleted or moved while this program used it").await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_in_its_place_is_another() {
        on_sqlite(|world: World| async move {
            let (file, copy) = (file(&world), format!("{}-copy", file(&world)));
            world.start(1).await;
            fs::copy(&file, &copy).expect("it can be copied");
            fs::rename(&copy, &file).expect("it can be moved");
            assert_gone(&world, "was replaced by another file while this program used it").await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_transaction_that_was_open_is_not_committed() {
        on_sqlite(|world: World| async move {
            let worker = world.worker(HOUR).await;
            let run = world.claimed(worker).await;
            let open = world.store.begin_transaction().await.expect("it begins");
            fs::remove_file(file(&world)).expect("it can be removed");
            let commit = step(run, 0, "pay");
            let concluded =
                world.store.conclude_transaction(open, worker, Uuid::now_v7(), &commit).await;
            assert!(matches!(concluded, Err(StoreError::Gone(_))), "{concluded:?}");
        })
        .await;
    }
}
