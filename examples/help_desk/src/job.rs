//! The job from its start to its end: every event is fed, then every run is waited for. The
//! database may go away at any time; both wait until it is back.

use std::collections::HashMap;
use std::future::Future;
use std::io::BufRead;
use std::mem;
use std::time::Duration;

use indelible::event::UntypedEvent;
use indelible::prelude::*;
use indelible::{Error, RunCount, RunQuery, StoreError};
use tokio::time::sleep;

use crate::analysis::Priority;
use crate::desk::Desk;
use crate::events::{
    CommentPosted, PasswordChanged, PasswordResetRequested, TicketCreated, UserSignedUp,
};
use crate::feed::{Feed, Line, Rejection};
use crate::progress::{Progress, Tally};
use crate::workflows::{
    Assignment, on_comment_posted, on_password_changed, on_password_reset_requested,
    on_ticket_created, on_urgent_ticket, on_user_signup,
};

/// How many events are handed over at a time.
const BATCH: usize = 500;

/// How often the runs are counted.
const INTERVAL: Duration = Duration::from_millis(100);

/// What starts when an event is fed.
const STARTS: [(&str, &str); 5] = [
    (TicketCreated::NAME, on_ticket_created::ID),
    (UserSignedUp::NAME, on_user_signup::ID),
    (CommentPosted::NAME, on_comment_posted::ID),
    (PasswordChanged::NAME, on_password_changed::ID),
    (PasswordResetRequested::NAME, on_password_reset_requested::ID),
];

/// What was fed, now or before.
#[derive(Default)]
pub(crate) struct Fed {
    /// How many events of each name.
    events: HashMap<&'static str, u64>,
    /// The lines that are no events.
    pub(crate) rejected: Vec<Rejection>,
}

/// Sends what the lines say, but for those that were fed before.
pub(crate) async fn feed(
    desk: &Desk,
    runtime: &Runtime,
    file: String,
    lines: Box<dyn BufRead + Send>,
) -> Result<Fed, Failure> {
    let before = desk.fed().await?;
    let mut fed = Fed::default();
    let mut batch = Vec::new();
    for line in Feed::new(file, lines, runtime.catalog(), runtime.event_limit()) {
        match line? {
            Line::Event { event, key } => {
                *fed.events.entry(event.name()).or_default() += 1;
                if !before.contains(&key) {
                    batch.push((event, key));
                }
            }
            Line::Rejected(rejection) => fed.rejected.push(rejection),
        }
        if batch.len() == BATCH {
            send(desk, runtime, mem::take(&mut batch)).await?;
        }
    }
    send(desk, runtime, batch).await?;
    Ok(fed)
}

/// Sends a batch. One that was accepted without our hearing of it may be sent again, by its keys.
async fn send(
    desk: &Desk,
    runtime: &Runtime,
    batch: Vec<(UntypedEvent, String)>,
) -> Result<(), Failure> {
    let events = || batch.iter().map(|(event, key)| (event.clone(), Some(key.clone())));
    patiently(|| runtime.send_all_untyped(events())).await?;
    let keys: Vec<String> = batch.iter().map(|(_, key)| key.clone()).collect();
    Ok(desk.note_fed(&keys).await?)
}

/// Waits until every run is over, or held.
pub(crate) async fn wait(
    runtime: &Runtime,
    fed: &Fed,
    mut progress: Progress,
) -> Result<(), Error> {
    loop {
        // One count for both questions: an alarm that begins between two would be in neither.
        let counts = patiently(|| runtime.counts()).await?;
        let tally = Tally::of(&counts);
        if tally.waiting == 0
            && have_begun(&counts, fed)
            && runs_of(&counts, on_urgent_ticket::ID)
                >= patiently(|| urgent_tickets(runtime)).await?
        {
            progress.finish(tally);
            return Ok(());
        }
        progress.show(tally);
        sleep(INTERVAL).await;
    }
}

/// Whether every event that was fed has started its run. That is a moment after it was accepted, for
/// an event is routed then.
fn have_begun(counts: &[RunCount], fed: &Fed) -> bool {
    let begun = |(event, workflow): &(&str, &str)| {
        runs_of(counts, workflow) >= fed.events.get(event).copied().unwrap_or(0)
    };
    STARTS.iter().all(begun)
}

fn runs_of(counts: &[RunCount], workflow: &str) -> u64 {
    counts.iter().filter(|count| count.workflow == workflow).map(|count| count.runs).sum()
}

/// How many tickets were found to be urgent, by runs that are over. Each sends an event, which starts
/// an alarm.
async fn urgent_tickets(runtime: &Runtime) -> Result<u64, Error> {
    let mut query = RunQuery {
        workflow: Some(on_ticket_created::ID.to_owned()),
        status: Some(RunStatus::Completed),
        limit: Some(500),
        ..RunQuery::default()
    };
    let mut urgent = 0;
    loop {
        let page = runtime.runs(&query).await?;
        let Some(last) = page.last() else { return Ok(urgent) };
        query.after = Some(last.id);
        let assignments = page.iter().filter_map(|run| run.output.as_ref()?.decode().ok());
        urgent +=
            assignments.filter(|done: &Assignment| done.priority == Priority::High).count() as u64;
    }
}

/// Asks again while the database is away.
async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match ask().await {
            Err(Error::Store(StoreError::Unavailable(_))) => sleep(INTERVAL * 5).await,
            answer => return answer,
        }
    }
}
