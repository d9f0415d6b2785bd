use std::future::pending;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::App;
use crate::client::{Client, Speaker, TraceSource};
use crate::deploy;
use crate::error::Result;
use crate::program::{Program, database_url};
use crate::step::{Limits, Resources};
use crate::store;
use crate::trace::TraceContext;
use crate::worker::{Env, Outages, StoreTransactions, Worker, WorkerConfig};
use crate::workflow::shape::Shapes;
use crate::workflow::{Workflow, WorkflowFn};

const MOST_ACTIVE_RUNS: usize = 1_000_000;
const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// A running app: a worker that drives its runs, and a [`Client`]. It has all methods of the client.
///
/// ```no_run
/// # use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "ticket/created")]
/// # pub struct TicketCreated { pub ticket_id: Uuid }
/// # #[workflow]
/// # pub async fn on_ticket_created(event: TicketCreated, step: Step) -> Result<Uuid, Failure> { Ok(event.ticket_id) }
/// # indelible::app! { pub HelpDesk = "help-desk"; events: [TicketCreated], workflows: [on_ticket_created], }
/// # async fn main_() -> indelible::Result<()> {
/// let runtime = Runtime::builder(HelpDesk).database("postgres://localhost/desk").start().await?;
/// let run = runtime.start(on_ticket_created, TicketCreated { ticket_id: Uuid::nil() }).await?;
/// let ticket = run.result().await?;
/// runtime.until_signal().await
/// # }
/// ```
///
/// Dropping a runtime stops its worker as [`shutdown`](Self::shutdown) does, but does not wait for it.
#[must_use = "a runtime that is dropped stops"]
pub struct Runtime {
    client: Client,
    worker: Worker,
}

/// Configures a [`Runtime`] before it starts. [`Runtime::builder`] makes one.
#[must_use = "nothing runs before `.start().await`"]
pub struct RuntimeBuilder<A> {
    app: PhantomData<A>,
    database: Option<String>,
    hints_database: Option<String>,
    resources: Resources,
    limits: Limits,
    worker: WorkerConfig,
    traces: Option<TraceSource>,
    /// The ids of the workflows that it drives; none: all.
    only: Vec<&'static str>,
}

impl Runtime {
    /// Begins to configure a runtime for an app.
    pub fn builder<A: App>(_app: A) -> RuntimeBuilder<A> {
        RuntimeBuilder {
            app: PhantomData,
            database: None,
            hints_database: None,
            resources: Resources::default(),
            limits: Limits::DEFAULT,
            worker: WorkerConfig::DEFAULT,
            traces: None,
            only: Vec::new(),
        }
    }

    /// A client that you can hand to other parts of the program.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Runs until the process gets Ctrl-C or SIGTERM, then [shuts down](Self::shutdown). A second signal
    /// ends the grace period at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Gone`](crate::StoreError::Gone) if the file of a SQLite database was deleted, moved or
    /// replaced. The runtime cannot go on then, and the program has to be started again. An outage of a
    /// database server is no error: the runtime waits until the server is back.
    pub async fn until_signal(self) -> Result<()> {
        let mut requests = StopRequests::listen();
        let stopped = tokio::select! {
            () = requests.next() => Ok(()),
            gone = self.worker.failed() => Err(gone.into()),
        };
        if stopped.is_ok() {
            info!(
                "stopping: no new runs begin, and steps in progress may end; press Ctrl-C or send \
                 SIGTERM again to end them now"
            );
        }
        let hurrying = self.worker.hurrying();
        let asked_again = async {
            requests.next().await;
            info!("asked again to stop: steps in progress end now");
            hurrying.cancel();
            pending().await
        };
        tokio::select! {
            () = self.shutdown() => stopped,
            never = asked_again => never,
        }
    }

    /// Takes no new runs, and lets steps in progress end within the [grace period](RuntimeBuilder::grace).
    /// Other workers can go on with the remaining runs at once.
    pub async fn shutdown(self) {
        self.worker.stop().await;
        self.client.store.close().await;
    }
}

