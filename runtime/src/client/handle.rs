use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::Client;
use crate::error::{Error, Result};
use crate::journal::{Row, RunId};
use crate::store::{RunRecord, RunStatus, StoreError};

/// How long a question waits that was not answered, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// A run of a workflow whose output is `T`. Dropping it does nothing to the run.
#[doc(alias("workflow execution", "instance"))]
pub struct RunHandle<T> {
    pub(super) client: Client,
    pub(super) run: RunId,
    pub(super) output: PhantomData<fn() -> T>,
}

impl<T> RunHandle<T> {
    /// The run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// The run as it is stored now.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the database does not answer.
    pub async fn record(&self) -> Result<RunRecord> {
        self.client.run(self.run).await?.ok_or(Error::NoSuchRun(self.run))
    }

    /// The status of the run.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub async fn status(&self) -> Result<RunStatus> {
        Ok(self.record().await?.status)
    }

    /// The run's journal, in order.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn journal(&self) -> Result<Vec<Row>> {
        self.client.journal(self.run).await
    }

    /// Asks the run to stop; see [`Client::cancel`].
    ///
    /// # Errors
    ///
    /// As [`Client::cancel`].
    pub async fn cancel(&self, reason: &str) -> Result<bool> {
        self.client.cancel(self.run, reason).await
    }

    /// Resumes the run at the step that made it fail; see [`Client::retry`].
    ///
    /// # Errors
    ///
    /// As [`Client::retry`].
    pub async fn retry(&self) -> Result<()> {
        self.client.retry(self.run).await
    }

    /// Starts a new run that reuses everything this one did before the given state; see
    /// [`Client::fork`].
    ///
    /// # Errors
    ///
    /// As [`Client::fork`].
    pub async fn fork(&self, at_state: impl fmt::Display + Send) -> Result<Self> {
        Ok(self.client.handle(self.client.fork(self.run, at_state).await?))
    }

    /// Starts a new run from the beginning with this run's input; see [`Client::replay`].
    ///
    /// # Errors
    ///
    /// As [`Client::replay`].
    pub async fn replay(&self) -> Result<Self> {
        Ok(self.client.handle(self.client.replay(self.run).await?))
    }

    /// Waits until the run is over. It learns of the end at once, whichever process drives the run. If
    /// the database is away, it waits until it is back.
    ///
    /// # Errors
    ///
    /// When there is no such run, or the database's file is gone ([`StoreError::Gone`]).
    pub async fn wait(&self) -> Result<RunRecord> {
        let Client { store, poll_interval, .. } = &self.client;
        // The ends of runs are told whatever app is listened for.
        store.listen(self.client.app().unwrap_or_default(), *poll_interval).await;
        let awaited = store.hints().await_end(self.run);
        let mut wait = RETRY.0;
        loop {
            match self.record().await {
                Ok(record) if record.status.is_over() => return Ok(record),
                Ok(_) => {
                    awaited.told().await;
                    wait = RETRY.0;
                }
                Err(Error::Store(StoreError::Unavailable(_) | StoreError::Conflict(_))) => {
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<T: DeserializeOwned> RunHandle<T> {
    /// Waits until the run is over and gives its output. If the database is away, it waits until it is
    /// back.
    ///
    /// # Errors
    ///
    /// [`Error::RunFailed`] if the run failed, [`Error::RunCancelled`] if it was cancelled,
    /// [`Error::OutputMismatch`] if its output does not fit `T`, and the errors of [`wait`](Self::wait).
    pub async fn result(&self) -> Result<T> {
        let record = self.wait().await?;
        if let Some(reason) = record.cancelled {
            let workflow = record.workflow;
            return Err(Error::RunCancelled { run: self.run, workflow, reason });
        }
        let output = match (record.output, record.error) {
            (Some(output), _) => output,
            (None, Some(error)) => {
                let error = Box::new(error);
                return Err(Error::RunFailed { run: self.run, workflow: record.workflow, error });
            }
            (None, None) => {
                let reason = "the run has ended without one".to_owned();
                return Err(Error::OutputMismatch { run: self.run, reason });
            }
        };
        output
            .decode()
            .map_err(|error| Error::OutputMismatch { run: self.run, reason: error.to_string() })
    }
}

impl<T> Clone for RunHandle<T> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), run: self.run, output: PhantomData }
    }
}

impl<T> fmt::Debug for RunHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunHandle").field(&self.run).finish()
    }
}
