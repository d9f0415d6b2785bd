//! A Postgres server of the tests' own: started from installed binaries in a folder of its own,
//! reached through a socket in that folder alone, removed in the end.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Problem;
use crate::cargo::{Interrupts, Stopped};

/// A Postgres server that lives as long as a command.
pub(crate) struct Cluster {
    folder: PathBuf,
    as_root: bool,
    /// Whom the server runs as, if not us: Postgres refuses to run as root.
    user: Option<User>,
    server: Option<Child>,
    poolers: Vec<Child>,
}

/// A PgBouncer before the server.
pub(crate) struct Pooler {
    pub(crate) port: u16,
    /// When a client's session on the server may become another's.
    pub(crate) mode: &'static str,
    /// Which settings that come with a connection it drops, in place of refusing the connection.
    pub(crate) drops: &'static str,
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes its folder. The path is short: a socket's may have no more than 107 bytes.
    pub(crate) fn create() -> Result<Self, Problem> {
        let folder = PathBuf::from(format!("/tmp/indelible-pg-{}", std::process::id()));
        let unable =
            |error| Problem(format!("cannot make the folder {}: {error}", folder.display()));
        DirBuilder::new().mode(0o700).create(&folder).map_err(unable)?;
        let as_root = fs::metadata(&folder).map_err(unable)?.uid() == 0;
        Ok(Self { folder, as_root, user: None, server: None, poolers: Vec::new() })
    }

    /// How to reach it.
    pub(crate) fn url(&self) -> String {
        self.url_of(5432)
    }

