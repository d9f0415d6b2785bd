//! Awards points for the purchases of a few days. The process may be killed at any moment: started again,
//! it goes on where it was.

mod summary;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indelible::cli::Command;
use indelible::prelude::*;
use loyalty::{AwardRequested, Bank, Loyalty, PurchaseRefunded, currency_award};
use serde_json::value::RawValue;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::summary::Summary;

/// Purchases and refunds. All are sent at once, in this order.
const PURCHASES: (&str, &str) = ("purchases.jsonl", include_str!("../data/purchases.jsonl"));

/// Refunds of purchases whose points have been posted, and one more purchase.
const LATER: (&str, &str) = ("later.jsonl", include_str!("../data/later.jsonl"));

/// A loyalty currency: members get points for what they buy, exactly once.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Args {
    /// What to do in place of the job
    #[command(subcommand)]
    command: Option<Command>,

    /// Where everything is kept: sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite://loyalty.db")]
    database_url: String,

    /// How many milliseconds a day lasts: the delays of merchants are hours and days
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    day: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(command) = args.command {
        return command.run(Loyalty);
    }
    log();

    match run(&args).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

/// Logs what `RUST_LOG` asks for.
fn log() {
    // Awards that fail stand in the summary.
    let usual = "warn,sqlx=error,indelible::worker::log=error";
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| usual.to_owned());
    let targets: Targets = wanted.parse().unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(targets).init();
}

async fn run(args: &Args) -> Result<ExitCode, Failure> {
    // What can be wrong with the database is said best by the runtime, so that opens it first.
    Runtime::builder(Loyalty).database(&args.database_url).connect().await?;
    let bank = Bank::open(&args.database_url).await?.day_lasts(Duration::from_millis(args.day));
    bank.seed().await?;

    // A short lease: whoever starts a killed program again does not want to wait long for it.
    let runtime = Runtime::builder(Loyalty)
        .database(&args.database_url)
        .resource(bank.clone())
        .lease(Duration::from_secs(2))
        .start()
        .await?;
    let job = async {
        let mut requests = 0;
        for (file, lines) in [PURCHASES, LATER] {
            requests += feed(&bank, &runtime, file, lines).await?;
            wait(&runtime, requests).await?;
        }
        Summary::gather(&bank, &runtime).await
    };
    let code = tokio::select! {
        summary = job => {
            print!("{}", summary?);
            ExitCode::SUCCESS
        }
        _ = tokio::signal::ctrl_c() => {
            eprintln!("stopping; start again to go on");
            ExitCode::from(130)
        }
    };
    runtime.shutdown().await;
    Ok(code)
}

/// An event as it stands in a file.
#[derive(Deserialize)]
struct Line<'a> {
    name: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Sends the events of a file, if that was not done before, and says how many awards they ask for.
async fn feed(bank: &Bank, runtime: &Runtime, file: &str, text: &str) -> Result<u64, Failure> {
    let lines: Vec<Line<'_>> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |name| lines.iter().filter(move |line| line.name == name);
    if !bank.was_fed(file).await? {
        let refunds: Vec<PurchaseRefunded> = of(PurchaseRefunded::NAME)
            .map(|line| serde_json::from_str(line.data.get()))
            .collect::<Result<_, _>>()?;
        let refunds: Vec<&str> = refunds.iter().map(|refund| &*refund.source_id).collect();
        bank.note_refunds(&refunds).await?;

        let mut events = Vec::new();
        for (number, Line { name, data }) in lines.iter().enumerate() {
            let event = runtime.catalog().check(name, data, runtime.event_limit())?;
            events.push((event, Some(format!("{file}:{number}"))));
        }
        runtime.send_all_untyped(events).await?;
        bank.note_fed(file).await?;
    }
    Ok(of(AwardRequested::NAME).count() as u64)
}

/// Waits until so many awards are over.
async fn wait(runtime: &Runtime, requests: u64) -> Result<(), Failure> {
    let mut said = Instant::now();
    loop {
        let counts = runtime.counts().await?;
        let over: u64 = counts
            .iter()
            .filter(|count| count.workflow == currency_award::ID && count.status.is_over())
            .map(|count| count.runs)
            .sum();
        if over >= requests {
            return Ok(());
        }
        if said.elapsed() >= Duration::from_secs(1) {
            eprintln!("{over} of {requests} awards are over");
            said = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
