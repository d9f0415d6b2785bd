use jiff::Timestamp;

use super::Operations;
use super::table::Status;
use crate::journal::{Change, ErrorKind, ErrorRecord, StateKey};
use crate::payload::Payload;

/// What happens by itself, in time.
impl Operations {
    /// Fires what is due: sleeps end, retries begin, waits give up, attempts out of time are looked
    /// at. What the run was told comes first: as long as the body has not seen all of it (`is_told`),
    /// only the attempts are.
    pub(crate) fn fire(&mut self, is_told: bool) {
        if !is_told {
            self.fall_due();
        }
        self.table.wake(|operation| match operation.status {
            // One that has to wait would be woken again at each poll, for nothing.
            Status::Ready => self.may_begin(operation.entering.kind),
            Status::Running { deadline: Some(deadline) } => self.clock.has_come(deadline),
            _ => false,
        });
    }

    fn fall_due(&mut self) {
        let clock = &self.clock;
        let mut over: Vec<(Timestamp, StateKey, Change)> = Vec::new();
        for (key, operation) in self.table.iter_mut() {
            match operation.status {
                Status::BackingOff { due } if clock.has_come(due) => {
                    operation.status = Status::Ready;
                }
                Status::Sleeping { due } | Status::Waiting { due: Some(due) }
                    if clock.has_come(due) =>
                {
                    over.push((due, key.clone(), Change::succeeded(1, Payload::null())));
                }
                Status::Invoked { child, due: Some(due) } if clock.has_come(due) => {
                    let cancelled = (!operation.entering.detached).then_some(child);
                    let message = "the invoked run did not end in time";
                    let error = ErrorRecord::new(ErrorKind::Timeout, message);
                    let change = Change::Fail { attempt: 1, of: 1, error, cancelled };
                    over.push((due, key.clone(), change));
                }
                _ => {}
            }
        }
        over.sort_by(|(a, key_a, _), (b, key_b, _)| (a, key_a).cmp(&(b, key_b)));
        for (_, key, change) in over {
            self.hand_in(&key, change);
        }
    }
}
