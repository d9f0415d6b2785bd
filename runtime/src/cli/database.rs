//! Commands on the database: who asks it, and in which form the answer is printed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Subcommand;

use super::answer::Answer;
use super::operation::Operation;
use super::{doctor, events, limits, runs, starting, verbs, workers, workflows};
use crate::app::App;
use crate::client::{Client, Speaker};
use crate::error::Error;
use crate::program::{Program, database_url};
use crate::step::Limits;
use crate::store;

/// The commands that ask the database, or change what is in it.
#[derive(Debug, Clone, Subcommand)]
#[non_exhaustive]
pub enum DatabaseCommand {
    /// List runs, the newest first
    Runs(runs::Runs),
    /// Show what happened to a run, state by state
    Show(runs::Show),
    /// Say why a run does not go on, or what became of an event
    Why(runs::Why),
    /// Send an event
    Send(events::Send),
    /// List events, the newest first
    Events(events::Events),
    /// List the events that a workflow cannot tell what to make of
    Blocked(events::Blocked),
    /// Send a blocked event again, with changed data
    Resend(events::Resend),
    /// Give up a blocked event
    Discard(events::Discard),
    /// Start a workflow
    Start(starting::Start),
    /// Ask runs to stop
    Cancel(verbs::Cancel),
    /// Resume failed runs at the step that made them fail
    Retry(verbs::Retry),
    /// Start runs that are over once more, from the beginning
    Replay(verbs::Replay),
    /// Start a new run that reuses what another did before a state
    Fork(verbs::Fork),
    /// List the workflows and how many runs they have
    Workflows(workflows::Workflows),
    /// Let all runs of a workflow rest
    Pause(workflows::Pause),
    /// Let the runs of a paused workflow go on
    Resume(workflows::Resume),
    /// List the schedules and their next ticks
    Schedules(workflows::Schedules),
    /// List unfinished runs that no running worker can drive
    Stranded(workflows::Stranded),
    /// List the limits, who holds their slots and how many runs wait
    Limits(limits::Limits),
    /// Set what a limit allows, in place of what the code says
    SetLimit(limits::Set),
    /// Let a limit allow again what the code says
    ResetLimit(limits::Reset),
    /// List the workers
    Workers(workers::Workers),
    /// Create or update the tables
    Migrate(doctor::Migrate),
    /// Look for what is wrong with the database, its workers and its runs
    Doctor(doctor::Doctor),
}

impl DatabaseCommand {
    /// Asks, on a thread of its own: the caller may be a task of another runtime.
    pub(super) fn run<A: App>(&self) -> Answer {
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(self.ask::<A>()),
                    Err(error) => Answer::failed(2).line(format_args!("error: {error}")),
                }
            });
            asking.join().unwrap_or_else(|_| Answer::failed(2).line("error: the command panicked"))
        })
    }

    async fn ask<A: App>(&self) -> Answer {
        match self {
            Self::Runs(it) => ask::<A>(it).await,
            Self::Show(it) => ask::<A>(it).await,
            Self::Why(it) => ask::<A>(it).await,
            Self::Send(it) => ask::<A>(it).await,
            Self::Events(it) => ask::<A>(it).await,
            Self::Blocked(it) => ask::<A>(it).await,
            Self::Resend(it) => ask::<A>(it).await,
            Self::Discard(it) => ask::<A>(it).await,
            Self::Start(it) => ask::<A>(it).await,
            Self::Cancel(it) => ask::<A>(it).await,
            Self::Retry(it) => ask::<A>(it).await,
            Self::Replay(it) => ask::<A>(it).await,
            Self::Fork(it) => ask::<A>(it).await,
            Self::Workflows(it) => ask::<A>(it).await,
            Self::Pause(it) => ask::<A>(it).await,
            Self::Resume(it) => ask::<A>(it).await,
            Self::Schedules(it) => ask::<A>(it).await,
            Self::Stranded(it) => ask::<A>(it).await,
            Self::Limits(it) => ask::<A>(it).await,
            Self::SetLimit(it) => ask::<A>(it).await,
            Self::ResetLimit(it) => ask::<A>(it).await,
            Self::Workers(it) => ask::<A>(it).await,
            Self::Doctor(it) => ask::<A>(it).await,
            Self::Migrate(it) => {
                let url = database_url(it.asked.database_url.clone(), A::NAME);
                match store::open(&url, None).await {
                    Ok(store) => {
                        store.close().await;
                        Answer::default().line("The tables are those of this version.")
                    }
                    Err(error) => failed(&error.into()),
                }
            }
        }
    }
}

async fn ask<A: App>(operation: &impl Operation) -> Answer {
    let url = database_url(operation.asked().database_url.clone(), A::NAME);
    let store = match store::open_existing(&url, None).await {
        Ok(store) => store,
        Err(error) => return failed(&error.into()),
    };
    let program = Program::new::<A>(Limits::DEFAULT);
    let client = Client {
        store,
        event_limit: program.limits.event,
        speaker: Speaker::Program(Arc::new(program)),
        poll_interval: Duration::from_secs(1),
        traces: None,
    };
    let answer = operation.run(&client).await.unwrap_or_else(|error| failed(&error));
    client.close().await;
    answer
}

/// Code 1 says that the request was refused, and 2 that it could not be made.
fn failed(error: &Error) -> Answer {
    let code = if matches!(error, Error::Open(_) | Error::Store(_)) { 2 } else { 1 };
    Answer::failed(code).line(format_args!("error: {error}"))
}
