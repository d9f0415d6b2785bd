//! How cases are made up.

use super::plan::{
    Bounds, Case, DEPTH, Deed, Failing, GROUP, IDS, Keys, NUMBERS, Node, Scenario, Steadiness, Work,
};
use super::random::Random;

impl Case {
    pub(super) fn random(case: u64, random: &mut Random) -> Self {
        let mut maker = Maker {
            case,
            random,
            next_id: 0,
            budget: 14,
            unsteady: false,
            depth: 0,
            abreast: false,
            child: false,
            sent: Vec::new(),
            awaited: Vec::new(),
        };
        maker.unsteady = maker.random.percent(15);
        let unsteady = maker.unsteady;
        let mut plan = maker.body(true);
        if maker.random.percent(20) {
            plan.push(Node::Fail { panic: false });
        }
        let unsteady = unsteady || maker.runs_talk();
        let steadiness = if unsteady { Steadiness::Rules } else { Steadiness::Exact };
        let (bounds, keys) = (maker.bounds(), maker.keys());
        let deeds = deeds(case, random);
        let scenario = Scenario { case, steadiness, bounds, keys, plan };
        Self { scenario, by_event: random.percent(40), deeds }
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
        let no = case * NUMBERS + random.below(NUMBERS);
        deeds.push((random.below(6) * 10 + 7, Deed::Stop { no }));
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
    /// Whether what is being made stands beside other branches of the same run.
    abreast: bool,
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
        let outer = std::mem::replace(&mut self.abreast, true);
        let branches = (0..self.random.within(2..=3)).map(|_| self.deeper()).collect();
        self.abreast = outer;
        branches
    }

    fn node(&mut self, top: bool) -> Node {
        let nested = self.depth < DEPTH;
        match self.random.below(100) {
            0..18 => self.run(),
            18..26 => self.transact(),
            26..32 => Node::Sleep { id: self.id(), seconds: self.random.below(4) * 10 },
            32..34 => self.meeting(),
            34..48 => self.wait(),
            48..55 => self.send(),
            55..58 => Node::Derive { id: self.id() },
            58..59 => Node::Return,
            59..61 => Node::Fail { panic: self.random.percent(20) },
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
            91..95 if nested => self.invoke(),
            95..96 if top => Node::Restart { plan: self.anew() },
            96..100 if top => Node::Carried {
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

    /// Which of two branches' transactions is over first is not known.
    fn transact(&mut self) -> Node {
        if self.abreast && !self.unsteady {
            return self.run();
        }
        let (id, fatal) = (self.id(), self.random.percent(40));
        let work = match self.work() {
            // One that never ends keeps everybody else from writing.
            work @ Work { how: Failing::Hang(_), .. } => Work { how: Failing::Error, ..work },
            work => work,
        };
        Node::Transact { id, work, fatal }
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
            undo: random.percent(40),
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
            // Others wait until it is over.
            timeout: self
                .random
                .percent(if self.unsteady { 100 } else { 70 })
                .then(|| self.random.below(5) * 10),
            from_now: self.random.percent(20),
        }
    }

    /// A wait that begins in the commit that sends what it is for.
    fn meeting(&mut self) -> Node {
        let no = self.number();
        self.awaited.push((no, self.child));
        self.sent.push((no, self.child));
        let timeout = Some(self.random.within(1..=4) * 10);
        let wait = Node::Wait { id: self.id(), no, at_least: None, timeout, from_now: true };
        let send = Node::Send { id: self.id(), no, values: vec![self.random.below(100)] };
        Node::Join { branches: vec![vec![wait], vec![send]] }
    }

    fn invoke(&mut self) -> Node {
        let id = self.id();
        let outer = std::mem::replace(&mut self.next_id, 0);
        let parent = std::mem::replace(&mut self.child, true);
        let abreast = std::mem::replace(&mut self.abreast, false);
        let plan = self.deeper();
        self.abreast = abreast;
        self.next_id = outer;
        self.child = parent;
        Node::Invoke {
            id,
            bounds: self.bounds(),
            plan,
            timeout: self.random.percent(40).then(|| self.random.below(5) * 10),
            detached: self.random.percent(25),
            fatal: self.random.percent(40),
            undo: self.random.percent(30),
        }
    }

    fn bounds(&mut self) -> Bounds {
        Bounds {
            stop: self.number(),
            start: self.random.percent(30).then(|| self.random.below(3) * 5),
            finish: self.random.percent(8).then(|| self.random.below(6) * 10 + 5),
        }
    }

    fn keys(&mut self) -> Keys {
        let (group, random) = (self.case / GROUP, &mut *self.random);
        let mut key = |chance| random.percent(chance).then_some(group);
        Keys {
            active: key(25),
            whole: key(30),
            pace: key(10),
            ahead: if random.percent(20) { random.below(7) as i64 * 10 - 30 } else { 0 },
        }
    }

    fn number(&mut self) -> u64 {
        self.case * NUMBERS + self.random.below(NUMBERS)
    }
}
