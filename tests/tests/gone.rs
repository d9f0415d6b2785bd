//! A SQLite file that is deleted or replaced while programs use it: they accept nothing more, and say why.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use indelible::prelude::*;
use indelible::{Client, Error, RunQuery, StoreError};
use indelible_tests::crowd::{Crowd, work};
use indelible_tests::databases::Fresh;
use indelible_tests::eventually;
use indelible_tests::process::Process;
use tokio::time::timeout;

/// What happens to the file.
#[derive(Clone, Copy)]
enum Fate {
    Deleted,
    Replaced,
}

impl Fate {
    /// Has it happen; gives what is said of it.
    async fn befall(self, database: &Fresh) -> &'static str {
        let file = database.url().replace("sqlite://", "");
        match self {
            Self::Deleted => {
                fs::remove_file(file).expect("it can be removed");
                "was deleted or moved while this program used it"
            }
            Self::Replaced => {
                let other = Fresh::sqlite().await;
                client(&other).await.close().await;
                // Into the same file system first.
                let beside = format!("{file}-other");
                fs::copy(other.url().replace("sqlite://", ""), &beside).expect("it can be copied");
                fs::rename(beside, file).expect("it can be moved");
                "was replaced by another file while this program used it"
            }
        }
    }
}

async fn client(database: &Fresh) -> Client {
    Runtime::builder(Crowd).database(database.url()).connect().await.expect("a client")
}

fn assert_says(error: &Error, what: &str) {
    assert!(matches!(error, Error::Store(StoreError::Gone(_))), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(what) && said.contains("start the program again"), "{said}");
}

async fn a_client_stops(fate: Fate) {
    let database = Fresh::sqlite().await;
    let client = client(&database).await;
    let run = client.start(work, 1).await.expect("it starts");
    let mut waiting = Box::pin(run.result());
    for _ in 0..20 {
        tokio::select! {
            ended = &mut waiting => panic!("nobody drives it: {ended:?}"),
            counts = client.counts() => assert_eq!(counts.expect("they are counted").len(), 1),
        }
    }
    let what = fate.befall(&database).await;
    for number in 0..3 {
        assert_says(&client.start(work, number).await.expect_err("it is not accepted"), what);
    }
    assert_says(&client.runs(&RunQuery::default()).await.expect_err("it is not read"), what);
    let told = timeout(Duration::from_secs(30), waiting).await.expect("it is told at once");
    assert_says(&told.expect_err("nobody drives it any more"), what);
}

#[tokio::test]
async fn a_client_stops_when_its_file_is_deleted() {
    a_client_stops(Fate::Deleted).await;
}

#[tokio::test]
async fn a_client_stops_when_its_file_is_replaced() {
    a_client_stops(Fate::Replaced).await;
}

/// A worker that has nothing to do, in a program that waits for Ctrl-C.
async fn a_program_ends(fate: Fate) {
    let database = Fresh::sqlite().await;
    let client = client(&database).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_crowd"));
    command.args([&*database.url(), "10000", "2"]);
    let mut program = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    let mut log = program.stderr();
    let run = client.start(work, 1).await.expect("it starts");
    run.result().await.expect("it completes");
    let what = fate.befall(&database).await;
    eventually("the program has ended", async || program.ended().is_some()).await;
    assert!(!program.wait().success());
    let mut said = String::new();
    log.read_to_string(&mut said).expect("it logs text");
    // Once in the log, and once as what `main` gives.
    assert_eq!(said.matches(what).count(), 2, "{said}");
    assert_eq!(said.matches("ERROR").count(), 1, "{said}");
    assert!(!said.contains("the lease was lost"), "{said}");
}

#[tokio::test]
async fn a_program_ends_when_its_file_is_deleted() {
    a_program_ends(Fate::Deleted).await;
}

#[tokio::test]
async fn a_program_ends_when_its_file_is_replaced() {
    a_program_ends(Fate::Replaced).await;
}
