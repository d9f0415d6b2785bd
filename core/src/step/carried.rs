use std::future::IntoFuture;
use std::task::{Context, Poll};

use super::Step;
use super::durable::{Durable, StepFuture};
use super::held::Held;
use super::operations::{Fault, Instruction};
use crate::payload::{EncodeError, Outcome, Payload};
use crate::workflow::State;

impl Step {
    /// The head of a `#[carried(..)]` loop. It commits the loop's variables and drops the journal of earlier
    /// iterations, so that a run of a million iterations resumes as fast as one of ten.
    ///
    /// It gives the variables of the current iteration. On a resume these are the committed ones.
    #[doc(hidden)]
    pub fn carried<S: State, T: Outcome>(&self, state: S, variables: T) -> Carried<T> {
        let held = Held::claim_loop(self, state);
        let limit = self.operations.lock().terms.limits.outcome;
        Carried {
            held,
            variables: Payload::encode(&variables, limit),
            of: std::marker::PhantomData,
        }
    }
}

/// The head of a loop; await it. See [`Step::carried`].
#[doc(hidden)]
#[must_use = "a loop's variables are committed when this is awaited"]
pub struct Carried<T> {
    held: Held,
    variables: Result<Payload, EncodeError>,
    of: std::marker::PhantomData<fn() -> T>,
}

#[diagnostic::do_not_recommend]
impl<T: Outcome> Durable for Carried<T> {}

#[diagnostic::do_not_recommend]
impl<T: Outcome> IntoFuture for Carried<T> {
    type Output = T;
    type IntoFuture = StepFuture<'static, T>;

    fn into_future(mut self) -> Self::IntoFuture {
        StepFuture::new(move |cx| self.poll(cx))
    }
}

impl<T: Outcome> Carried<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Self { held, variables, .. } = self;
        match held.poll(None, cx) {
            Instruction::Begin { .. } => {
                let mut operations = held.operations();
                match variables {
                    Ok(variables) => {
                        let change = operations.keys.carry(held.key(), variables.clone());
                        operations.hand_in(held.key(), change);
                    }
                    Err(error) => operations.fail(Fault::unstorable(held.key(), error)),
                }
                Poll::Pending
            }
            // The head of a loop cannot fail: what cannot be decoded holds the run.
            Instruction::Take(resolution) => match held.decode(resolution) {
                Poll::Ready(Ok(variables)) => Poll::Ready(variables),
                _ => Poll::Pending,
            },
            _ => Poll::Pending,
        }
    }
}
