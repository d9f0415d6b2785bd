//! Workflows as data.

use serde::{Deserialize, Serialize};

/// The input of a run: what it does, and what it may be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scenario {
    /// Which of the batch's cases it belongs to, a child to its parent's.
    pub(super) case: u64,
    pub(super) steadiness: Steadiness,
    pub(super) bounds: Bounds,
    pub(super) keys: Keys,
    pub(super) plan: Vec<Node>,
}

/// The keys under which a run counts at the limits of its workflow; a limit without one does not count it. Its
/// children have the same.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Keys {
    /// Where slots are held while runs are active.
    pub(super) active: Option<u64>,
    /// Where slots are held until runs end.
    pub(super) whole: Option<u64>,
    /// Where starts are spread.
    pub(super) pace: Option<u64>,
    /// How many seconds it is ahead of others.
    pub(super) ahead: i64,
}

/// What stops a run before its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Bounds {
    /// The event with this number.
    pub(super) stop: u64,
    /// How many seconds it may take to be taken up.
    pub(super) start: Option<u64>,
    /// How many seconds it may take from then on.
    pub(super) finish: Option<u64>,
}

/// One operation of a body. Each has an id of its own in its plan, as the macro asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Node {
    Run {
        id: usize,
        work: Work,
        fatal: bool,
    },
    /// The same in a transaction of the user's database.
    Transact {
        id: usize,
        work: Work,
        fatal: bool,
    },
    Sleep {
        id: usize,
        seconds: u64,
    },
    Wait {
        id: usize,
        no: u64,
        at_least: Option<u64>,
        timeout: Option<u64>,
        from_now: bool,
    },
    Invoke {
        id: usize,
        bounds: Bounds,
        plan: Vec<Node>,
        timeout: Option<u64>,
        detached: bool,
        fatal: bool,
        undo: bool,
    },
    Send {
        id: usize,
        no: u64,
        values: Vec<u64>,
    },
    Derive {
        id: usize,
    },
    Branch {
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Loop {
        times: u64,
        body: Vec<Node>,
    },
    Carried {
        id: usize,
        times: u64,
        body: Vec<Node>,
    },
    Join {
        branches: Vec<Vec<Node>>,
    },
    TryJoin {
        branches: Vec<Vec<Node>>,
    },
    Race {
        branches: Vec<Vec<Node>>,
    },
    JoinAll {
        id: usize,
        items: u64,
        limit: usize,
        work: Work,
    },
    Helper {
        id: usize,
        body: Vec<Node>,
    },
    /// Begins the run anew, to do this.
    Restart {
        plan: Vec<Node>,
    },
    /// Ends the body early, if what it has seen so far says so.
    Return,
    Fail {
        panic: bool,
    },
}

/// What the future of a step does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) value: u64,
    /// How many attempts fail before one succeeds.
    pub(super) fails: u64,
    pub(super) how: Failing,
    pub(super) retries: u64,
    /// How often it is polled before it is done.
    pub(super) polls: u64,
    /// Whether it is undone if the run does not complete.
    pub(super) undo: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failing {
    Error,
    Later,
    Permanent,
    Panic,
    /// It never ends by itself, and is given so many seconds.
    Hang(u64),
}

/// One case: a run, and what the world does while it goes on.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) scenario: Scenario,
    /// Whether an event starts the run.
    pub(super) by_event: bool,
    /// What the world does, by the second at which it does it. No two cases' worth of timers fall
    /// on these: sleeps are multiples of ten seconds.
    pub(super) deeds: Vec<(u64, Deed)>,
}

#[derive(Debug, Clone)]
pub(super) enum Deed {
    Send {
        no: u64,
        value: u64,
    },
    /// What cancels a run of its own accord.
    Stop {
        no: u64,
    },
    Cancel,
    /// Takes the run up again if it has failed.
    Retry,
}

/// How much of a run has to be the same whatever crashes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Steadiness {
    /// All of it, to the microsecond.
    Exact,
    /// Only the rules that hold for every run: a step that was in progress at a crash begins again,
    /// so that a later one may end before it, and operators come at any moment.
    Rules,
}

/// So many cases in a row may count under the same keys.
pub(super) const GROUP: u64 = 40;

/// The events of one case are told apart by so many numbers.
pub(super) const NUMBERS: u64 = 4;

/// How deep a plan's parts stand in one another.
pub(super) const DEPTH: u32 = 3;

/// How many ids a plan may have.
pub(super) const IDS: usize = 256;
