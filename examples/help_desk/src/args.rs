use std::path::PathBuf;

use clap::Parser;
use indelible::cli::Command;

use crate::desk::CrashPoint;

const ENVIRONMENT: &str = "\
Environment:
  HELP_DESK_SMTP_URL   send mails through this server (smtps://USER:PASSWORD@HOST)
  HELP_DESK_MAIL_FROM  who they are from
  HELP_DESK_AI_KEY     let a language model read the tickets
  HELP_DESK_AI_URL     where it is (https://api.openai.com/v1)
  HELP_DESK_AI_MODEL   which one (gpt-4o-mini)
  HELP_DESK_CHAT_URL   post the messages of the desk to this webhook
  RUST_LOG             what to log (warn)";

/// A help desk that triages tickets and greets new users, and that may be killed at any moment:
/// started again, it goes on where it was.
#[derive(Debug, Parser)]
#[command(version, after_help = ENVIRONMENT, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// What to do in place of the job
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where everything is kept: sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(long, value_name = "URL", default_value = "sqlite://help_desk.db")]
    pub(crate) database_url: String,

    /// The events to feed, as JSON Lines, in place of those that come with the program
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,

    /// How many runs to drive at once
    #[arg(long, value_name = "RUNS", default_value_t = 500)]
    pub(crate) concurrency: usize,

    /// How long the token of a password reset can be used; a real desk would say an hour
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    pub(crate) token_lifetime: u64,

    /// Abort the process in a step, between its effect and its checkpoint, the Nth time it executes
    #[arg(long, value_name = "STEP[:N]")]
    pub(crate) crash_at: Option<CrashPoint>,
}
