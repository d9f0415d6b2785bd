//! Commands for a program's own binary: it alone knows its workflows as types, so it draws them and
//! holds them against what was committed.
//!
//! A program without arguments of its own begins with [`run`]:
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
//! $ cargo run -- --help                     # what can I ask?
//! $ cargo run                               # start the program
//! ```
//!
//! # Arguments of your own
//!
//! [`run`] refuses every argument that it does not know: a mistyped `check` must not start the program.
//! So a program with arguments of its own reads them first. With [clap](https://docs.rs/clap) it takes
//! [`Command`] into its command line as a subcommand:
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
//! One that reads its arguments in another way calls [`run`] only if none of them is its own.
//!
//! # `indelible.lock`
//!
//! A run resumes by going through the workflow's body from the start, along what it has recorded. A
//! step that was renamed, removed or moved, or data that can no longer be read, stops it. That shows
//! in no type and in no test of new runs. So what unfinished runs rest on is committed beside the
//! source, an entry for each event and each workflow:
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
//! An event has a line for each field, `?` if it need not be there, and its types; what is in a
//! list stands at `tags[]`, in a map at `tags{}`, in a variant of an enum at `paid(card)`. A
//! workflow has the events that start it, or the fields of its `input`, and its steps in the order
//! of the source, each with its kind, its id, the event that it waits for and what may follow it; a
//! `join!` is a fork and a join. Where it takes one of several triggers, or events as a list, it says
//! so: `as one of several`, `as a list`. For reviewers it also says when the workflow starts: its
//! `cron`, its `batch`, and the events on which there is a `condition`. Source lines, what a condition
//! says, what a step does or gives, retries and timeouts are not in it: a resumed run does not notice
//! them, or finds out when a stored outcome is decoded.
//!
//! **`check` fails** when a step was renamed, removed, reordered, changed in kind, made to wait for
//! another event, or inserted where a run may have passed; when the same steps follow one another
//! in other ways; when a workflow, a trigger, an event or a field was removed; when a single event
//! became one of several or a list, or the other way round; when a field was
//! retyped or is newly required. **It passes** with a step where a run was over, with a new
//! workflow, trigger, event or optional field, with another schedule, batch or condition,
//! with a type that reads all that it read before. Then `lock` records it.

mod answer;
mod check;
mod draw;
#[cfg(all(test, feature = "testing"))]
mod survival;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Subcommand};

pub use self::draw::Format;
use crate::app::App;
use crate::workflow::shape::Shapes;

/// What a program's own binary can be asked about its workflows.
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
    /// Find out whether unfinished runs survive what has changed since `lock`
    Check(LockFile),
    /// Record what unfinished runs rest on, to be committed
    Lock(LockFile),
}

/// Where the shapes of events and workflows are committed.
#[derive(Debug, Clone, clap::Args)]
pub struct LockFile {
    /// The file [default: indelible.lock beside Cargo.toml, or here]
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
    /// Carries it out for an app, and prints what there is to say.
    ///
    /// Gives 0; 1 if `check` finds what unfinished runs may not survive, or nothing to compare with;
    /// 2 if it cannot be carried out.
    pub fn run<A: App>(&self, _app: A) -> ExitCode {
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
        };
        // Whoever closes the pipe has read enough.
        let _ = match answer.code {
            0 => write!(io::stdout(), "{}", answer.text),
            _ => write!(io::stderr(), "{}", answer.text),
        };
        ExitCode::from(answer.code)
    }
}

/// Carries out the command that the program was called with.
///
/// `None` if the program was called without arguments: then it starts. `--help` gives 0. An argument
/// that it does not know gives 2, with an error that names the nearest command. So a program with
/// [arguments of its own](self#arguments-of-your-own) reads them before.
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
        let text = refused(&["runs"]);
        assert!(text.contains("'runs'") && text.contains("--help"), "{text}");
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
