use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::EventId;
use crate::journal::{Change, RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::Backoff;

/// Who is who in a run: the keys that its steps have claimed, and the values that are derived from
/// them rather than committed.
pub(crate) struct Keys {
    run: RunId,
    seed: Uuid,
    /// What ids and derived values rest on, too, so that they differ where a run does something again.
    again: Again,
    /// How often each path and id was claimed.
    claims: HashMap<String, u32>,
    /// The carried loops that the body has come to.
    loops: HashMap<StateKey, Loop>,
    /// The loop and iteration that derived values rest on, so that they differ between iterations
    /// whose keys are the same.
    iteration: String,
}

/// How often a run does what it did before.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Again {
    /// How often it was taken up again after it had failed.
    pub(crate) retries: u32,
    /// How often it has begun anew.
    pub(crate) generation: u32,
}

/// A carried loop.
struct Loop {
    /// What was claimed when the body came to it: keys are counted anew in each iteration, as the
    /// rows of the earlier ones are gone.
    claims: HashMap<String, u32>,
    /// The row that began the iteration that it is in.
    last: Option<Head>,
}

/// A row that began an iteration.
struct Head {
    /// Its place in the journal.
    seq: u32,
    /// The place of the loop's first such row.
    first: u32,
    iteration: u32,
}

impl Keys {
    pub(crate) fn new(run: RunId, seed: Uuid, again: Again) -> Self {
        Self {
            run,
            seed,
            again,
            claims: HashMap::new(),
            loops: HashMap::new(),
            iteration: String::new(),
        }
    }

    /// Claims the next key of a step at a path. Called when the operation is built, in the order of
    /// the source, so that no race between branches can change a key.
    pub(crate) fn claim(&mut self, path: &str, id: &str) -> StateKey {
        let count = self.claims.entry(format!("{path}{id}")).or_default();
        let key = StateKey::new(path, id, *count);
        *count += 1;
        key
    }

    /// Claims another key for a step that was just built, by a name that the user gives it: `id[name]`.
    pub(crate) fn rename(&mut self, path: &str, id: &str, name: &str) -> StateKey {
        if let Some(count) = self.claims.get_mut(&format!("{path}{id}")) {
            *count -= 1;
        }
        self.claim(path, &format!("{id}[{name}]"))
    }

    /// Claims the key of a carried loop: the same in each iteration.
    pub(crate) fn claim_loop(&mut self, path: &str, id: &str) -> StateKey {
        let key = StateKey::new(path, id, 0);
        let claims = &mut self.claims;
        let known = self
            .loops
            .entry(key.clone())
            .or_insert_with(|| Loop { claims: claims.clone(), last: None });
        claims.clone_from(&known.claims);
        key
    }

    /// The row that begins a loop's next iteration with these variables.
    pub(crate) fn carry(&self, key: &StateKey, outcome: Payload) -> Change {
        let last = self.loops.get(key).and_then(|carried| carried.last.as_ref());
        Change::Carry {
            iteration: last.map_or(0, |last| last.iteration).saturating_add(1),
            outcome,
            replaces: last.map(|last| last.seq),
            first: last.map(|last| last.first),
        }
    }

    /// A loop's row was delivered: another iteration begins.
    pub(super) fn iterate(&mut self, key: &StateKey, seq: u32, iteration: u32, first: Option<u32>) {
        if let Some(carried) = self.loops.get_mut(key) {
            carried.last = Some(Head { seq, first: first.unwrap_or(seq), iteration });
        }
        self.iteration = format!("{key}@{iteration}/");
    }

    /// Claims a key for a value that is derived rather than committed.
    pub(crate) fn derive(&mut self, path: &str, id: &str) -> Uuid {
        let key = self.claim(path, id);
        self.hash(key.as_str())
    }

    /// How long to wait after a failed attempt: the backoff of the configuration, with a jitter that
    /// differs from run to run but not from resume to resume.
    pub(crate) fn backoff(&self, backoff: &Backoff, key: &StateKey, attempt: u32) -> Duration {
        let jitter = unit_interval(self.hash(&format!("{key} attempt {attempt}")));
        backoff.delay(attempt, jitter)
    }

    /// The id of an event that a step sends at a time: ordered by time, and the same if the step has to
    /// hand it in again. It rests on the run's id rather than its seed, as a fork shares the seed.
    pub(super) fn event_id(&self, key: &StateKey, nth: usize, at: Timestamp) -> EventId {
        self.id_of(&format!("{key} event {nth}"), at).into()
    }

    /// The id and the seed of the run that a step starts at a time. The id is of that time, as runs
    /// are looked for by the times of their ids.
    pub(super) fn child(&self, key: &StateKey, at: Timestamp) -> (RunId, Uuid) {
        let id = self.id_of(&format!("{key} child"), at);
        (id.into(), self.hash(&format!("{key} seed")))
    }

    fn id_of(&self, name: &str, at: Timestamp) -> Uuid {
        // What a retried run does again is not what it did before.
        let retry = match self.again.retries {
            0 => String::new(),
            n => format!("retry {n}/"),
        };
        let name = format!("{retry}{}{}{name}", self.generation(), self.iteration);
        let hash = Uuid::new_v5(&self.run.as_uuid(), name.as_bytes());
        let millis = at.as_millisecond().unsigned_abs();
        let (random, _) = hash.as_bytes().split_at(10);
        let random = random.try_into().expect("ten of sixteen bytes");
        uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid()
    }

    fn generation(&self) -> String {
        match self.again.generation {
            0 => String::new(),
            n => format!("generation {n}/"),
        }
    }

    fn hash(&self, name: &str) -> Uuid {
        let name = format!("{}{}{name}", self.generation(), self.iteration);
        Uuid::new_v5(&self.seed, name.as_bytes())
    }
}

/// Maps a hash to `0.0..1.0`: the 53 bits that a double can hold.
pub(crate) fn unit_interval(hash: Uuid) -> f64 {
    // The low half of a UUID holds two fixed bits at its top; the rest is hash.
    (hash.as_u64_pair().1 & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
}
