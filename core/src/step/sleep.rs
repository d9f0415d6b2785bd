use std::future::IntoFuture;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;

use super::Step;
use super::durable::{Durable, StepFuture};
use super::held::Held;
use super::operations::Instruction;
use crate::journal::{Change, Due};
use crate::workflow::{State, StepKind};

impl Step {
    /// Waits for a while, from milliseconds to years. The time passes even while no process runs. The wait
    /// ends no earlier than its time, by the database's clock. A run that only sleeps holds no memory.
    ///
    /// In a workflow write a literal, `step.sleep("cool-down", "3 days")`; it is checked at compile time.
    #[doc(alias("timer", "delay"))]
    pub fn sleep<S: State>(&self, state: S, duration: S::Of<Duration>) -> Sleep {
        self.sleep_due(state, Due::After(duration.into()))
    }

    /// Waits until a time. If that time has passed, the wait ends at once.
    pub fn sleep_until<S: State>(&self, state: S, time: S::Of<Timestamp>) -> Sleep {
        self.sleep_due(state, Due::At(time.into()))
    }

    fn sleep_due<S: State>(&self, state: S, due: Due) -> Sleep {
        let held = Held::claim(self, state, StepKind::Sleep);
        Sleep { held, due }
    }
}

/// A durable wait; await it. See [`Step::sleep`].
#[must_use = "a step does nothing until it is awaited"]
pub struct Sleep {
    held: Held,
    due: Due,
}

impl Sleep {
    /// Names this occurrence of the step. Steps with the same id that run side by side need different
    /// names. The name has to be the same on every resume.
    ///
    /// # Panics
    ///
    /// If the name is longer than 1 KiB or has a NUL character (U+0000). The panic fails the run.
    #[track_caller]
    pub fn key(mut self, name: impl std::fmt::Display) -> Self {
        self.held.rename(&name);
        self
    }
}

#[diagnostic::do_not_recommend]
impl Durable for Sleep {}

#[diagnostic::do_not_recommend]
impl IntoFuture for Sleep {
    type Output = ();
    type IntoFuture = StepFuture<'static, ()>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { mut held, due } = self;
        StepFuture::new(move |cx| match held.poll(None, cx) {
            Instruction::Begin { .. } => {
                held.hand_in(Change::Sleep(due));
                Poll::Pending
            }
            Instruction::Take(_) => Poll::Ready(()),
            _ => Poll::Pending,
        })
    }
}
