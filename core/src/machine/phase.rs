use jiff::Timestamp;

use crate::journal::End;
use crate::payload::Payload;
use crate::step::{BodyFuture, UndoingFuture};

/// What is polled.
pub(super) enum Phase {
    /// The workflow's body.
    Body {
        body: BodyFuture,
        /// When it is out of time.
        deadline: Option<Deadline>,
    },
    /// What undoes what the body did.
    Undoing {
        undoing: UndoingFuture,
        /// Why the run was asked to cancel since the body was over.
        asked_to_cancel: Option<String>,
    },
    /// Nothing.
    Over { end: EndState, asked_to_cancel: Option<String> },
}

pub(super) struct Deadline {
    pub(super) at: Timestamp,
    /// What is said then.
    pub(super) reason: String,
}

/// How a run ends. Its body and its undos are not polled any more.
pub(super) enum EndState {
    /// Its end is to be committed.
    Reached(End),
    /// Another generation with this input is to be committed.
    Restarting(Payload),
    /// What it did is undone first. That was given out to be committed.
    PutOff,
    /// Its end was given out to be committed.
    GivenOut,
}

impl Phase {
    /// Nothing is polled any more: the run comes to its end.
    pub(super) fn over(&mut self, end: EndState) -> Self {
        let asked_to_cancel = self.take_request();
        std::mem::replace(self, Self::Over { end, asked_to_cancel })
    }

    /// What the body did is undone.
    pub(super) fn undo(&mut self, undoing: UndoingFuture) {
        let asked_to_cancel = self.take_request();
        *self = Self::Undoing { undoing, asked_to_cancel };
    }

    /// Why the run was asked to cancel since the body was over.
    pub(super) fn request(&self) -> Option<&str> {
        match self {
            Self::Body { .. } => None,
            Self::Undoing { asked_to_cancel, .. } | Self::Over { asked_to_cancel, .. } => {
                asked_to_cancel.as_deref()
            }
        }
    }

    fn take_request(&mut self) -> Option<String> {
        match self {
            Self::Body { .. } => None,
            Self::Undoing { asked_to_cancel, .. } | Self::Over { asked_to_cancel, .. } => {
                asked_to_cancel.take()
            }
        }
    }
}
