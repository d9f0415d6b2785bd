//! Cargo as a child process, which an interrupt stops.

use std::io;
use std::process::Stdio;

use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Problem, Variable};

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// What was run failed, and has said why.
    Failed(u8),
    /// It could not be run.
    Problem(Problem),
    /// The user stopped it.
    Interrupted,
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Ctrl-C, and what an operator or a CI system sends instead.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn new() -> Result<Self, Problem> {
        let listen = |kind| {
            signal(kind).map_err(|error| Problem(format!("cannot listen for signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Runs a program to its end.
    pub(crate) async fn run(&mut self, mut command: Command) -> Result<(), Stopped> {
        let name = command.as_std().get_program().to_string_lossy().into_owned();
        let unable = |error: io::Error| Problem(format!("cannot run `{name}`: {error}"));
        let mut child = command.kill_on_drop(true).spawn().map_err(unable)?;
        let status = tokio::select! {
            status = child.wait() => status.map_err(unable)?,
            _ = self.interrupt.recv() => return self.stop(child).await,
            _ = self.terminate.recv() => return self.stop(child).await,
        };
        match status.code() {
            Some(0) => Ok(()),
            Some(code) => Err(Stopped::Failed(u8::try_from(code).unwrap_or(1))),
            None => Err(Problem(format!("`{name}` was stopped by a signal ({status})")).into()),
        }
    }

    /// A Ctrl-C on a terminal has reached the child as well, and it may want to say so.
    async fn stop(&mut self, mut child: tokio::process::Child) -> Result<(), Stopped> {
        tokio::select! {
            _ = child.wait() => {}
            () = tokio::time::sleep(std::time::Duration::from_secs(5)) => {
                // It may have ended just now.
                let _ = child.kill().await;
            }
        }
        Err(Stopped::Interrupted)
    }
}

/// How many random workflows are simulated on each kind of database.
const CASES: &str = "INDELIBLE_TEST_CASES";

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(arguments);
    command
}

pub(crate) async fn test(
    arguments: &[String],
    servers: &[Variable],
    interrupts: &mut Interrupts,
) -> Result<(), Stopped> {
    let mut runner =
        if has_nextest().await { cargo(&["nextest", "run"]) } else { cargo(&["test"]) };
    let names_package =
        |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    if !arguments.iter().any(names_package) {
        runner.arg("--workspace");
    }
    // The examples in the documentation are part of all, not of what someone has picked. They come
    // first, so that what is said last is the summary of the rest.
    if arguments.is_empty() {
        let mut examples = cargo(&["test", "--doc", "--workspace"]);
        examples.envs(servers.iter().cloned());
        interrupts.run(examples).await?;
        if std::env::var_os(CASES).is_none() {
            runner.env(CASES, "5000");
        }
    }
    runner.args(arguments).envs(servers.iter().cloned());
    interrupts.run(runner).await
}

async fn has_nextest() -> bool {
    let mut version = cargo(&["nextest", "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null());
    version.status().await.is_ok_and(|status| status.success())
}

pub(crate) async fn bench_flush(
    servers: &[Variable],
    interrupts: &mut Interrupts,
) -> Result<(), Stopped> {
    let mut bench = cargo(&[
        "test",
        "--release",
        "-p",
        "indelible",
        "--lib",
        "--",
        "--nocapture",
        "--test-threads=1",
        "store::flush_cost",
    ]);
    bench.envs(servers.iter().cloned()).env("INDELIBLE_BENCH", "1");
    interrupts.run(bench).await
}

pub(crate) async fn fuzz_macros(
    seconds: u64,
    seed: Option<u64>,
    interrupts: &mut Interrupts,
) -> Result<(), Stopped> {
    let mut fuzz = cargo(&["test", "-p", "indelible-macros", "--lib", "--"]);
    fuzz.args(["--nocapture", "fuzz::"]).env("INDELIBLE_FUZZ_SECONDS", seconds.to_string());
    if let Some(seed) = seed {
        fuzz.env("INDELIBLE_TEST_SEED", seed.to_string());
    }
    interrupts.run(fuzz).await
}
