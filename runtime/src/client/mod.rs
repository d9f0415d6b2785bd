//! How programs speak with the store: starting and sending, asking and awaiting. A client drives
//! nothing; that is the [`worker`](crate::worker)'s part.

mod delay;
mod handle;
mod limits;
mod schedules;
mod sending;
mod timeline;
mod verbs;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

pub use self::delay::Delay;
pub use self::handle::RunHandle;
pub use self::schedules::WorkflowSchedule;
pub use self::sending::Sending;
pub use self::timeline::{StateSpan, Timeline};
pub use self::verbs::Replaying;

use crate::error::{Error, Result};
use crate::event::{Catalog, Event, EventId, UntypedEvent};
use crate::flow::NewRun;
use crate::given::{LONGEST_KEY, LONGEST_REASON, check};
use crate::journal::{CancelKey, Row, RunId};
use crate::payload::{EncodeError, Payload};
use crate::program::Program;
use crate::store::{NewEvent, RunCount, RunQuery, RunRecord, Store};
use crate::transaction::Transactional;
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
    /// The input is of the type of the workflow's first parameter. A workflow over `Received<E>` takes an `E`.
    ///
    /// # Errors
    ///
    /// When the app does not list the workflow, the input is too large, a key of the workflow's limits
    /// fails, or the database does not answer.
    pub async fn start<W: Workflow>(
        &self,
        workflow: impl WorkflowFn<W>,
        input: <W::Input as Input>::Start,
    ) -> Result<RunHandle<W::Output>> {
        let mut handles = self.start_all(workflow, [input]).await?;
        Ok(handles.remove(0))
    }

    /// Starts many runs of a workflow, in order. Each batch of 500 is one commit.
    ///
    /// ```
    /// use indelible::workflow::Direct;
    /// use indelible::{Client, Result, RunHandle, Workflow, WorkflowFn};
    ///
    /// async fn start_for_each<W: Workflow<Input = Direct<u32>>>(
    ///     client: &Client,
    ///     workflow: impl WorkflowFn<W>,
    ///     tickets: Vec<u32>,
    /// ) -> Result<Vec<RunHandle<W::Output>>> {
    ///     client.start_all(workflow, tickets).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start). If one input is too large, or a key of it fails, no run starts. If the
    /// database does not answer, the batches before have started.
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
                let passage = W::CONFIG
                    .flow
                    .passage(W::ID, &input)
                    .map_err(|reason| Error::NotAdmitted { workflow: W::ID, reason })?;
                let run = NewRun { cancels, ..NewRun::new(W::ID, None, input) };
                Ok(run.passing(passage))
            })
            .collect::<Result<Vec<_>>>()?;
        for batch in runs.chunks(BATCH) {
            self.store.start_runs(self.program.app, batch).await?;
        }
        Ok(runs.iter().map(|run| self.handle(run.id)).collect())
    }

    /// Sends an event: each workflow that it triggers starts once. The event is durable when the `.await`
    /// is over.
    ///
    /// # Errors
    ///
    /// When the event or its idempotency key is too large, the key has a NUL character (U+0000), or the
    /// database does not answer.
    #[doc(alias = "signal")]
    pub fn send<E: Event>(&self, event: E) -> Sending<'_> {
        Sending::new(self, E::NAME, Payload::encode(&event, self.program.limits.event))
    }

    /// Sends an event in a transaction of yours: the event exists if and only if your change does. The
    /// transaction is one of sqlx's, on the database that stores the runs: `sqlx::Transaction<'_, Postgres>`
    /// or `sqlx::Transaction<'_, Sqlite>`. In a [`Step::transaction`](crate::step::Step::transaction) it is
    /// the [`Tx`](crate::Tx), and the event exists exactly once.
    ///
    /// The event is accepted after the commit. Its place among the other events, and the time at which it
    /// was accepted, are those of the commit or of a moment later, however long the transaction takes.
    /// So a wait that began before the commit sees the event.
    ///
    /// - On Postgres nothing is added to your transaction but an `INSERT`. While the transaction is open,
    ///   this process looks for the event in growing pauses, and tells the workers when it is there. A worker
    ///   finds by polling what nobody told of: the process died, or the transaction took over ten minutes.
    ///   The transaction's user has to be allowed to write the tables `later` and `dedupe` in the schema
    ///   `indelible`.
    /// - On SQLite the transaction has to be on the same file. A transaction that has written keeps all
    ///   others from writing, also the workers, so keep it short. Begin it with `BEGIN IMMEDIATE`: SQLite
    ///   refuses to write in one that began with reading and was overtaken by another.
    /// - With an idempotency key, a second transaction that sends an event with the same key waits for the
    ///   end of the first one.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "ticket/created")]
    /// # struct TicketCreated { ticket: i64 }
    /// # async fn create(client: &indelible::Client, pool: &sqlx::PgPool) -> Result<(), Failure> {
    /// let mut tx = pool.begin().await?;
    /// let insert = sqlx::query_scalar("INSERT INTO tickets DEFAULT VALUES RETURNING id");
    /// let ticket = insert.fetch_one(&mut *tx).await?;
    /// client.send_in(&mut tx, TicketCreated { ticket }).await?;
    /// tx.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). [`StoreError::OtherDatabase`](crate::StoreError::OtherDatabase) if the
    /// transaction is on another database than the runs; it can go on then. After any other error of a
    /// Postgres database, Postgres refuses to commit the transaction.
    #[doc(alias("outbox", "transactional", "enqueue_in"))]
    pub fn send_in<'t, E: Event>(
        &'t self,
        tx: &'t mut impl Transactional,
        event: E,
    ) -> Sending<'t> {
        self.send(event).within(tx)
    }

    /// Sends many events of one type, in order. Each batch of 500 is one commit.
    ///
    /// ```
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "ticket/created")]
    /// # struct TicketCreated { ticket: u32 }
    /// # async fn send(client: &indelible::Client) -> indelible::Result<()> {
    /// client.send_all((1..=3).map(|ticket| TicketCreated { ticket })).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). If one event is too large, no event is sent. If the database does not answer,
    /// the batches before have been sent.
    pub async fn send_all<E: Event>(
        &self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Vec<EventId>> {
        let limit = self.program.limits.event;
        let events = events.into_iter().map(|event| {
            let data =
                Payload::encode(&event, limit).map_err(|cause| not_storable(E::NAME, cause))?;
            self.program.accept(E::NAME, data, None)
        });
        self.accept_all(events.collect::<Result<_>>()?).await
    }

    /// Sends many events of any types, in order. The [catalog](Self::catalog) checks and makes them from
    /// JSON. Each can have an [idempotency key](Sending::idempotency_key). Each batch of 500 is one commit.
    ///
    /// ```
    /// # use indelible::Client;
    /// # use serde_json::value::to_raw_value;
    /// # async fn send(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let data = to_raw_value(&serde_json::json!({ "ticket": 7 }))?;
    /// let event = client.catalog().check("ticket/created", &data, client.event_limit())?;
    /// client.send_all_untyped([(event, Some("ticket-7".to_owned()))]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if a key is longer than 1 KiB or has a NUL character (U+0000); then no event
    /// is sent. If the database does not answer, the batches before have been sent.
    pub async fn send_all_untyped(
        &self,
        events: impl IntoIterator<Item = (UntypedEvent, Option<String>)>,
    ) -> Result<Vec<EventId>> {
        let events = events.into_iter().map(|(event, key)| {
            let (name, data) = event.into_parts();
            self.program.accept(name, data, key)
        });
        self.accept_all(events.collect::<Result<_>>()?).await
    }

    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<EventId>> {
        let mut ids = Vec::with_capacity(events.len());
        for batch in events.chunks(BATCH) {
            ids.extend(self.store.accept_events(Some(self.program.app), batch).await?);
        }
        Ok(ids)
    }

    /// The app's event types. It checks events that come as JSON.
    pub fn catalog(&self) -> &Catalog {
        &self.program.catalog
    }

    /// The largest event data that is accepted, in bytes of JSON.
    pub fn event_limit(&self) -> usize {
        self.program.limits.event
    }

    /// A handle to a run that was started elsewhere. `T` is the output type of its workflow.
    pub fn handle<T>(&self, run: RunId) -> RunHandle<T> {
        RunHandle { client: self.clone(), run, output: PhantomData }
    }

    /// Asks a run to stop. Steps in progress are dropped without waiting for their outcomes. Attached
    /// children are asked to stop, too. Gives `false` if the run is over or does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if the reason is longer than 16 KiB or has a NUL character (U+0000); or when
    /// the database does not answer.
    #[doc(alias = "terminate")]
    pub async fn cancel(&self, run: RunId, reason: &str) -> Result<bool> {
        check_reason(reason)?;
        let asked = self.store.cancel_run(run, reason).await?;
        Ok(asked)
    }

    /// How much work this process has found only by polling: runs that were ready, events to be routed,
    /// and ends that somebody waited for. In a healthy system the number is 0, because every commit tells
    /// all processes about the work that it makes. If the number grows, work waits for up to the
    /// [poll interval](crate::RuntimeBuilder::poll_interval), and the log says what was found.
    pub fn found_by_polling(&self) -> u64 {
        self.store.hints().polled()
    }

    /// Tells workers about the last commits of this client, and closes its connections. Call this in a
    /// program that ends right after it has sent something. Otherwise workers may notice only when they
    /// poll.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The run with this id; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        Ok(self.store.run(id).await?)
    }

    /// A run's journal, in order.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    #[doc(alias = "history")]
    pub async fn journal(&self, id: RunId) -> Result<Vec<Row>> {
        Ok(self.store.journal(id).await?)
    }

    /// What happened to a run: in each of its states, and by the hands of operators. Print it with `{}`.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the database does not answer.
    pub async fn timeline(&self, id: RunId) -> Result<Timeline> {
        let run = self.run(id).await?.ok_or(Error::NoSuchRun(id))?;
        let journal = self.store.journal(id).await?;
        Ok(Timeline::new(run, journal, self.store.interventions(id).await?))
    }

    /// The runs of the app that the query selects.
    ///
    /// ```
    /// # use indelible::RunQuery;
    /// # async fn shipments(client: &indelible::Client) -> indelible::Result<()> {
    /// let attribute = Some(("order".to_owned(), "7".to_owned()));
    /// let runs = client.runs(&RunQuery { attribute, ..RunQuery::default() }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnfitText`] if a name or an attribute in the query is longer than 1 KiB or has a NUL
    /// character (U+0000), so that no run can have it; or when the database does not answer.
    pub async fn runs(&self, query: &RunQuery) -> Result<Vec<RunRecord>> {
        check_query(query)?;
        Ok(self.store.runs(self.program.app, query).await?)
    }

    /// The schedules of the app's workflows, with their last ticks and the next ones. These are the schedules
    /// of this version of the program, in order of their workflows' ids.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn schedules(&self) -> Result<Vec<WorkflowSchedule>> {
        let schedules = &self.program.registration.schedules;
        let standing = self.store.schedules(self.program.app, schedules).await?;
        let listed =
            standing.into_iter().filter_map(|one| WorkflowSchedule::of(&self.program, one));
        Ok(listed.collect())
    }

    /// How many runs of each workflow of the app have which status.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn counts(&self) -> Result<Vec<RunCount>> {
        Ok(self.store.run_counts(self.program.app).await?)
    }
}

fn not_storable(event: &str, cause: EncodeError) -> Error {
    Error::NotStorable { what: format!("the event `{event}`"), cause }
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
