//! How programs speak with the store: starting and sending, asking and awaiting. A client drives
//! nothing; that is the [`worker`](crate::worker)'s part.

mod connecting;
mod delay;
mod events;
mod handle;
mod limits;
mod schedules;
mod sending;
mod starting;
mod timeline;
mod verbs;
mod views;
mod why;

use std::marker::PhantomData;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::to_raw_value;

pub use self::connecting::Connecting;
pub use self::delay::Delay;
pub use self::handle::RunHandle;
pub use self::schedules::WorkflowSchedule;
pub use self::sending::Sending;
pub use self::starting::Starting;
pub use self::timeline::{StateSpan, Timeline};
pub use self::verbs::Replaying;
pub use self::why::EventReasons;

use crate::error::{Error, Result};
use crate::event::{Catalog, Event, EventId, UntypedEvent, check_name};
use crate::given::{LONGEST_KEY, LONGEST_REASON, check};
use crate::journal::{CancelKey, Row, RunId};
use crate::payload::{EncodeError, Payload};
use crate::program::{Program, to_be_delivered};
use crate::store::{NewEvent, RunCount, RunQuery, RunRecord, Store, Terms};
use crate::trace::TraceContext;
use crate::transaction::Transactional;

/// How many events are accepted, or runs started, in one commit.
const BATCH: usize = 500;

/// Sends events, starts runs and asks about them. Cheap to clone.
///
/// A program that has an app gets one from its [runtime](crate::Runtime::client) or from
/// [`RuntimeBuilder::connect`](crate::RuntimeBuilder::connect). A program without the app's code
/// [connects](Self::connect) to the database alone.
#[derive(Clone)]
pub struct Client {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) speaker: Speaker,
    /// The largest event data and run input, in bytes.
    pub(crate) event_limit: usize,
    /// How long what happens may go unnoticed when no hint of it arrives.
    pub(crate) poll_interval: Duration,
    /// Who knows the trace of what is sent or started without one.
    pub(crate) traces: Option<TraceSource>,
}

/// Gives the trace that the caller belongs to at this moment.
pub(crate) type TraceSource = fn() -> Option<TraceContext>;

/// For whom a client speaks.
#[derive(Clone)]
pub(crate) enum Speaker {
    /// For no app. It sends events, and asks about single runs.
    Anyone,
    /// For an app that is elsewhere.
    App(Arc<str>),
    /// For the app of this program.
    Program(Arc<Program>),
}

