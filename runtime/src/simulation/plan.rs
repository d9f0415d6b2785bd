//! Workflows as data, and how they are made up.

use serde::{Deserialize, Serialize};

use super::random::Random;

/// The input of a run: what it does, and what it may be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scenario {
    /// Which of the batch's cases it belongs to, a child to its parent's.
    pub(super) case: u64,
    pub(super) plan: Vec<Node>,
}

/// One operation of a body. Each has an id of its own in its plan, as the macro asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Node {
    Run {
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
        plan: Vec<Node>,
        timeout: Option<u64>,
        detached: bool,
        fatal: bool,
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
    pub(super) steadiness: Steadiness,
}

#[derive(Debug, Clone)]
pub(super) enum Deed {
    Send {
        no: u64,
        value: u64,
    },
    Cancel,
    /// Takes the run up again if it has failed.
    Retry,
}

/// How much of a run has to be the same whatever crashes when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Steadiness {
    /// All of it, to the microsecond.
    Exact,
    /// Only the rules that hold for every run: a step that was in progress at a crash begins again,
    /// so that a later one may end before it.
    Rules,
}

/// The events of one case are told apart by so many numbers.
pub(super) const NUMBERS: u64 = 4;

/// How many ids a plan may have.
pub(super) const IDS: usize = 256;

impl Case {
    pub(super) fn random(case: u64, random: &mut Random) -> Self {
        let mut maker = Maker {
            case,
            random,
            next_id: 0,
            budget: 14,
            unsteady: false,
            depth: 0,
            child: false,
            sent: Vec::new(),
            awaited: Vec::new(),
        };
        maker.unsteady = maker.random.percent(15);
        let unsteady = maker.unsteady;
        let plan = maker.body(true);
        let unsteady = unsteady || maker.runs_talk();
        let deeds = deeds(case, random);
        Self {
            scenario: Scenario { case, plan },
            by_event: random.percent(40),
            deeds,
            steadiness: if unsteady { Steadiness::Rules } else { Steadiness::Exact },
        }
    }
}

fn deeds(case: u64, random: &mut Random) -> Vec<(u64, Deed)> {
    let mut deeds: Vec<_> = (1..=random.below(5))
        .map(|nth| {
            let no = case * NUMBERS + random.below(NUMBERS);
            // A run that this wakes has timers at these seconds from now on, and no other deed.
            (random.below(6) * 10 + nth, Deed::Send { no, value: random.below(100) })
        })
        .collect();
    if random.percent(12) {
        deeds.push((random.below(8) * 10 + 9, Deed::Cancel));
    }
    if random.percent(25) {
        deeds.push((random.below(12) * 10 + 8, Deed::Retry));
    }
    deeds.sort_by_key(|(second, _)| *second);
    deeds
}

struct Maker<'r> {
    case: u64,
    random: &'r mut Random,
    next_id: usize,
    /// How many more nodes there may be.
    budget: u64,
    unsteady: bool,
    depth: u32,
    /// Whether it is a child's plan that is being made.
    child: bool,
    /// The numbers of the events that are sent, and whether a child does so.
    sent: Vec<(u64, bool)>,
    /// The same of those that are waited for.
    awaited: Vec<(u64, bool)>,
}

