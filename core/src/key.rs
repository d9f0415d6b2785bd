use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a step stands in a run: the path of helpers to it, its id, and its occurrence there.
///
/// `fetch-ticket`, `ship-item#1` (the second time), `notify/send-mail` (in a helper).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub struct StateKey(Arc<str>);

impl StateKey {
    /// The key of the `occurrence`th step (from 0) called `id` at `path`.
    pub(crate) fn new(path: &str, id: &str, occurrence: u32) -> Self {
        match occurrence {
            0 => Self(format!("{path}{id}").into()),
            n => Self(format!("{path}{id}#{n}").into()),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which a step is undone: no id has parentheses.
    pub(crate) fn of_undo(step: &Self, occurrence: u32) -> Self {
        Self::new("", &format!("undo({step})"), occurrence)
    }

    /// The step that is undone under this key.
    pub(crate) fn undone(&self) -> Option<Self> {
        let (step, _) = self.0.strip_prefix("undo(")?.rsplit_once(')')?;
        Some(step.into())
    }

    /// The key of the row with which a run begins to undo what it did.
    pub(crate) fn of_undoing() -> Self {
        "(undo)".into()
    }

    /// The key without numbers and names of occurrences: the state, with the path to it inside of a helper.
    pub fn state(&self) -> Cow<'_, str> {
        // Only the last part has a name, in which anything may stand.
        let unnamed = self.0.split_once('[').map_or(&*self.0, |(unnamed, _)| unnamed);
        if !unnamed.contains('#') {
            return Cow::Borrowed(unnamed);
        }
        let names = unnamed.split('/').map(|part| part.split_once('#').map_or(part, |part| part.0));
        Cow::Owned(names.collect::<Vec<_>>().join("/"))
    }
}

impl From<String> for StateKey {
    fn from(key: String) -> Self {
        Self(key.into())
    }
}

impl From<&str> for StateKey {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

impl From<StateKey> for String {
    fn from(key: StateKey) -> Self {
        key.0.as_ref().into()
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::StateKey;

    #[test]
    fn a_state_is_a_key_without_occurrences_and_names() {
        let states = [
            ("ship-item", "ship-item"),
            ("ship-item#1", "ship-item"),
            ("ship-item[order-7]", "ship-item"),
            ("notify#2/send-mail#1", "notify/send-mail"),
            ("notify#2/send-mail[a/b#c]#1", "notify/send-mail"),
        ];
        for (key, state) in states {
            assert_eq!(StateKey::from(key).state(), state);
        }
    }
}
