use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::{Client, Speaker, TraceSource};
use crate::error::Result;
use crate::step::Limits;
use crate::store;
use crate::trace::TraceContext;

/// A connection to be made; await it. See [`Client::connect`].
#[must_use = "nothing is connected before this is awaited"]
pub struct Connecting {
    url: String,
    hints_database: Option<String>,
    poll_interval: Duration,
    event_limit: usize,
    traces: Option<TraceSource>,
}

impl Client {
    /// Connects to a database that programs with workers use. The client hosts no workflows, and its program
    /// needs none of their code: a web server that only sends events and asks about runs.
    ///
    /// It creates and migrates no tables, registers nothing and drives nothing. To ask about the runs of an
    /// app, or to [start some by name](Self::start_by_name), name the app with [`for_app`](Self::for_app).
    ///
    /// ```no_run
    /// use indelible::Client;
    /// use serde_json::json;
    ///
    /// # async fn main_() -> indelible::Result<()> {
    /// let client = Client::connect("postgres://localhost/desk").await?;
    /// client.send_by_name("ticket/created", json!({ "ticket_id": 7 })).await?;
    ///
    /// let desk = client.for_app("help-desk");
    /// println!("{:?}", desk.counts().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In a program that has the app's code, [`RuntimeBuilder::connect`](crate::RuntimeBuilder::connect) gives a
    /// client that also checks names and data before they are sent.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened, or its tables are not there or from an older version: a program
    /// with workers makes them as it starts.
    pub fn connect(url: impl Into<String>) -> Connecting {
        Connecting {
            url: url.into(),
            hints_database: None,
            poll_interval: Duration::from_secs(1),
            event_limit: Limits::DEFAULT.event,
            traces: None,
        }
    }
}

impl Connecting {
    /// A URL of the same Postgres database that goes past the pooler, for hints. See
    /// [`RuntimeBuilder::hints_database`](crate::RuntimeBuilder::hints_database). A client needs it only to
    /// wait for the ends of runs. What it sends is heard by others in any case.
    pub fn hints_database(mut self, url: impl Into<String>) -> Self {
        self.hints_database = Some(url.into());
        self
    }

    /// How often the client asks for the ends that it waits for, in case their hints were lost (1 s by default,
    /// at least 10 ms).
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// The largest event data and run input that the client accepts, in bytes of JSON (512 KiB by default).
    pub fn event_limit(mut self, bytes: usize) -> Self {
        self.event_limit = bytes;
        self
    }

    /// Who knows the trace that the program works in. See
    /// [`RuntimeBuilder::trace_context_from`](crate::RuntimeBuilder::trace_context_from).
    pub fn trace_context_from(mut self, traces: fn() -> Option<TraceContext>) -> Self {
        self.traces = Some(traces);
        self
    }

    async fn connect(self) -> Result<Client> {
        let Self { url, hints_database, poll_interval, event_limit, traces } = self;
        let store = store::open_existing(&url, hints_database.as_deref()).await?;
        Ok(Client { store, speaker: Speaker::Anyone, event_limit, poll_interval, traces })
    }
}

impl IntoFuture for Connecting {
    type Output = Result<Client>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}
