//! A help desk: tickets are triaged and handed to whoever knows most about them, people hear of
//! comments, new users are greeted, passwords are reset, and all of it goes on where it was when the
//! process is killed and started again.

mod analysis;
mod args;
mod chat;
mod desk;
mod events;
mod feed;
mod job;
mod mail;
mod progress;
mod summary;
#[cfg(test)]
mod tests;
mod workflows;

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indelible::prelude::*;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::args::Args;
use self::chat::Chat;
use self::desk::{Database, Desk};
use self::events::{
    AdminDigestReady, CommentPosted, PasswordChanged, PasswordResetRequested, PasswordResetUsed,
    TicketCreated, UrgentTicketCreated, UserSignedUp,
};
use self::progress::Progress;
use self::summary::Summary;
use self::workflows::{
    admin_digest, batch_digest, mail_admin_digest, on_comment_posted, on_password_changed,
    on_password_reset_requested, on_ticket_created, on_urgent_ticket, on_user_signup,
    post_admin_digest, report_failure,
};

indelible::app! {
    pub(crate) HelpDesk = "help-desk";
    events: [
        TicketCreated, UserSignedUp, UrgentTicketCreated, CommentPosted, PasswordChanged,
        PasswordResetRequested, PasswordResetUsed, AdminDigestReady,
    ],
    workflows: [
        on_ticket_created, on_user_signup, on_urgent_ticket, on_comment_posted,
        on_password_changed, on_password_reset_requested, admin_digest, mail_admin_digest,
        post_admin_digest, batch_digest, report_failure,
    ],
    on_failure: report_failure,
}

/// The events that come with the program, and what they are called in reports.
const EVENTS: (&str, &str) = ("events.jsonl", include_str!("../data/events.jsonl"));

/// What a shell gives for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(command) = args.command {
        return command.run(HelpDesk);
    }
    let progress = Progress::new();
    log_to(&progress);

    match run(args, progress).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}

/// Logs what `RUST_LOG` asks for, past the bar.
fn log_to(progress: &Progress) {
    let wanted = env::var("RUST_LOG").ok().and_then(|wanted| wanted.parse::<Targets>().ok());
    // Runs that fail or are held stand in the summary, and the runtime says once that the database
    // is away.
    let usual = || {
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("sqlx", LevelFilter::ERROR)
            .with_target("indelible::worker::log", LevelFilter::ERROR)
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(progress.log())
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(lines).with(wanted.unwrap_or_else(usual)).init();
}

async fn run(args: Args, progress: Progress) -> Result<ExitCode, Failure> {
    let (file, lines) = match &args.events {
        Some(path) => open(path)?,
        None => (EVENTS.0.to_owned(), Box::new(EVENTS.1.as_bytes()) as _),
    };
    // What can be wrong with the database is said best by the one who opens it first.
    Runtime::builder(HelpDesk).database(&args.database_url).connect().await?;
    let database = Database::lazy(&args.database_url)?;
    let mailer = mail::from_env(database.clone())?;
    let chat = Chat::from_env(database.clone());
    let desk = Desk::new(database, analysis::from_env(), mailer, chat, args.crash_at)
        .tokens_live(Duration::from_millis(args.token_lifetime));
    desk.prepare().await?;

    // A short lease: whoever starts a killed help desk again does not want to wait long for it.
    let runtime = Runtime::builder(HelpDesk)
        .database(&args.database_url)
        .resource(desk.clone())
        .max_active_runs(args.concurrency)
        .lease(Duration::from_secs(2))
        .start()
        .await?;
    let job = async {
        let fed = job::feed(&desk, &runtime, file, lines).await?;
        job::wait(&runtime, &fed, progress).await?;
        Summary::gather(&desk, &runtime, fed.rejected).await
    };
    let code = tokio::select! {
        summary = job => {
            // Whoever closes the pipe has read enough.
            let _ = write!(io::stdout(), "{}", summary?);
            ExitCode::SUCCESS
        }
        () = asked_to_stop() => {
            eprintln!("stopping; start again to go on");
            ExitCode::from(INTERRUPTED)
        }
    };
    runtime.shutdown().await;
    Ok(code)
}

/// A file of events, and what it is called in reports.
fn open(path: &Path) -> Result<(String, Box<dyn BufRead + Send>), Failure> {
    let unreadable = |error| {
        Failure::msg(format!(
            "cannot read the events in {}: {error}; name a file of JSON Lines with --events",
            path.display()
        ))
    };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    // A folder can be opened; only reading shows what it is.
    lines.fill_buf().map_err(unreadable)?;
    let name = path.file_name().unwrap_or(OsStr::new("events")).to_string_lossy().into_owned();
    Ok((name, Box::new(lines)))
}

/// Waits for Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    // Without a handler the default action of the signal ends the process.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
