use std::any::{Any, type_name};
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::operations::{
    Entering, Fault, Instruction, Open, Operations, Resolution, Shared, Stored,
};
use super::{Step, StepError};
use crate::given::{LONGEST_KEY, must_be_fit};
use crate::journal::{Change, ErrorRecord, StateKey};
use crate::payload::{EncodeError, Outcome, Payload};
use crate::workflow::{State, StepKind};

/// A step that the body holds: its claimed key, and its entry once it was polled. Dropping it
/// abandons the step.
pub(crate) struct Held {
    operations: Shared,
    path: Arc<str>,
    id: &'static str,
    key: StateKey,
    pub(crate) entering: Entering,
    entered: bool,
}

impl Held {
    pub(crate) fn claim(step: &Step, state: impl State, kind: StepKind) -> Self {
        let Step { operations, path, .. } = step;
        let (path, id) = (path.get(), state.id());
        let key = operations.lock().keys.claim(&path, id);
        let entering = Entering::new(kind);
        Self { operations: operations.clone(), path, id, key, entering, entered: false }
    }

    /// Claims the head of a carried loop.
    pub(crate) fn claim_loop(step: &Step, state: impl State) -> Self {
        let Step { operations, path, .. } = step;
        let (path, id) = (path.get(), state.id());
        let key = operations.lock().keys.claim_loop(&path, id);
        Self {
            operations: operations.clone(),
            path,
            id,
            key,
            entering: Entering::new(StepKind::Carried),
            entered: false,
        }
    }

    /// A step outside of the body, under a key that nobody else claims.
    pub(crate) fn at(operations: &Shared, key: StateKey, kind: StepKind) -> Self {
        let entering = Entering::new(kind);
        let operations = operations.clone();
        Self { operations, path: "".into(), id: "", key, entering, entered: false }
    }

    /// Takes a name of the user's in place of the occurrence.
    #[track_caller]
    pub(crate) fn rename(&mut self, name: &dyn fmt::Display) {
        // The user's `Display` may do anything, also with the step handle.
        let name = name.to_string();
        must_be_fit(&name, LONGEST_KEY, format_args!("the key of the step `{}`", self.id));
        self.key = self.operations.lock().keys.rename(&self.path, self.id, &name);
    }

    pub(crate) fn key(&self) -> &StateKey {
        &self.key
    }

    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        self.operations.lock()
    }

    pub(crate) fn poll(&mut self, timeout: Option<Duration>, cx: &mut Context<'_>) -> Instruction {
        let mut operations = self.operations.lock();
        if !self.entered {
            self.entered = true;
            operations.enter(&self.key, self.entering.clone());
        }
        operations.poll(&self.key, self.entering.kind, timeout, cx)
    }

    pub(crate) fn hand_in(&self, change: Change) {
        self.operations.lock().hand_in(&self.key, change);
    }

    /// Hands in an attempt whose transaction has only its commit before it.
    pub(crate) fn hand_in_transaction(&self, attempt: u32, outcome: Payload, open: Open) {
        self.operations.lock().hand_in_transaction(&self.key, attempt, outcome, open);
    }

    /// Whether a kept error is still one of this type. If not, it holds the run.
    pub(crate) fn error_fits<E: DeserializeOwned>(&self, record: &ErrorRecord) -> bool {
        let Some(value) = &record.value else { return true };
        let payload = Payload::stored(value.as_str());
        let Err(error) = payload.decode::<E>() else { return true };
        let fault =
            Fault::undecodable(Stored::Error(self.key.clone()), type_name::<E>(), &error, &payload);
        self.operations.lock().fail(fault);
        false
    }

    /// Gives the committed outcome to the body; if it is the one that this attempt has written, as it was
    /// read back then.
    pub(crate) fn decode_written<T: Outcome>(
        &self,
        resolution: Resolution,
        written: Option<Written>,
    ) -> Poll<Result<T, StepError>> {
        let same =
            |written: &Written| matches!(&resolution.outcome, Ok(it) if it.is(&written.payload));
        match written.filter(same).and_then(Written::value) {
            Some(value) => Poll::Ready(Ok(value)),
            None => self.decode(resolution),
        }
    }

    /// Gives the committed outcome to the body. One that no longer decodes holds the run: the body
    /// then waits for ever.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        resolution: Resolution,
    ) -> Poll<Result<T, StepError>> {
        let Resolution { attempts, outcome, failures } = resolution;
        match outcome {
            Err(record) => {
                let key = self.key.clone();
                Poll::Ready(Err(StepError { key, attempts, record, failures }))
            }
            Ok(payload) => match payload.decode() {
                Ok(value) => Poll::Ready(Ok(value)),
                Err(error) => {
                    let fault = Fault::undecodable(
                        Stored::Outcome(self.key.clone()),
                        type_name::<T>(),
                        &error,
                        &payload,
                    );
                    self.operations.lock().fail(fault);
                    Poll::Pending
                }
            },
        }
    }
}

/// An outcome on its way to its commit, with what the body is given once it is committed.
pub(crate) struct Written {
    pub(crate) payload: Payload,
    value: Box<dyn Any + Send>,
}

impl Written {
    pub(crate) fn of<T: Outcome>(value: &T, limit: usize) -> Result<Self, EncodeError> {
        let (payload, value) = Payload::round_trip(value, limit)?;
        Ok(Self { payload, value: Box::new(value) })
    }

    /// What was read back, if it is of this type.
    fn value<T: Outcome>(self) -> Option<T> {
        self.value.downcast().ok().map(|value| *value)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.entered {
            self.operations.lock().abandon(&self.key);
        }
    }
}
