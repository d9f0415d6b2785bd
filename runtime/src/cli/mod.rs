//! Commands for your program's own binary. Only your program knows its workflows, so it draws them itself, and
//! compares them with the committed lock file.
//!
//! If your program has no arguments of its own, let it begin with [`run`]:
//!
//! ```no_run
//! use std::process::ExitCode;
//! # use indelible::prelude::*;
//! # indelible::app! { pub HelpDesk = "help-desk"; events: [], workflows: [], }
//!
//! fn main() -> ExitCode {
//!     if let Some(code) = indelible::cli::run(HelpDesk) {
//!         return code;
//!     }
//!     // What the program is for.
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! ```console
//! $ cargo run -- graph on-ticket-created    # draw a workflow
//! $ cargo run -- check                      # will unfinished runs survive what I changed?
//! $ cargo run -- lock                       # record what the program is now
//! $ cargo run -- schema export              # what do my events look like?
//! $ cargo run -- runs --status failed       # which runs have failed?
//! $ cargo run -- doctor                     # is all well?
//! $ cargo run -- --help                     # what can I ask?
//! $ cargo run                               # start the program
//! ```
//!
//! # Arguments of your own
//!
//! [`run`] refuses every argument that it does not know, so that a mistyped `check` does not start the
//! program. If your program has arguments of its own, it has to read them first. With
//! [clap](https://docs.rs/clap), add [`Command`] to your command line as a subcommand:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use clap::Parser;
//! # use indelible::prelude::*;
//! # indelible::app! { pub HelpDesk = "help-desk"; events: [], workflows: [], }
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(subcommand)]
//!     command: Option<indelible::cli::Command>,
//!     #[arg(long, default_value_t = 8080)]
//!     port: u16,
//! }
//!
//! fn main() -> ExitCode {
//!     let args = Args::parse();
//!     if let Some(command) = args.command {
//!         return command.run(HelpDesk);
//!     }
//!     // What the program is for, with `args.port`.
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! If you read arguments in another way, call [`run`] only if none of them is your own.
//!
//! # The database
//!
//! Most commands ask the database, or change what is in it: `runs`, `show`, `why`, `send`, `cancel`, `retry`,
//! `pause`, `limits`, `doctor` and others. The database is the one in the environment variable
//! `INDELIBLE_DATABASE_URL`, or the one that `--database-url` names; without both, the file `<app>.db` in the
//! current folder. They drive no runs. Each has `--json`, and `--help` says what else it takes.
//!
//! # Schemas of events
//!
//! Programs in other languages send your events and read them. `schema export` tells them what the data looks
//! like, from the types of your events. It needs no database.
//!
//! | `--format` | what it writes |
//! |---|---|
//! | `json-schema` | a JSON Schema (2020-12) of `{"name": .., "data": ..}`, with the types below `$defs` |
//! | `asyncapi` | an AsyncAPI 3.0 document with a channel for each event. Your app receives the events that start its workflows, that they wait for, or that cancel them |
//! | `typescript` | a type for each of yours, and `Events`, which has the data of each event by its name |
//!
//! # `indelible.lock`
//!
//! To resume a run, the runtime runs the workflow's body from its start, and compares each step with the run's
//! journal. If a step was renamed, removed or moved, or if stored data can no longer be read, the run is held.
//! No type and no test of new runs shows that. So you commit a file that records what unfinished runs need,
//! with an entry for each event and each workflow:
//!
//! ```text
//! event ticket/created
//!     note?: string | null
//!     tags: list
//!     tags[]: string
//!     ticket_id: uuid
//!
//! workflow on-ticket-created
//!     on ticket/created
//!     (start) -> fetch-ticket
//!     run fetch-ticket -> (fork 1)
//!     (fork 1) -> triage, mark-todo
//!     run triage -> (join 1)
//!     run mark-todo -> (join 1)
//!     (join 1) -> assign, (end)
//!     run assign -> await-answer
//!     wait_for_event await-answer of ticket/answered -> (end)
//! ```
//!
//! The entry of an event has a line for each field, with its types. A `?` marks an optional field. The items
//! of a list stand at `tags[]`, the values of a map at `tags{}`, and the fields of an enum's variant at
//! `paid(card)`.
//!
//! The entry of a workflow begins with the events that start it, or with the fields of its `input`. `as one of
//! several` and `as a list` say how it takes its events. Then come its steps in the order of the source. Each
//! step has its kind, its id, the event that it waits for, and the steps that may follow it. A `join!` is a
//! fork and a join. For reviewers, the entry also says when the workflow starts: its `cron`, its `batch`, and
//! the events that have a `condition`.
//!
//! Source lines, the text of conditions, what a step does or gives, retries and time-outs are not in the file.
//! A resumed run does not notice them, or notices when it reads a stored outcome.
//!
//! **`check` fails** when
//!
//! - a step was renamed, removed, reordered, or inserted where a run may have passed;
//! - a step changed its kind, or waits for another event;
//! - the steps are the same, but can follow one another in other ways;
//! - a workflow, a trigger, an event or a field was removed;
//! - a single event became one of several or a list, or the other way round;
//! - a field has another type, or is required and was not.
//!
//! **`check` passes** when you add a step where a run was over, a workflow, a trigger, an event or an optional
//! field; when you change a schedule, a batch or a condition; and when a type still reads everything that it
//! read before. Then `lock` records the change.

