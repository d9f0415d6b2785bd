use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

/// The names of events that no app subscribes to. Each is told of once in a process.
#[derive(Default)]
pub(super) struct Unheard(Mutex<HashSet<String>>);

impl Unheard {
    /// The most names that are remembered. Nothing is said of further ones.
    const MOST: usize = 1_000;

    /// Events of these names were accepted.
    pub(super) fn say(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if self.is_new(&name) {
                warn!(
                    event = name,
                    "an event was accepted, but no app subscribes to its name, so it starts no run and ends \
                     no wait; check the name, or start a program that subscribes to it"
                );
            }
        }
    }

    fn is_new(&self, name: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < Self::MOST && said.insert(name.to_owned())
    }
}
