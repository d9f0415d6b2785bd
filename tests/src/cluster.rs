//! A second Postgres server, for what comes from the first one.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::eventually;

/// Runs a server until its input is at an end, and then removes the folder: also when the test was killed.
const KEEP: &str = r#"
    exec 3<&0
    "$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c log_min_messages=fatal &
    server=$!
    { read -r _; kill -QUIT "$server"; } <&3 &
    wait "$server"
    cd / && rm -rf "$2""#;

/// A Postgres server of a test's own, whose transaction ids begin anew. It is stopped, and all of it is
/// removed, when this is dropped.
pub struct Cluster {
    keeper: Child,
    folder: TempDir,
}

/// Whom the server runs as, if not us: Postgres refuses to run as root.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When Postgres is not installed here, or the server does not start.
    pub async fn start() -> Self {
        // A short path: a socket's may have no more than 107 bytes.
        let folder = tempfile::Builder::new().prefix("indelible-pg-").tempdir_in("/tmp");
        let folder = folder.expect("a temporary folder");
        let user = unprivileged_user(folder.path());
        if let Some(User { uid, gid }) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("the folder can be handed over");
        }
        let command = |program: PathBuf| {
            let mut command = Command::new(program);
            command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
            if let Some(User { uid, gid }) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let initdb = command(program_of_postgres("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(folder.path().join("data"))
            .status();
        assert!(initdb.expect("it runs").success(), "`initdb` has failed");

        let keeper = command("sh".into())
            .args(["-c", KEEP, "sh"])
            .args([program_of_postgres("postgres").as_path(), folder.path()])
            .stdin(Stdio::piped())
            // What ends the test does not end this.
            .process_group(0)
            .spawn();
        let mut cluster = Self { keeper: keeper.expect("it runs"), folder };
        let url = cluster.url();
        eventually("the second server answers", async || {
            let ended = cluster.keeper.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "the second server did not start");
            PgConnection::connect(&url).await.is_ok()
        })
        .await;
        cluster
    }

    /// How to reach it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A program of Postgres. All come from one folder, as they have to be of one version: from the first one
/// of the `PATH` that has them, or where packages have put the newest.
///
/// # Panics
///
/// When there is none.
pub(crate) fn program_of_postgres(name: &str) -> PathBuf {
    let is_complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_dump", "pg_restore"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&on_path).find(is_complete).or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
        let mut versions: Vec<(u32, PathBuf)> = versions
            .filter_map(|version| {
                let number = version.file_name().to_str()?.parse().ok()?;
                Some((number, version.path().join("bin")))
            })
            .filter(|(_, folder)| is_complete(folder))
            .collect();
        versions.sort();
        versions.pop().map(|(_, folder)| folder)
    });
    let folder = found.expect(
        "this test needs the programs of a Postgres server (Debian: `apt-get install postgresql`)",
    );
    folder.join(name)
}

/// Somebody else, if the folder's owner is root.
fn unprivileged_user(folder: &Path) -> Option<User> {
    if fs::metadata(folder).expect("the folder is there").uid() != 0 {
        return None;
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some(User { uid: id("-u", name)?, gid: id("-g", name)? }));
    Some(user.expect("there is a user `postgres` or `nobody` to run Postgres as"))
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