mod answer;
mod check;
mod database;
mod doctor;
mod draw;
mod events;
mod limits;
mod operation;
mod runs;
mod schema;
mod starting;
#[cfg(all(test, feature = "testing"))]
mod survival;
mod table;
mod verbs;
mod workers;
mod workflows;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Subcommand};

pub use self::database::DatabaseCommand;
pub use self::draw::Format;
pub use self::schema::{Schema, SchemaFormat};
use crate::app::App;
use crate::workflow::shape::Shapes;
use crate::workflow::{Awaits, Trigger};

/// The commands of a program's own binary.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Draw the states of a workflow, or of all
    Graph {
        /// The workflow's id
        workflow: Option<String>,
        /// The language to draw in
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check whether unfinished runs survive what has changed since `lock`
    Check(LockFile),
    /// Write the lock file, which records what unfinished runs need; commit it
    Lock(LockFile),
    /// Tell programs in other languages what the app's events look like
    #[command(subcommand)]
    Schema(Schema),
    /// A command on the database
    #[command(flatten)]
    Database(Box<DatabaseCommand>),
}

/// The file that records the shapes of events and workflows.
#[derive(Debug, Clone, clap::Args)]
pub struct LockFile {
    /// The lock file [default: indelible.lock beside Cargo.toml, or in the current folder]
    #[arg(long = "lock", value_name = "FILE")]
    path: Option<PathBuf>,
}

impl LockFile {
    const NAME: &'static str = "indelible.lock";

    fn path(&self) -> PathBuf {
        // Cargo says whose program it runs, wherever it is run from.
        let beside = || Some(PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join(Self::NAME));
        self.path.clone().or_else(beside).unwrap_or_else(|| Self::NAME.into())
    }
}

impl Command {
    /// Runs the command for an app, and prints its answer.
    ///
    /// The exit code is 0 if all is well. It is 1 if the answer is no: there is no such run, the request was
    /// refused, `doctor` found a problem, or `check` found a change that unfinished runs may not survive. It is 2
    /// if the command cannot run: there is no database, an argument is wrong, or nobody can be asked.
    pub fn run<A: App>(&self, app: A) -> ExitCode {
        let answer = match self {
            Self::Graph { workflow, format } => {
                draw::draw(&A::workflows(), workflow.as_deref(), *format)
            }
            Self::Check(file) => {
                let pinned = A::workflows().into_iter().filter(|workflow| workflow.is_pinned());
                let pinned = pinned.map(|workflow| workflow.id()).collect();
                check::check(&file.path(), &Shapes::of::<A>(), &pinned)
            }
            Self::Lock(file) => check::lock(&file.path(), &Shapes::of::<A>()),
            Self::Schema(Schema::Export { format }) => exported(app, *format),
            Self::Database(command) => command.run::<A>(),
        };
        // Whoever closes the pipe has read enough.
        let _ = match answer.is_error {
            false => write!(io::stdout(), "{}", answer.text),
            true => write!(io::stderr(), "{}", answer.text),
        };
        ExitCode::from(answer.code)
    }
}