impl Deref for Runtime {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl<A: App> RuntimeBuilder<A> {
    /// The database that stores the runs: `postgres://user:password@host/database` or `sqlite://file.db`.
    ///
    /// Without this call, the runtime uses the URL in the environment variable `INDELIBLE_DATABASE_URL`.
    /// Without that, it uses an embedded database: a file in the current directory, named after the app.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// A URL of the same Postgres database that goes past the pooler, for hints.
    ///
    /// The runtime detects a pooler that gives each transaction another session (PgBouncer's
    /// `pool_mode = transaction`). Everything works through such a pooler except hints, so a process
    /// learns only by [polling](Self::poll_interval) what another process has done. With this URL, the
    /// process listens on one connection straight to the server, and is as quick as without a pooler.
    /// Without a pooler, leave this out.
    pub fn hints_database(mut self, url: impl Into<String>) -> Self {
        self.hints_database = Some(url.into());
        self
    }

    /// Gives the app's workflows a value, such as a pool or a client. They take it as a parameter:
    /// `Resource(name): Resource<T>`.
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources.insert(resource);
        self
    }

    /// How many runs this runtime drives at once, and so has in memory (500 by default, from 1 to a million).
    /// Runs that wait for a long time, an event or another run do not count, because they leave memory.
    ///
    /// This is about one machine. To limit the runs of a workflow on all machines, use its `concurrency`
    /// argument.
    #[doc(alias("concurrency", "worker pool", "parallelism"))]
    pub fn max_active_runs(mut self, runs: usize) -> Self {
        self.worker.max_active_runs = runs.clamp(1, MOST_ACTIVE_RUNS);
        self
    }

    /// Lets this runtime drive only the runs of this workflow. Call it once for each workflow that it is to
    /// drive. Without it, the runtime drives all workflows of the app.
    ///
    /// ```no_run
    /// # use indelible::prelude::*;
    /// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
    /// # #[event(name = "video/uploaded")]
    /// # pub struct Uploaded { pub no: u32 }
    /// # #[workflow]
    /// # pub async fn encode(_event: Uploaded) -> Result<(), Failure> { Ok(()) }
    /// # #[workflow]
    /// # pub async fn thumbnail(_event: Uploaded) -> Result<(), Failure> { Ok(()) }
    /// # #[workflow]
    /// # pub async fn announce(_event: Uploaded) -> Result<(), Failure> { Ok(()) }
    /// # indelible::app! { pub Videos = "videos"; events: [Uploaded], workflows: [encode, thumbnail, announce], }
    /// # async fn main_() -> indelible::Result<()> {
    /// // On the machines with a GPU:
    /// let runtime = Runtime::builder(Videos).only(encode).only(thumbnail).max_active_runs(4);
    /// let runtime = runtime.start().await?;
    /// # runtime.until_signal().await
    /// # }
    /// ```
    ///
    /// The runtime still looks after the whole app: it routes all events, fires all schedules, completes all
    /// batches and lets runs pass their limits, also for workflows that it does not drive. It needs only the
    /// [resources](Self::resource) of the workflows that it drives. The handlers of their ends
    /// (`on_failure`, `on_cancel`) are workflows of their own, and any worker that drives those takes them.
    ///
    /// Runs that no living worker drives wait until there is one. [`Client::stranded`] lists them, and
    /// [`Client::why`] says so of each.
    #[doc(alias("task queue", "queues", "worker pool"))]
    pub fn only<W: Workflow>(mut self, _workflow: impl WorkflowFn<W>) -> Self {
        self.only.push(W::ID);
        self
    }