impl Client {
    /// The same client, for an app: it asks about the runs of this app and starts some. The app needs no code
    /// in this program. The two clients share their connections.
    ///
    /// ```
    /// # async fn desk(client: indelible::Client) -> indelible::Result<()> {
    /// let desk = client.for_app("help-desk");
    /// let counts = desk.counts().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn for_app(&self, app: &str) -> Self {
        let speaker = match &self.speaker {
            Speaker::Program(program) if program.app == app => self.speaker.clone(),
            _ => Speaker::App(app.into()),
        };
        Self { speaker, ..self.clone() }
    }

    /// The app that the client speaks for.
    pub(crate) fn app(&self) -> Result<&str> {
        match &self.speaker {
            Speaker::Anyone => Err(Error::NoApp),
            Speaker::App(app) => Ok(app),
            Speaker::Program(program) => Ok(program.app),
        }
    }

    /// The program that has the app, if it is this one.
    pub(crate) fn program(&self) -> Option<&Program> {
        match &self.speaker {
            Speaker::Program(program) => Some(program),
            Speaker::Anyone | Speaker::App(_) => None,
        }
    }

    /// Who says what runs are subject to that this client begins.
    fn terms(&self) -> &dyn Terms {
        self.program().map_or(&Elsewhere, |program| program)
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
        let data = Payload::encode(&event, self.event_limit);
        let data = data.map_err(|cause| not_storable(format!("the event `{}`", E::NAME), cause));
        Sending::new(self, E::NAME, data)
    }

    /// Sends an event by its name, with data that serialises to JSON. In a program that has the app, its
    /// [catalog](Self::catalog) checks both. Otherwise only the form of the name is checked: the workers of an
    /// app find out whether the data fits.
    ///
    /// ```
    /// # async fn created(client: indelible::Client) -> indelible::Result<()> {
    /// client.send_by_name("ticket/created", serde_json::json!({ "ticket_id": 7 })).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidEvent`] if no event has the name or the data does not fit it, and as
    /// [`send`](Self::send).
    pub fn send_by_name(&self, name: &str, data: impl Serialize) -> Sending<'_> {
        Sending::new(self, name.to_owned(), self.event_data(name, &data))
    }

    fn event_data(&self, name: &str, data: &impl Serialize) -> Result<Payload> {
        let what = || format!("the event `{name}`");
        match self.program() {
            Some(program) => {
                let json =
                    to_raw_value(data).map_err(|error| not_storable(what(), error.into()))?;
                Ok(program.catalog.check(name, &json, self.event_limit)?.into_parts().1)
            }
            None => {
                check_name(name)?;
                self.json(data, what)
            }
        }
    }

    /// A value as JSON that is not too large.
    fn json(&self, value: &impl Serialize, what: impl Fn() -> String) -> Result<Payload> {
        let json = to_raw_value(value).map_err(|error| not_storable(what(), error.into()))?;
        Payload::encode(&json, self.event_limit).map_err(|cause| not_storable(what(), cause))
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
        let trace = self.trace();
        let events = events.into_iter().map(|event| {
            let data = Payload::encode(&event, self.event_limit)
                .map_err(|cause| not_storable(format!("the event `{}`", E::NAME), cause))?;
            self.accept(E::NAME, data, None, trace.clone())
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
        let trace = self.trace();
        let events = events.into_iter().map(|(event, key)| {
            let (name, data) = event.into_parts();
            self.accept(name, data, key, trace.clone())
        });
        self.accept_all(events.collect::<Result<_>>()?).await
    }

    async fn accept_all(&self, events: Vec<NewEvent>) -> Result<Vec<EventId>> {
        let mut ids = Vec::with_capacity(events.len());
        for batch in events.chunks(BATCH) {
            ids.extend(self.accept_batch(batch).await?);
        }
        Ok(ids)
    }

    /// An event to be accepted, with what this program makes of it at once.
    fn accept(
        &self,
        name: &str,
        data: Payload,
        key: Option<String>,
        trace: Option<TraceContext>,
    ) -> Result<NewEvent> {
        match self.program() {
            Some(program) => program.accept(name, data, key, trace),
            None => to_be_delivered(name, data, key, trace),
        }
    }

    /// The trace of what is sent or started now without one.
    fn trace(&self) -> Option<TraceContext> {
        self.traces.and_then(|trace| trace())
    }

    async fn accept_batch(&self, events: &[NewEvent]) -> Result<Vec<EventId>> {
        let hosted_by = self.program().map(|program| program.app);
        Ok(self.store.accept_events(hosted_by, events).await?)
    }

    /// The app's event types. It checks events that come as JSON. It is empty if this program does not have
    /// the app.
    pub fn catalog(&self) -> &Catalog {
        static EMPTY: LazyLock<Catalog> = LazyLock::new(Catalog::default);
        self.program().map_or(&EMPTY, |program| &program.catalog)
    }

    /// The largest event data that is accepted, in bytes of JSON.
    pub fn event_limit(&self) -> usize {
        self.event_limit
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
        Ok(self.store.runs(self.app()?, query).await?)
    }

    /// The schedules of the app's workflows, with their last ticks and the next ones. These are the schedules
    /// of this version of the program, in order of their workflows' ids.
    ///
    /// # Errors
    ///
    /// [`Error::NoProgram`] if this program does not have the app; or when the database does not answer.
    pub async fn schedules(&self) -> Result<Vec<WorkflowSchedule>> {
        let program = self.program().ok_or(Error::NoProgram)?;
        let schedules = &program.registration.schedules;
        let standing = self.store.schedules(program.app, schedules).await?;
        let listed = standing.into_iter().filter_map(|one| WorkflowSchedule::of(program, one));
        Ok(listed.collect())
    }

    /// How many runs of each workflow of the app have which status.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn counts(&self) -> Result<Vec<RunCount>> {
        Ok(self.store.run_counts(self.app()?).await?)
    }
}

/// Says that another program knows what runs are subject to.
struct Elsewhere;

impl Terms for Elsewhere {
    fn know(&self, _workflow: &str) -> bool {
        false
    }

    fn cancels(&self, _workflow: &str, _input: &Payload) -> Vec<CancelKey> {
        Vec::new()
    }
}

fn not_storable(what: String, cause: EncodeError) -> Error {
    Error::NotStorable { what, cause }
}

fn check_reason(reason: &str) -> Result<()> {
    check(reason, LONGEST_REASON).map_err(|cause| Error::UnfitText {
        what: "the reason of a cancellation".to_owned(),
        cause,
    })
}

fn check_query(query: &RunQuery) -> Result<()> {
    let workflow = query.workflow.as_deref().map(|workflow| ("workflow", workflow));
    let error = query.error.as_deref().map(|text| ("text", text));
    let attribute = query.attribute.iter();
    let attribute = attribute.flat_map(|(key, value)| [("key", &**key), ("value", &**value)]);
    for (what, text) in workflow.into_iter().chain(error).chain(attribute) {
        check(text, LONGEST_KEY)
            .map_err(|cause| Error::UnfitText { what: format!("the {what} of a query"), cause })?;
    }
    Ok(())
}
