use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use uuid::Uuid;

use super::Env;
use super::clock::DatabaseClock;
use crate::id::WorkerId;
use crate::journal::{Change, End, RunCommit, Then};
use crate::step::Rollback;
use crate::store::{Flushed, StoreError};

/// The most rows in one flush.
const MAX_ROWS: usize = 1000;
/// The most bytes of payload in one flush, but for a single run that has more.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// How long a flush waits before it is tried again, at first and at most.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Commitment {
    /// It is durable since this time.
    Committed(Timestamp),
    /// The run is another worker's now; nothing of it was written.
    Evicted,
    /// The database does not accept it; nothing of it was written.
    Refused(String),
    /// Nothing is left of the step's transaction that it was part of.
    RolledBack(Rollback),
}

/// Hands commits to the group committer.
#[derive(Clone)]
pub(crate) struct Committer(mpsc::UnboundedSender<Request>);

struct Request {
    commit: RunCommit,
    reply: oneshot::Sender<Commitment>,
}

impl Committer {
    /// Asks for a commit. The reply never comes if the lease is lost first.
    pub(crate) fn submit(&self, commit: RunCommit) -> oneshot::Receiver<Commitment> {
        let (reply, receiver) = oneshot::channel();
        // A committer that is gone drops the reply, as one that is lost does.
        let _ = self.0.send(Request { commit, reply });
        receiver
    }
}

/// Starts the group committer of one life. The future ends when the lease is lost.
///
/// It writes whatever all machines have handed in since the last flush returned, in one round trip:
/// a lone run waits for nobody, a thousand runs share an fsync.
pub(crate) fn start(
    env: Arc<Env>,
    worker: WorkerId,
    clock: Arc<DatabaseClock>,
) -> (Committer, impl Future<Output = ()>) {
    // Each run has at most one commit under way, so the number of runs bounds the queue.
    let (sender, receiver) = mpsc::unbounded_channel();
    (Committer(sender), Flusher { env, worker, clock, receiver, carried: None }.run())
}

struct Flusher {
    env: Arc<Env>,
    worker: WorkerId,
    clock: Arc<DatabaseClock>,
    receiver: mpsc::UnboundedReceiver<Request>,
    /// A request that did not fit into the batch before.
    carried: Option<Request>,
}

