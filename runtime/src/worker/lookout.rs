use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::Env;
use crate::store::StoreError;

/// What a service found when it looked.
pub(super) struct Looked {
    /// How much work it found that a hint should have spoken of.
    pub(super) found: usize,
    pub(super) next: Next,
}

/// When a service looks again.
pub(super) enum Next {
    /// There is more to do.
    Again,
    /// Nothing to do before then, unless it is signalled.
    Within(Duration),
}

/// Has a service rest between its looks, and notices work that no hint has spoken of.
pub(super) struct Lookout<'e> {
    env: &'e Env,
    signal: &'e Notify,
    /// What it looks for, in a few words.
    what: &'static str,
    /// Whether it looks now only because the poll interval has passed.
    polls: bool,
    /// What it has found so. A hint that comes yet has only been slower.
    unexplained: usize,
}

impl<'e> Lookout<'e> {
    pub(super) fn new(env: &'e Env, signal: &'e Notify, what: &'static str) -> Self {
        Self { env, signal, what, polls: false, unexplained: 0 }
    }

    /// Waits until the service has to look again: not at all while it finds work, else until it is
    /// signalled or the poll interval has passed. An outage of the database is waited out.
    pub(super) async fn rest(&mut self, looked: Result<Looked, StoreError>) {
        let poll = self.env.config.poll_interval;
        let answered = looked.is_ok();
        let wait = match looked {
            Ok(Looked { found, next }) => {
                if std::mem::take(&mut self.polls) {
                    self.unexplained += found;
                }
                match next {
                    Next::Again => return,
                    Next::Within(wait) => wait.min(poll),
                }
            }
            Err(error) => {
                self.env.outages.outage(&error);
                poll
            }
        };
        let unexplained = std::mem::take(&mut self.unexplained) as u64;
        if timeout(wait, self.signal.notified()).await.is_err() {
            self.env.store.hints().found_by_polling(unexplained, self.what);
            // Hints get lost while the database is away.
            self.polls = answered;
        }
    }
}