    fn url_of(&self, port: u16) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{port}/postgres")
    }

    /// Starts it, after installing Postgres if need be.
    ///
    /// Without `durable` nothing is forced to the disk. Every commit is still there after any process
    /// was killed, the server's too; only the power must not fail.
    pub(crate) async fn start(
        &mut self,
        durable: bool,
        interrupts: &mut Interrupts,
    ) -> Result<(), Stopped> {
        let binaries = match installed() {
            Some(binaries) => binaries,
            None => {
                install("postgresql", self.as_root, interrupts).await?;
                installed().ok_or_else(|| {
                    let nowhere = "Postgres was installed, but its `initdb` is nowhere to be found";
                    Problem(nowhere.to_owned())
                })?
            }
        };
        if self.as_root {
            let user = unprivileged_user().await?;
            chown(&self.folder, Some(user.uid), Some(user.gid)).map_err(|error| {
                Problem(format!("cannot hand over {}: {error}", self.folder.display()))
            })?;
            self.user = Some(user);
        }
        let data = self.folder.join("data");
        let mut initdb = self.command(&binaries.join("initdb"));
        initdb
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .stdout(Stdio::null());
        interrupts.run(initdb).await?;

        let fsync = if durable { "fsync=on" } else { "fsync=off" };
        eprintln!(
            "xtask: starting a Postgres server for this, from {} ({fsync})",
            binaries.display()
        );
        let mut postgres = self.command(&binaries.join("postgres"));
        postgres
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses=", "-c", fsync, "-c", "max_connections=300"])
            .stdout(Stdio::null())
            .stderr(self.log()?)
            // A Ctrl-C on the terminal is for the tests; the server outlives them.
            .process_group(0)
            .kill_on_drop(true);
        let server = postgres
            .spawn()
            .map_err(|error| Problem(format!("cannot run {}: {error}", binaries.display())))?;
        self.server = Some(server);
        Ok(self.until_ready(&binaries).await?)
    }

    /// Starts a pooler before it, after installing PgBouncer if need be; gives the URL.
    pub(crate) async fn pool(
        &mut self,
        pooler: Pooler,
        interrupts: &mut Interrupts,
    ) -> Result<String, Stopped> {
        let program = match pgbouncer() {
            Some(program) => program,
            None => {
                install("pgbouncer", self.as_root, interrupts).await?;
                pgbouncer().ok_or_else(|| {
                    Problem("PgBouncer was installed, but is nowhere to be found".to_owned())
                })?
            }
        };
        let Pooler { port, mode, drops } = pooler;
        let folder = self.folder.display();
        // A test's database is gone soon, so its sessions must not stay for long.
        let settings = format!(
            "[databases]\n\
             * = host={folder} port=5432 user=postgres\n\
             [pgbouncer]\n\
             unix_socket_dir = {folder}\n\
             listen_port = {port}\n\
             auth_type = any\n\
             pool_mode = {mode}\n\
             ignore_startup_parameters = {drops}\n\
             max_client_conn = 2000\n\
             server_idle_timeout = 5\n\
             logfile = {folder}/pooler-{port}.log\n"
        );
        let file = self.folder.join(format!("pooler-{port}.ini"));
        fs::write(&file, settings)
            .map_err(|error| Problem(format!("cannot write {}: {error}", file.display())))?;
        let mut command = self.command(&program);
        command.arg("--quiet").arg(file).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|error| Problem(format!("cannot run {}: {error}", program.display())))?;
        self.poolers.push(child);
        let socket = self.folder.join(format!(".s.PGSQL.{port}"));
        let begun = Instant::now();
        while !socket.exists() {
            if begun.elapsed() > Duration::from_secs(60) {
                let log = self.folder.join(format!("pooler-{port}.log"));
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(
                    Problem(format!("PgBouncer did not start; its log says:\n{log}")).into()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(self.url_of(port))
    }

    async fn until_ready(&mut self, binaries: &Path) -> Result<(), Problem> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            let mut ask = self.command(&binaries.join("pg_isready"));
            ask.arg("--quiet").arg("--host").arg(&self.folder);
            if ask.status().await.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if let Some(Ok(Some(_))) = self.server.as_mut().map(Child::try_wait) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        Err(Problem(format!("the Postgres server did not start; its log says:\n{log}")))
    }

    /// Stops it, and removes all that there was of it.
    pub(crate) async fn remove(self) {
        for mut server in self.poolers.into_iter().chain(self.server) {
            // Nothing of it is to be kept: no orderly end is needed.
            if let Err(error) = server.kill().await {
                eprintln!("xtask: cannot stop a server: {error}");
            }
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("xtask: cannot remove {}: {error}", self.folder.display());
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log(&self) -> Result<fs::File, Problem> {
        let path = self.log_path();
        fs::File::create(&path)
            .map_err(|error| Problem(format!("cannot write {}: {error}", path.display())))
    }
}

/// The folder with the newest Postgres binaries: one of the `PATH`, or where packages put them.
fn installed() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path).find(|folder| is_complete(folder)).or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut versions: Vec<(u32, PathBuf)> = versions
            .filter_map(|version| {
                let version = version.ok()?;
                let number = version.file_name().to_str()?.parse().ok()?;
                Some((number, version.path().join("bin")))
            })
            .filter(|(_, folder)| is_complete(folder))
            .collect();
        versions.sort();
        versions.pop().map(|(_, folder)| folder)
    })
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres", "pg_isready"].iter().all(|program| folder.join(program).is_file())
}

fn pgbouncer() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    // It is no program of everybody's.
    folders.push("/usr/sbin".into());
    folders.into_iter().map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

async fn install(package: &str, root: bool, interrupts: &mut Interrupts) -> Result<(), Stopped> {
    let has_apt = Path::new("/usr/bin/apt-get").exists();
    if !(root && has_apt) {
        return Err(Problem(format!(
            "the tests need Postgres 13 or newer, and PgBouncer: install them (Debian: `apt-get \
             install {package}`), or set INDELIBLE_TEST_DATABASE_URL to a server on which databases \
             may be created, and the variables for poolers that the README names"
        ))
        .into());
    }
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command
    };
    eprintln!("xtask: installing {package}");
    interrupts.run(apt_get(&["update"])).await?;
    interrupts.run(apt_get(&["install", "--yes", "--no-install-recommends", package])).await
}

/// Whom to run the server as, when that must not be root.
async fn unprivileged_user() -> Result<User, Problem> {
    for name in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id("-u", name).await, id("-g", name).await) {
            return Ok(User { uid, gid });
        }
    }
    Err(Problem(
        "Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as"
            .to_owned(),
    ))
}

async fn id(which: &str, name: &str) -> Option<u32> {
    let arguments: [&OsStr; 2] = [which.as_ref(), name.as_ref()];
    let output = Command::new("id").args(arguments).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
