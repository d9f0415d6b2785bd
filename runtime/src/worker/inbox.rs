use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::{Env, Next, rest};
use crate::id::WorkerId;
use crate::journal::{Message, RunId};
use crate::store::StoreError;

/// The runs of one life that can be told something.
#[derive(Default)]
pub(crate) struct Inboxes(Mutex<HashMap<RunId, mpsc::UnboundedSender<Message>>>);

impl Inboxes {
    /// Opens the inbox of a run; it is closed when the receiver is dropped.
    pub(crate) fn open(&self, run: RunId) -> mpsc::UnboundedReceiver<Message> {
        // The store bounds it: what lies there is one row a message.
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().insert(run, sender);
        receiver
    }

    /// Forgets a run that has left.
    pub(crate) fn close(&self, run: RunId) {
        self.lock().remove(&run);
    }

    fn deliver(&self, messages: Vec<(RunId, Message)>) {
        let inboxes = self.lock();
        for (run, message) in messages {
            if let Some(inbox) = inboxes.get(&run) {
                // A run that has just left finds the message when it is taken up again.
                let _ = inbox.send(message);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, mpsc::UnboundedSender<Message>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Tells the runs of this worker what has come for them.
pub(crate) async fn tell(env: Arc<Env>, worker: WorkerId, inboxes: Arc<Inboxes>) {
    loop {
        let told = tell_once(&env, worker, &inboxes).await;
        rest(&env, &env.signals.messages, told).await;
    }
}

async fn tell_once(env: &Env, worker: WorkerId, inboxes: &Inboxes) -> Result<Next, StoreError> {
    inboxes.deliver(env.store.messages(worker).await?);
    Ok(Next::Within(env.config.poll_interval))
}
