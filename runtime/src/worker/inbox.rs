use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::Env;
use super::lookout::{Looked, Lookout, Next};
use crate::id::WorkerId;
use crate::journal::{Message, MessageId, RunId};
use crate::store::StoreError;

/// The runs of one life that can be told something.
#[derive(Default)]
pub(crate) struct Inboxes(Mutex<HashMap<RunId, mpsc::UnboundedSender<Message>>>);

impl Inboxes {
    /// Opens the inbox of a run; it is closed when the receiver is dropped.
    pub(crate) fn open(self: &Arc<Self>, run: RunId) -> Inbox {
        // The store bounds it: what lies there is one row a message.
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().insert(run, sender.clone());
        Inbox { inboxes: self.clone(), run, sender, receiver }
    }

    /// The runs that are being driven.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.lock().keys().copied().collect()
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

/// The inbox of a run that is being driven. It is closed when this is dropped.
pub(crate) struct Inbox {
    inboxes: Arc<Inboxes>,
    run: RunId,
    sender: mpsc::UnboundedSender<Message>,
    receiver: mpsc::UnboundedReceiver<Message>,
}

impl Inbox {
    /// The next message. It waits for ever when none comes.
    pub(crate) async fn next(&mut self) -> Message {
        match self.receiver.recv().await {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut inboxes = self.inboxes.lock();
        // The run may have been taken up again before its last driver was done.
        if inboxes.get(&self.run).is_some_and(|sender| sender.same_channel(&self.sender)) {
            inboxes.remove(&self.run);
        }
    }
}

/// Tells the runs of this worker what has come for them.
pub(crate) async fn tell(env: Arc<Env>, worker: WorkerId, inboxes: Arc<Inboxes>) {
    let mut lookout = Lookout::new(&env, &env.hints().messages, "a message to a run");
    let mut known = HashSet::new();
    loop {
        lookout.rest(tell_once(&env, worker, &inboxes, &mut known).await).await;
    }
}

/// Passes on what lies in the inboxes. What lay there before is `known`.
async fn tell_once(
    env: &Env,
    worker: WorkerId,
    inboxes: &Inboxes,
    known: &mut HashSet<MessageId>,
) -> Result<Looked, StoreError> {
    let messages = env.store.messages(worker).await?;
    let lying: HashSet<MessageId> = messages.iter().map(|(_, message)| message.id).collect();
    let found = lying.difference(known).count();
    *known = lying;
    inboxes.deliver(messages);
    Ok(Looked { found, next: Next::Within(env.config.poll_interval) })
}
