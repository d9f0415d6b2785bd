//! The project's own commands: `cargo run -p xtask -- test`.

mod cargo;
mod postgres;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::cargo::{Interrupts, Stopped};
use self::postgres::Cluster;

/// Names the Postgres server to test on.
const SERVER: &str = "INDELIBLE_TEST_DATABASE_URL";

/// The project's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo run -p xtask --")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the tests, all of them unless arguments say which.
    ///
    /// They need Postgres: the server that INDELIBLE_TEST_DATABASE_URL names, else one that is started
    /// for them from installed binaries and removed afterwards.
    Test {
        /// Passed on to `cargo nextest run`, or to `cargo test` where that is not installed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures what a flush costs, on both kinds of database.
    BenchFlush,
}

/// Why a command could not do its work, in one sentence.
#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stopped::Failed(code)) => ExitCode::from(code),
        Err(Stopped::Problem(problem)) => {
            eprintln!("xtask: {problem}");
            ExitCode::from(2)
        }
        Err(Stopped::Interrupted) => {
            eprintln!("xtask: interrupted");
            ExitCode::from(130)
        }
    }
}

async fn run(command: Command) -> Result<(), Stopped> {
    let mut interrupts = Interrupts::new()?;
    match std::env::var(SERVER) {
        Ok(url) => carry_out(command, &url, &mut interrupts).await,
        Err(_) => {
            let mut cluster = Cluster::create()?;
            let durable = matches!(command, Command::BenchFlush);
            let done = match cluster.start(durable, &mut interrupts).await {
                Ok(()) => carry_out(command, &cluster.url(), &mut interrupts).await,
                Err(stopped) => Err(stopped),
            };
            cluster.remove().await;
            done
        }
    }
}

async fn carry_out(
    command: Command,
    server: &str,
    interrupts: &mut Interrupts,
) -> Result<(), Stopped> {
    match command {
        Command::Test { arguments } => cargo::test(&arguments, server, interrupts).await,
        Command::BenchFlush => cargo::bench_flush(server, interrupts).await,
    }
}