impl Flusher {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            let batch = self.gather(first);
            if self.flush(batch).await.is_err() {
                return;
            }
        }
    }

    async fn next(&mut self) -> Option<Request> {
        match self.carried.take() {
            Some(request) => Some(request),
            None => self.receiver.recv().await,
        }
    }

    /// Takes all that is waiting, up to the bounds.
    fn gather(&mut self, first: Request) -> Vec<Request> {
        let (mut rows, mut bytes) = size(&first.commit);
        let mut batch = vec![first];
        while let Ok(request) = self.receiver.try_recv() {
            let (more_rows, more_bytes) = size(&request.commit);
            rows += more_rows;
            bytes += more_bytes;
            if rows > MAX_ROWS || bytes > MAX_BYTES {
                self.carried = Some(request);
                break;
            }
            batch.push(request);
        }
        batch
    }

    /// Commits a batch and answers its requests. One that the database refuses is split until the
    /// row at fault stands alone.
    async fn flush(&self, batch: Vec<Request>) -> Result<(), LeaseLost> {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            let (commits, replies): (Vec<_>, Vec<_>) =
                part.drain(..).map(|request| (request.commit, request.reply)).unzip();
            match self.commit(&commits).await? {
                Ok(flushed) => self.answer(&commits, replies, &flushed),
                Err(refusal) => {
                    let mut requests: Vec<_> = commits
                        .into_iter()
                        .zip(replies)
                        .map(|(commit, reply)| Request { commit, reply })
                        .collect();
                    if requests.len() == 1 {
                        let refused = Commitment::Refused(refusal);
                        requests.drain(..).for_each(|request| {
                            let _ = request.reply.send(refused.clone());
                        });
                    } else {
                        parts.push(requests.split_off(requests.len() / 2));
                        parts.push(requests);
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(
        &self,
        commits: &[RunCommit],
        replies: Vec<oneshot::Sender<Commitment>>,
        flushed: &Flushed,
    ) {
        self.clock.observe(flushed.at);
        self.env.outages.answered();
        for (commit, reply) in commits.iter().zip(replies) {
            let commitment = if flushed.evicted.contains(&commit.run) {
                Commitment::Evicted
            } else {
                Commitment::Committed(flushed.at)
            };
            let _ = reply.send(commitment);
        }
    }

    /// Writes a batch as one commit; waits while the database is away. A batch whose reply was lost
    /// is looked for before it is sent again, so that it is never written twice.
    async fn commit(&self, commits: &[RunCommit]) -> Result<Result<Flushed, String>, LeaseLost> {
        let id = Uuid::now_v7();
        let store = &self.env.store;
        let mut wait = RETRY.0;
        let mut in_doubt = false;
        loop {
            let attempt = if in_doubt {
                match store.landed_commits(id, commits).await {
                    Ok(Some(flushed)) => return Ok(Ok(flushed)),
                    Ok(None) => store.flush_commits(self.worker, id, commits).await,
                    Err(error) => Err(error),
                }
            } else {
                store.flush_commits(self.worker, id, commits).await
            };
            match attempt {
                Ok(flushed) => return Ok(Ok(flushed)),
                // The first sending may have landed between the look and the second.
                Err(StoreError::Refused(error)) if in_doubt => {
                    match store.landed_commits(id, commits).await {
                        Ok(Some(flushed)) => return Ok(Ok(flushed)),
                        Ok(None) => return Ok(Err(error.to_string())),
                        Err(error) => self.env.outages.outage(&error),
                    }
                }
                Err(StoreError::Refused(error)) => return Ok(Err(error.to_string())),
                Err(StoreError::Corrupt(reason) | StoreError::OtherDatabase(reason)) => {
                    return Ok(Err(reason));
                }
                // Without a store there is nothing to be done under the lease either.
                Err(StoreError::LeaseLost | StoreError::Closed) => return Err(LeaseLost),
                // If the database is gone, the worker ends.
                Err(
                    error @ (StoreError::Unavailable(_)
                    | StoreError::Conflict(_)
                    | StoreError::Gone(_)),
                ) => {
                    self.env.outages.outage(&error);
                }
            }
            in_doubt = true;
            sleep(wait).await;
            wait = (wait * 2).min(RETRY.1);
        }
    }
}

/// Another worker has taken over: nothing more may be done under this lease.
struct LeaseLost;

/// The rows of a commit and the bytes in them.
fn size(commit: &RunCommit) -> (usize, usize) {
    let end = match &commit.then {
        Then::End(End::Completed(output)) => output.as_str().len(),
        Then::Restart { input, .. } => input.as_str().len(),
        Then::End(End::Failed(error)) => error.size(),
        Then::End(End::Cancelled(reason)) | Then::Hold(reason) => reason.len(),
        _ => 0,
    };
    let told: usize = commit.events.iter().map(|event| event.data.as_str().len()).sum();
    let entries: usize = commit
        .entries
        .iter()
        .map(|entry| match &entry.change {
            Change::Succeed { outcome, events, .. } => {
                let sent: usize = events.iter().map(|event| event.data.as_str().len()).sum();
                outcome.as_str().len() + sent
            }
            Change::Invoke { child, .. } => child.input.as_str().len(),
            Change::Carry { outcome, .. } => outcome.as_str().len(),
            Change::Retry { error, .. }
            | Change::Fail { error, .. }
            | Change::Undo { error, .. } => error.size(),
            Change::Sleep(_) | Change::Wait { .. } | Change::Abandon { .. } => 0,
        })
        .sum();
    (commit.entries.len() + commit.taken.len() + commit.discarded.len() + 1, entries + end + told)
}
