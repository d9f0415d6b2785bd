use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::StateKey;

/// Under which names the steps of a handle are kept: `notify/`. A call shares it with its body, so
/// that a key that is given to the one is found by the other.
#[derive(Clone)]
pub(crate) struct Path(Arc<PathInner>);

struct PathInner {
    text: Mutex<Arc<str>>,
    /// Where the helper was called, and its name.
    call: Option<(Arc<str>, String)>,
}

impl Path {
    /// That of a workflow's own steps.
    pub(super) fn root() -> Self {
        Self(Arc::new(PathInner { text: Mutex::new("".into()), call: None }))
    }

    pub(super) fn of_call(outer: &Self, helper: &str, call: &StateKey) -> Self {
        let called = Some((outer.get(), helper.to_owned()));
        let path = Self(Arc::new(PathInner { text: Mutex::new("".into()), call: called }));
        path.set(call);
        path
    }

    /// Where the helper was called, and its name.
    pub(super) fn call(&self) -> Option<&(Arc<str>, String)> {
        self.0.call.as_ref()
    }

    pub(super) fn get(&self) -> Arc<str> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, call: &StateKey) {
        let text = format!("{call}/").into();
        *self.0.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}
