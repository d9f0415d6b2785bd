//! Databases that are moved with `pg_dump` and `pg_restore`.

use std::process::Command;

use tempfile::TempDir;

use crate::cluster::program_of_postgres;

/// What `pg_dump` has made of a database.
pub struct Dump(TempDir);

impl Dump {
    /// Dumps a database.
    ///
    /// # Panics
    ///
    /// When that fails; so it is with the method below.
    pub fn of(url: &str) -> Self {
        let dump = Self(tempfile::tempdir().expect("a temporary folder"));
        let mut command = Command::new(program_of_postgres("pg_dump"));
        command.arg("--format=custom").arg("--file").arg(dump.file()).arg("--dbname");
        run(command.arg(plain(url)));
        dump
    }

    /// Restores it into an empty database.
    pub fn restore_into(&self, url: &str) {
        let mut command = Command::new(program_of_postgres("pg_restore"));
        command.args(["--exit-on-error", "--no-owner", "--dbname"]).arg(plain(url));
        run(command.arg(self.file()));
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("dump")
    }
}

/// Without parameters, of which some are for other clients.
fn plain(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn run(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "it has failed: {command:?}");
}
