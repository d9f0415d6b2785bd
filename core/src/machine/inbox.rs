use std::collections::{HashSet, VecDeque};

use crate::journal::{Message, MessageId};

/// What the run was told, until the body has caught up with its journal.
#[derive(Default)]
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    seen: HashSet<MessageId>,
}

impl Inbox {
    /// What came before does not come again.
    pub(super) fn receive(&mut self, message: Message) {
        if self.seen.insert(message.id) {
            self.messages.push_back(message);
        }
    }

    /// These may come again.
    pub(super) fn forget(&mut self, messages: &[MessageId]) {
        for message in messages {
            self.seen.remove(message);
        }
    }

    /// Takes out the first message, or the first request to cancel.
    pub(super) fn next(&mut self, only_cancellations: bool) -> Option<Message> {
        let is_next = |message: &Message| !only_cancellations || message.cancellation().is_some();
        let place = self.messages.iter().position(is_next)?;
        self.messages.remove(place)
    }

    /// Why the run is asked to cancel, if that is in it.
    pub(super) fn cancellation(&self) -> Option<&str> {
        self.messages.iter().find_map(Message::cancellation)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