/// The schemas of an app's events.
fn exported<A: App>(_app: A, format: SchemaFormat) -> answer::Answer {
    let workflows = A::workflows();
    let mut received = Vec::new();
    for workflow in &workflows {
        received.extend(workflow.triggers.iter().map(Trigger::name));
        received.extend(workflow.cancels.iter().map(|cancel| cancel.event));
        Awaits::each(workflow.waits, &mut |event, _| received.push(event));
    }
    let exported = schema::Exported { app: A::NAME, events: &A::events(), received: &received };
    schema::export(&exported, format)
}

/// Runs the command with which the program was called.
///
/// Gives `None` if the program was called without arguments: then the program should start. After `--help` the
/// exit code is 0. An argument that it does not know prints an error with the nearest command, and the exit
/// code is 2. If your program has [arguments of its own](self#arguments-of-your-own), read them first.
pub fn run<A: App>(app: A) -> Option<ExitCode> {
    match asked::<A>(env::args_os()) {
        Ok(command) => command.map(|command| command.run(app)),
        Err(error) => {
            // Whoever closes the pipe has read enough.
            let _ = error.print();
            Some(ExitCode::from(if error.use_stderr() { 2 } else { 0 }))
        }
    }
}

/// The command line of a program that has no arguments of its own.
#[derive(clap::Parser)]
#[command(about = "Without a command, the program starts.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the program is asked, its own name first.
fn asked<A: App>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<Command>, clap::Error> {
    let matches = Arguments::command().name(A::NAME).try_get_matches_from(arguments)?;
    Ok(Arguments::from_arg_matches(&matches)?.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::app! { Desk = "desk"; events: [], workflows: [], }

    fn asked(arguments: &[&str]) -> Result<Option<Command>, clap::Error> {
        super::asked::<Desk>(["desk"].iter().chain(arguments).map(OsString::from))
    }

    fn refused(arguments: &[&str]) -> String {
        let error = asked(arguments).expect_err("it is no command");
        assert!(error.use_stderr(), "{error}");
        error.to_string()
    }

    #[test]
    fn no_word_at_all_starts_the_program() {
        assert!(asked(&[]).expect("nothing is wrong with nothing").is_none());
    }

    #[test]
    fn a_command_is_carried_out() {
        let command = asked(&["check", "--lock", "other.lock"]).expect("it is a command");
        assert!(matches!(command, Some(Command::Check(_))), "{command:?}");
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_nearest_command() {
        let text = refused(&["chek"]);
        assert!(text.contains("'chek'") && text.contains("'check'"), "{text}");
        let text = refused(&["bake"]);
        assert!(text.contains("'bake'") && text.contains("--help"), "{text}");
    }

    #[test]
    fn an_unknown_flag_is_refused() {
        for arguments in [&["--port"][..], &["--port=80"], &["-v"], &["check", "--lok", "a"]] {
            let text = refused(arguments);
            assert!(text.contains("unexpected argument"), "{text}");
        }
    }

    #[test]
    fn help_is_no_error() {
        for help in ["--help", "-h", "help"] {
            let usage = asked(&[help]).expect_err("no command is carried out");
            assert!(!usage.use_stderr(), "{usage}");
            let text = usage.to_string();
            for told in ["Usage: desk [COMMAND]", "check", "Without a command, the program starts"]
            {
                assert!(text.contains(told), "{told} is not in\n{text}");
            }
        }
    }
}