impl Maker<'_> {
    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id - 1
    }

    fn body(&mut self, top: bool) -> Vec<Node> {
        let length = self.random.within(1..=if top { 6 } else { 3 });
        let mut nodes = Vec::new();
        for _ in 0..length {
            if self.budget == 0 || self.next_id + 8 > IDS {
                break;
            }
            self.budget -= 1;
            nodes.push(self.node(top));
        }
        nodes
    }

    fn deeper(&mut self) -> Vec<Node> {
        self.depth += 1;
        let body = self.body(false);
        self.depth -= 1;
        body
    }

    fn branches(&mut self) -> Vec<Vec<Node>> {
        (0..self.random.within(2..=3)).map(|_| self.deeper()).collect()
    }

    fn node(&mut self, top: bool) -> Node {
        let nested = self.depth < 3;
        match self.random.below(100) {
            0..26 => self.run(),
            26..34 => Node::Sleep { id: self.id(), seconds: self.random.below(4) * 10 },
            34..48 => self.wait(),
            48..55 => self.send(),
            55..59 => Node::Derive { id: self.id() },
            59..60 => Node::Return,
            60..61 => Node::Fail { panic: self.random.percent(20) },
            61..65 if nested => Node::Branch { then: self.deeper(), otherwise: self.deeper() },
            65..69 if nested => {
                Node::Loop { times: self.random.within(1..=3), body: self.deeper() }
            }
            69..74 if nested => Node::Join { branches: self.branches() },
            74..78 if nested => Node::TryJoin { branches: self.branches() },
            78..84 if nested => Node::Race { branches: self.branches() },
            84..88 => Node::JoinAll {
                id: self.id(),
                items: self.random.below(5),
                limit: self.random.within(1..=3) as usize,
                work: self.work(),
            },
            88..91 if nested => Node::Helper { id: self.id(), body: self.deeper() },
            91..96 if nested => self.invoke(),
            96..97 if top => Node::Restart { plan: self.anew() },
            97..100 if top => Node::Carried {
                id: self.id(),
                times: self.random.within(1..=4),
                body: self.deeper(),
            },
            _ => self.run(),
        }
    }

    /// What the next generation does; its ids are counted anew.
    fn anew(&mut self) -> Vec<Node> {
        let outer = std::mem::replace(&mut self.next_id, 0);
        let plan = self.body(true);
        self.next_id = outer;
        plan
    }

    fn run(&mut self) -> Node {
        Node::Run { id: self.id(), work: self.work(), fatal: self.random.percent(40) }
    }

    fn work(&mut self) -> Work {
        let random = &mut *self.random;
        let how = match random.below(50) {
            0 => Failing::Panic,
            1..4 => Failing::Permanent,
            4..16 => Failing::Later,
            16..20 if self.unsteady => Failing::Hang(random.within(1..=3) * 10),
            _ => Failing::Error,
        };
        Work {
            value: random.next(),
            fails: if random.percent(25) { random.within(1..=3) } else { 0 },
            how,
            retries: random.below(4),
            polls: if self.unsteady { random.below(4) } else { 0 },
        }
    }

    fn send(&mut self) -> Node {
        let no = self.number();
        self.sent.push((no, self.child));
        Node::Send {
            id: self.id(),
            no,
            values: (0..self.random.below(3)).map(|_| self.random.below(100)).collect(),
        }
    }

    /// Whether one run may wait for what another sends: which comes first depends on when they are
    /// claimed.
    fn runs_talk(&self) -> bool {
        let mut pairs = self
            .sent
            .iter()
            .flat_map(|sent| self.awaited.iter().map(move |awaited| (sent, awaited)));
        pairs.any(|((sent, by_child), (awaited, child))| sent == awaited && (*by_child || *child))
    }

    fn wait(&mut self) -> Node {
        let no = self.number();
        self.awaited.push((no, self.child));
        Node::Wait {
            id: self.id(),
            no,
            at_least: self.random.percent(25).then(|| self.random.below(100)),
            timeout: self.random.percent(70).then(|| self.random.below(5) * 10),
            from_now: self.random.percent(20),
        }
    }

    fn invoke(&mut self) -> Node {
        let id = self.id();
        let outer = std::mem::replace(&mut self.next_id, 0);
        let parent = std::mem::replace(&mut self.child, true);
        let plan = self.deeper();
        self.next_id = outer;
        self.child = parent;
        Node::Invoke {
            id,
            plan,
            timeout: self.random.percent(40).then(|| self.random.below(5) * 10),
            detached: self.random.percent(25),
            fatal: self.random.percent(40),
        }
    }

    fn number(&mut self) -> u64 {
        self.case * NUMBERS + self.random.below(NUMBERS)
    }
}
