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
use crate::client::Client;
use crate::deploy;
use crate::error::Result;
use crate::program::Program;
use crate::step::{Limits, Resources};
use crate::store;
use crate::worker::{Env, Outages, StoreTransactions, Worker, WorkerConfig};
use crate::workflow::shape::Shapes;

const MAX_CONCURRENCY: usize = 1_000_000;
const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// A running app: a worker that drives its runs, and a [`Client`], whose methods it has.
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
/// runtime.until_ctrl_c().await
/// # }
/// ```
///
/// Dropping it stops its worker as [`shutdown`](Self::shutdown) does, but waits for nothing.
#[must_use = "a runtime that is dropped stops"]
pub struct Runtime {
    client: Client,
    worker: Worker,
}

/// What a [`Runtime`] is to be. Made with [`Runtime::builder`].
#[must_use = "nothing runs before `.start().await`"]
pub struct RuntimeBuilder<A> {
    app: PhantomData<A>,
    database: Option<String>,
    hints_database: Option<String>,
    resources: Resources,
    limits: Limits,
    worker: WorkerConfig,
}

impl Runtime {
    /// Begins to describe a runtime for an app.
    pub fn builder<A: App>(_app: A) -> RuntimeBuilder<A> {
        RuntimeBuilder {
            app: PhantomData,
            database: None,
            hints_database: None,
            resources: Resources::default(),
            limits: Limits::DEFAULT,
            worker: WorkerConfig::DEFAULT,
        }
    }

    /// A client of its own, to be handed around.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Runs until Ctrl-C or SIGTERM, then [shuts down](Self::shutdown). A second one ends the grace
    /// period at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Gone`](crate::StoreError::Gone) if the database's file was deleted, moved or replaced
    /// meanwhile: then nothing can be driven any more, and the program has to be started again. An outage
    /// of a database server is no error: it is waited out.
    pub async fn until_ctrl_c(self) -> Result<()> {
        let mut requests = StopRequests::listen();
        let stopped = tokio::select! {
            () = requests.next() => Ok(()),
            gone = self.worker.failed() => Err(gone.into()),
        };
        if stopped.is_ok() {
            info!(
                "stopping: no new runs are taken, steps in progress may end; ask again to end them \
                 now"
            );
        }
        let hurrying = self.worker.hurrying();
        let asked_again = async {
            requests.next().await;
            info!("asked again to stop: steps in progress are ended now");
            hurrying.cancel();
            pending().await
        };
        tokio::select! {
            () = self.shutdown() => stopped,
            never = asked_again => never,
        }
    }

    /// Takes no new runs, lets steps in progress end within the grace period, and gives the rest
    /// back for other workers to go on with.
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
    /// Where runs are kept: `postgres://user:password@host/database` or `sqlite://file.db`.
    ///
    /// Without it, the environment variable `INDELIBLE_DATABASE_URL` decides, and without that an
    /// embedded database, a file named after the app in the current directory.
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// The same Postgres database past its pooler, for hints.
    ///
    /// A pooler that gives each transaction another session (PgBouncer's `pool_mode = transaction`) is
    /// noticed, and everything works through it but hints: one process then learns by
    /// [polling](Self::poll_interval) what another has done. With a URL that leads straight to the
    /// server a process listens there, on one connection, and is as quick as without a pooler. A
    /// database that is reached without a pooler needs none.
    pub fn hints_database(mut self, url: impl Into<String>) -> Self {
        self.hints_database = Some(url.into());
        self
    }

    /// Lends a value to the app's workflows, which take it as `Resource(name): Resource<T>`.
    pub fn resource<T: Send + Sync + 'static>(mut self, resource: T) -> Self {
        self.resources.insert(resource);
        self
    }

    /// How many runs are driven at once (500, at most a million).
    pub fn concurrency(mut self, runs: usize) -> Self {
        self.worker.concurrency = runs.clamp(1, MAX_CONCURRENCY);
        self
    }

    /// How long the runs of a worker that died stay with it before others take them over (10 s; from
    /// 500 ms to a day). A worker that cannot reach the database for so long drops what it drives.
    ///
    /// On the same machine nobody waits for that: the operating system says whether a worker's process is
    /// there (for Postgres, so far as it is Linux and both are in the same container). Others look when
    /// they start, and each quarter of this time. On SQLite the runs of a process that is there, and
    /// stopped or hanging, stay with it until it ends.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.worker.lease = lease.clamp(Duration::from_millis(500), MAX_LEASE);
        self
    }

    /// How long work may go unnoticed when no hint of it arrives (1 s).
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.worker.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// How long steps in progress may go on when the runtime is asked to stop (20 s).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.worker.grace = grace;
        self
    }

    /// The most that an event's data or a run's input may measure as JSON, in bytes (512 KiB).
    pub fn event_limit(mut self, bytes: usize) -> Self {
        self.limits.event = bytes;
        self
    }

    /// The most that a step's outcome or a run's output may measure as JSON, in bytes (4 MiB).
    pub fn outcome_limit(mut self, bytes: usize) -> Self {
        self.limits.outcome = bytes;
        self
    }

    /// Opens the database without driving anything: for programs that only send and ask.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened.
    pub async fn connect(self) -> Result<Client> {
        let program = Arc::new(Program::new::<A>(self.limits));
        connect(program, self.database, self.hints_database, self.worker.poll_interval).await
    }

    /// Opens the database, registers the app and starts its worker.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened, or a workflow takes a resource that was not lent.
    pub async fn start(self) -> Result<Runtime> {
        let program = Arc::new(Program::new::<A>(self.limits));
        program.check_resources(&self.resources)?;
        let poll_interval = self.worker.poll_interval;
        let client =
            connect(program.clone(), self.database, self.hints_database, poll_interval).await?;
        for stranded in client.store.register(&program.registration).await? {
            warn!(
                workflow = stranded.workflow,
                runs = stranded.runs,
                "this program does not have a workflow with unfinished runs; they are left alone"
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
) -> Result<Client> {
    let url = database
        .or_else(|| std::env::var("INDELIBLE_DATABASE_URL").ok())
        .unwrap_or_else(|| format!("sqlite://{}.db", program.app));
    let store = store::open(&url, hints_database.as_deref()).await?;
    Ok(Client { store, program, poll_interval })
}

/// Ctrl-C and, where there is such a thing, SIGTERM. One that comes while nobody waits is not lost.
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
