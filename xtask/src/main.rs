//! The project's own commands: `cargo run -p xtask -- test`.

mod cargo;
mod layers;
mod macro_cost;
mod postgres;

use std::fmt;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::cargo::{Interrupts, Stopped};
use self::postgres::{Cluster, Pooler};

/// Names the Postgres server to test on.
const SERVER: &str = "INDELIBLE_TEST_DATABASE_URL";

/// Names a PgBouncer before that server that gives each transaction another session.
const POOLER: &str = "INDELIBLE_TEST_POOLER_URL";

/// Names one that leaves a client its session, and drops the settings that come with a connection.
const SESSION_POOLER: &str = "INDELIBLE_TEST_SESSION_POOLER_URL";

/// The project's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo run -p xtask --")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    OnServer(OnServer),
    /// Gives the macros mutated code until the time is over or they fail on it.
    FuzzMacros {
        /// How long to go on.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Where the random choices begin: the seed that a failure has printed shows it again.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Fails if a module imports from one that is not on a floor below its own, or files do so in a circle.
    /// CONTRIBUTING.md tells the floors.
    Layers,
    /// Measures what the macros cost: `cargo check` of workflows against plain functions.
    MacroCost {
        /// How often each is checked.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
        repetitions: u16,
    },
}

/// What needs a Postgres server.
#[derive(Subcommand)]
enum OnServer {
    /// Runs the tests, all of them unless arguments say which.
    ///
    /// They need Postgres and PgBouncer: what INDELIBLE_TEST_DATABASE_URL, INDELIBLE_TEST_POOLER_URL and
    /// INDELIBLE_TEST_SESSION_POOLER_URL name, else servers that are started for them from installed
    /// binaries and removed afterwards.
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
    match command {
        Command::OnServer(command) => run_on_server(command, interrupts).await,
        Command::FuzzMacros { seconds, seed } => {
            cargo::fuzz_macros(seconds, seed, &mut interrupts).await
        }
        Command::Layers => layers::check(),
        Command::MacroCost { repetitions } => macro_cost::measure(repetitions),
    }
}

async fn run_on_server(command: OnServer, mut interrupts: Interrupts) -> Result<(), Stopped> {
    if std::env::var_os(SERVER).is_some() {
        return carry_out(command, &[], &mut interrupts).await;
    }
    let mut cluster = Cluster::create()?;
    let done = match start(&mut cluster, &command, &mut interrupts).await {
        Ok(servers) => carry_out(command, &servers, &mut interrupts).await,
        Err(stopped) => Err(stopped),
    };
    cluster.remove().await;
    done
}

/// An environment variable and its value.
type Variable = (&'static str, String);

/// Starts the servers that a command needs; gives how it is told of them.
async fn start(
    cluster: &mut Cluster,
    command: &OnServer,
    interrupts: &mut Interrupts,
) -> Result<Vec<Variable>, Stopped> {
    let durable = matches!(command, OnServer::BenchFlush);
    cluster.start(durable, interrupts).await?;
    let mut servers = vec![(SERVER, cluster.url())];
    if matches!(command, OnServer::Test { .. }) {
        let pooler = Pooler { port: 6432, mode: "transaction", drops: "" };
        servers.push((POOLER, cluster.pool(pooler, interrupts).await?));
        let drops = "extra_float_digits, options";
        let pooler = Pooler { port: 6433, mode: "session", drops };
        servers.push((SESSION_POOLER, cluster.pool(pooler, interrupts).await?));
    }
    Ok(servers)
}

async fn carry_out(
    command: OnServer,
    servers: &[Variable],
    interrupts: &mut Interrupts,
) -> Result<(), Stopped> {
    match command {
        OnServer::Test { arguments } => cargo::test(&arguments, servers, interrupts).await,
        OnServer::BenchFlush => cargo::bench_flush(servers, interrupts).await,
    }
}
