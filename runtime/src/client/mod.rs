//! How programs speak with the store: starting and sending, asking and awaiting. A client drives
//! nothing; that is the [`worker`](crate::worker)'s part.

mod handle;
mod sending;
mod timeline;
mod verbs;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use self::handle::RunHandle;
pub use self::sending::Sending;
pub use self::timeline::{StateSpan, Timeline};
pub use self::verbs::Replaying;

use crate::error::{Error, Result};
use crate::event::{Catalog, Event, EventId, UntypedEvent};
use crate::flow::NewRun;
use crate::given::{LONGEST_KEY, LONGEST_REASON, check};
use crate::journal::{CancelKey, Row, RunId};
use crate::payload::Payload;
use crate::program::Program;
use crate::store::{RunCount, RunQuery, RunRecord, Store};
use crate::workflow::{Input, Workflow, WorkflowFn};

/// How many events are accepted, or runs started, in one commit.
const BATCH: usize = 500;

/// Sends events, starts runs and asks about them. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) program: Arc<Program>,
    /// How long what happens may go unnoticed when no hint of it arrives.
    pub(crate) poll_interval: Duration,
}

impl Client {
    /// Starts a run directly. When this returns, the run is durable.
    ///
    /// # Errors
    ///
    /// When the app does not list the workflow, the input is too large, or the database does not
    /// answer.
    pub async fn start<W: Workflow>(
        &self,
        workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> Result<RunHandle<W::Output>> {
        let mut handles = self.start_all(workflow, [input]).await?;
        Ok(handles.remove(0))
    }

    /// Starts many runs of a workflow, in batches of one commit each, in order.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); batches before that are started. No run is, if an input is too
    /// large.
    pub async fn start_all<W: Workflow>(
        &self,
        _workflow: impl WorkflowFn<W>,
        inputs: impl IntoIterator<Item = <W::Input as Input>::Start>,
    ) -> Result<Vec<RunHandle<W::Output>>> {
        if self.program.workflow(W::ID).is_none() {
            return Err(Error::UnknownWorkflow { workflow: W::ID, app: self.program.app });
        }
        let limit = self.program.limits.event;
        let runs = inputs
            .into_iter()
            .map(|input| {
                let input = <W::Input as Input>::encode(&input, limit).map_err(|cause| {
                    Error::NotStorable { what: format!("the input of `{}`", W::ID), cause }
                })?;
                let cancels = CancelKey::all(W::CANCELS, &input);
                Ok(NewRun { cancels, ..NewRun::new(W::ID, None, input) })
            })
            .collect::<Result<Vec<_>>>()?;
        for batch in runs.chunks(BATCH) {
            self.store.start(self.program.app, batch).await?;
        }
        Ok(runs.iter().map(|run| self.handle(run.id)).collect())
    }

    /// Sends an event: every workflow that it triggers starts once. When the returned future is
    /// done, the event is durable.
    ///
    /// # Errors
    ///
    /// When the event or its idempotency key is too large, the key has a NUL character (U+0000), or the
    /// database does not answer.
    pub fn send<E: Event>(&self, event: E) -> Sending<'_> {
        Sending::new(self, E::NAME, Payload::encode(&event, self.program.limits.event))
    }

    /// Sends many events that the [catalog](Self::catalog) has checked, each with an idempotency key
    /// if it has one. They are accepted in batches of one commit each, in order.
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if a key is longer than 1 KiB or has a NUL character (U+0000): no event is
    /// accepted then. When the database does not answer; batches before that are accepted.
    pub async fn send_all(
        &self,
        events: impl IntoIterator<Item = (UntypedEvent, Option<String>)>,
    ) -> Result<Vec<EventId>> {
        let events = events
            .into_iter()
            .map(|(event, key)| self.program.accept(event.name, event.data, key))
            .collect::<Result<Vec<_>>>()?;
        let mut ids = Vec::with_capacity(events.len());
        for batch in events.chunks(BATCH) {
            ids.extend(self.store.accept(Some(self.program.app), batch).await?);
        }
        Ok(ids)
    }

    /// The app's event types, for checking events that come as JSON.
    pub fn catalog(&self) -> &Catalog {
        &self.program.catalog
    }

    /// The most that an event's data may measure as JSON, in bytes.
    pub fn event_limit(&self) -> usize {
        self.program.limits.event
    }

    /// A handle to a run that was started elsewhere.
    pub fn handle<T>(&self, run: RunId) -> RunHandle<T> {
        RunHandle { client: self.clone(), run, output: PhantomData }
    }

    /// Asks a run to stop: steps in progress are dropped, their outcomes are not waited for, and its
    /// attached children are asked to stop, too. `false` if it is over, or there is none.
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if the reason is longer than 16 KiB or has a NUL character (U+0000); or when
    /// the database does not answer.
    pub async fn cancel(&self, run: RunId, reason: &str) -> Result<bool> {
        check_reason(reason)?;
        let asked = self.store.cancel(run, reason).await?;
        Ok(asked)
    }

    /// How much work this process has found only by polling: runs that were ready, events to be routed,
    /// ends that were waited for. It should have heard of that work. In a healthy system the number is
    /// 0, as every commit says what work it makes. Otherwise work may wait for up to the
    /// [poll interval](crate::RuntimeBuilder::poll_interval); the log then says what was found.
    pub fn found_by_polling(&self) -> u64 {
        self.store.hints().polled()
    }

    /// Tells workers what they were not told yet, and closes the connections. A program that ends as
    /// soon as it has sent something calls this first; else workers may notice only when they poll.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// A run as the store knows it; `None` if there is none of this id.
    ///
    /// # Errors
    ///
    /// When the database does not answer. So it is with the methods below.
    pub async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        Ok(self.store.run(id).await?)
    }

    /// A run's journal, in order.
    pub async fn journal(&self, id: RunId) -> Result<Vec<Row>> {
        Ok(self.store.journal(id).await?)
    }

    /// A run's journal as what happened in each of its states, with what operators did to it.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the database does not answer.
    pub async fn timeline(&self, id: RunId) -> Result<Timeline> {
        let run = self.run(id).await?.ok_or(Error::NoSuchRun(id))?;
        let journal = self.store.journal(id).await?;
        Ok(Timeline::new(run, journal, self.store.interventions(id).await?))
    }

    /// The app's runs.
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if the query has a name or an attribute that no run can have, as it is too long
    /// or has a NUL character (U+0000); or when the database does not answer.
    pub async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>> {
        check_query(query)?;
        Ok(self.store.runs(self.program.app, query).await?)
    }

    /// How many of the app's runs stand where.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn counts(&self) -> Result<Vec<RunCount>> {
        Ok(self.store.counts(self.program.app).await?)
    }
}

fn check_reason(reason: &str) -> Result<()> {
    check(reason, LONGEST_REASON).map_err(|cause| Error::UnfitText {
        what: "the reason of a cancellation".to_owned(),
        cause,
    })
}

fn check_query(query: &RunQuery) -> Result<()> {
    let workflow = query.workflow.as_deref().map(|workflow| ("workflow", workflow));
    let attribute = query.attribute.iter();
    let attribute = attribute.flat_map(|(key, value)| [("key", &**key), ("value", &**value)]);
    for (what, text) in workflow.into_iter().chain(attribute) {
        check(text, LONGEST_KEY)
            .map_err(|cause| Error::UnfitText { what: format!("the {what} of a query"), cause })?;
    }
    Ok(())
}
