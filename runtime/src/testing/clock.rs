use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Sleep, sleep};

use crate::machine::{Machine, Turn};

/// The virtual time of one run.
pub(super) struct Clock {
    now: Timestamp,
    /// What ends the wait for something that falls due while a step is in progress.
    timer: Option<(Timestamp, Pin<Box<Sleep>>)>,
}

impl Clock {
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now, timer: None }
    }

    /// Takes the time of a commit: each has one of its own.
    pub(super) fn commit(&mut self) -> Timestamp {
        self.leap(self.now.saturating_add(Duration::from_millis(1)).unwrap_or(Timestamp::MAX));
        self.now
    }

    /// Polls a machine, and lets time pass where that is what it waits for.
    pub(super) fn drive(&mut self, machine: &mut Machine, cx: &mut Context<'_>) -> Poll<Turn> {
        loop {
            match machine.poll(self.now, cx) {
                Poll::Ready(Turn::Idle { until: Some(until) }) => self.leap(until),
                Poll::Ready(turn) => return Poll::Ready(turn),
                Poll::Pending => {
                    let Some(due) = machine.next_due() else { return Poll::Pending };
                    ready!(self.timer(due).poll(cx));
                    self.leap(due);
                }
            }
        }
    }

    fn timer(&mut self, due: Timestamp) -> Pin<&mut Sleep> {
        let now = self.now;
        let (_, timer) = match self.timer.take() {
            Some(timer) if timer.0 == due => self.timer.insert(timer),
            _ => {
                let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
                self.timer.insert((due, Box::pin(sleep(wait))))
            }
        };
        timer.as_mut()
    }

    fn leap(&mut self, time: Timestamp) {
        self.now = self.now.max(time);
    }
}