    /// How long a worker that died keeps its runs before other workers take them over (10 s by default,
    /// from 500 ms to a day). A worker that cannot reach the database for this long drops its runs.
    ///
    /// Workers look for dead ones when they start, and then each quarter of this time. A worker on the
    /// same machine need not wait for the lease, because the operating system tells it that the process is
    /// gone. On Postgres this needs Linux, and both workers in the same container. On SQLite, a process
    /// that is stopped or hangs keeps its runs until it ends.
    #[doc(alias("take-over", "takeover", "failover", "heartbeat"))]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.worker.lease = lease.clamp(Duration::from_millis(500), MAX_LEASE);
        self
    }

    /// How often the runtime polls for work whose hint was lost (1 s by default, at least 10 ms).
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.worker.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// How long steps in progress may go on when the runtime is asked to stop (20 s by default).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.worker.grace = grace;
        self
    }

    /// The largest event data and run input that are accepted, in bytes of JSON (512 KiB by default).
    pub fn event_limit(mut self, bytes: usize) -> Self {
        self.limits.event = bytes;
        self
    }

    /// The largest step outcome and run output that are accepted, in bytes of JSON (4 MiB by default).
    pub fn outcome_limit(mut self, bytes: usize) -> Self {
        self.limits.outcome = bytes;
        self
    }

    /// Who knows the trace that the program works in. The runtime and its clients ask at each event that is sent and
    /// each run that is started without a [trace of its own](crate::Sending::trace_context), in the task that does so.
    /// Many events or runs that are sent or started in one call get the same trace.
    ///
    /// Workflows need none of this: what a run invokes and what its steps send belongs to the run's trace.
    ///
    /// ```no_run
    /// # use indelible::prelude::*;
    /// # use indelible::TraceContext;
    /// # indelible::app! { pub Videos = "videos"; events: [], workflows: [], }
    /// # mod tracing_setup { pub fn current_traceparent() -> Option<String> { None } }
    /// # async fn main_() -> indelible::Result<()> {
    /// let runtime = Runtime::builder(Videos)
    ///     .trace_context_from(|| tracing_setup::current_traceparent()?.parse().ok())
    ///     .start()
    ///     .await?;
    /// # runtime.until_signal().await
    /// # }
    /// ```
    #[doc(alias("OpenTelemetry", "propagator", "traceparent"))]
    pub fn trace_context_from(mut self, traces: fn() -> Option<TraceContext>) -> Self {
        self.traces = Some(traces);
        self
    }

    /// Opens the database but drives no runs: for programs that only send events and ask about runs.
    ///
    /// It does not register the app. An event that is sent before the app's first runtime has
    /// [started](Self::start) is accepted, but starts no runs, then or later.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened.
    pub async fn connect(self) -> Result<Client> {
        let program = Arc::new(Program::new::<A>(self.limits));
        let Self { database, hints_database, worker, traces, .. } = self;
        connect(program, database, hints_database, worker.poll_interval, traces).await
    }

    /// Opens the database, registers the app and starts its worker.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened, or a workflow takes a [resource](Self::resource) that the
    /// builder was not given. [`Error::UnknownWorkflow`](crate::Error::UnknownWorkflow) if the runtime is to
    /// drive [only](Self::only) a workflow that the app does not list.
    pub async fn start(self) -> Result<Runtime> {
        let mut program = Program::new::<A>(self.limits);
        program.drive_only(&self.only)?;
        let program = Arc::new(program);
        program.check_resources(&self.resources)?;
        let poll_interval = self.worker.poll_interval;
        let (database, hints_database) = (self.database, self.hints_database);
        let connect =
            connect(program.clone(), database, hints_database, poll_interval, self.traces);
        let client = connect.await?;
        for stranded in client.store.register_app(&program.registration).await? {
            warn!(
                workflow = stranded.workflow,
                runs = stranded.runs,
                "this program does not have this workflow, but unfinished runs do; it leaves these runs \
                 alone"
            );
        }
        for departed in deploy::reshape(&*client.store, &Shapes::of::<A>()).await? {
            // Nobody resumes a pinned workflow's runs in another shape.
            if program.workflow(&departed.workflow).is_none_or(|workflow| !workflow.is_pinned()) {
                departed.warn();
            }
        }
        let mut resources = self.resources;
        let outages = Arc::new(Outages::default());
        let transactions = StoreTransactions::new(client.store.clone(), outages.clone());
        resources.transact_in(Arc::new(transactions));
        let worker = Worker::start(Env {
            store: client.store.clone(),
            program,
            resources: Arc::new(resources),
            outages,
            polls: Arc::default(),
            config: self.worker,
            stopping: CancellationToken::new(),
            hurrying: CancellationToken::new(),
        })
        .await?;
        Ok(Runtime { client, worker })
    }
}

async fn connect(
    program: Arc<Program>,
    database: Option<String>,
    hints_database: Option<String>,
    poll_interval: Duration,
    traces: Option<TraceSource>,
) -> Result<Client> {
    let url = database_url(database, program.app);
    let store = store::open(&url, hints_database.as_deref()).await?;
    let event_limit = program.limits.event;
    let speaker = Speaker::Program(program);
    Ok(Client { store, speaker, event_limit, poll_interval, traces })
}

/// Ctrl-C and, on Unix, SIGTERM. One that comes while nobody waits is not lost.
struct StopRequests {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
}

impl StopRequests {
    #[cfg(unix)]
    fn listen() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self { signals: kinds.map(|kind| signal(kind).ok()) }
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let [interrupted, terminated] = self.signals.each_mut().map(|signal| async {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => pending().await,
            }
        });
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            pending().await
        }
    }
}
