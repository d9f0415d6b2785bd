//! Cases as data: workflows with limits, and what the world does to them. All times are multiples of ten
//! seconds, so that much happens at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::random::{Random, mix};
use crate::flow::Keep;
use crate::id::RunId;
use crate::workflow::{Allowance, Gate, Hold, Single};

/// Some workflows that share a limit or none, and what happens to them.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) number: u64,
    pub(super) flows: Vec<Flow>,
    /// What the code says that each limit allows, by name.
    pub(super) declared: BTreeMap<String, Allowance>,
    /// What happens, by the second at which it does.
    pub(super) deeds: Vec<(u64, Deed)>,
}

/// The limits of a workflow.
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    /// Its limits on runs, in order.
    pub(super) gates: Vec<Limit>,
    pub(super) rate: Option<Limit>,
    /// One run of a key in so many seconds.
    pub(super) once: Option<(Limit, u64)>,
    /// Its limit is among the gates, too.
    pub(super) single: Option<(Limit, Single)>,
    pub(super) gather: Option<Gather>,
}

#[derive(Debug, Clone)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) key: Keyed,
    /// Whether the keys of all expressions count together.
    pub(super) shared: bool,
    pub(super) hold: Hold,
}

/// The expression of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    Nothing,
    A,
    B,
}

/// How events are gathered.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    pub(super) key: Keyed,
    pub(super) most: u32,
    /// After so many seconds: since the first event of a batch, or since the last one of a `debounce`.
    pub(super) seconds: u64,
    /// Of a `debounce`: the most seconds since the first event, if there is a bound.
    pub(super) debounce: Option<Option<u64>>,
    pub(super) keep: Keep,
}

/// What the world does.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Sends an event.
    Send(Sent),
    /// Starts a run directly.
    Start(Sent),
    /// Cancels the run that began with this event.
    Cancel(u64),
    /// Deploys a program that allows something else.
    Declare(String, Allowance),
    /// Deploys a program in which a limit of a workflow has another key.
    Rekey { flow: usize, gate: usize, key: Keyed },
    /// Deploys a program that gathers events for longer or less long, with another bound if it has one.
    Regather { flow: usize, seconds: u64, max: Option<u64> },
    /// An operator's.
    Set(String, Allowance),
    /// An operator's.
    Reset(String),
}

/// What starts a run.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Which of its case's, in order.
    pub(super) no: u64,
    pub(super) flow: usize,
    pub(super) a: Option<u64>,
    pub(super) b: Option<u64>,
    /// How many seconds its run is ahead of others.
    pub(super) ahead: i32,
    pub(super) script: Script,
}

/// What a run does.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) ops: Vec<Op>,
    pub(super) fails: bool,
    /// How many seconds its undos take.
    pub(super) undo: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Does something for so many seconds.
    Work(u64),
    /// Parks for so many seconds, as by a sleep or before the next attempt of a step.
    Sleep(u64),
    /// Invokes the same workflow with the same keys, and waits for its end.
    Invoke { script: Script, detached: bool },
}

impl Keyed {
    pub(super) fn expression(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::A => "event.a",
            Self::B => "event.b",
        }
    }

    /// The key; `None` if that is not limited.
    pub(super) fn of(self, sent: &Sent) -> Option<String> {
        match self {
            Self::Nothing => Some(String::new()),
            Self::A => sent.a.map(|a| a.to_string()),
            Self::B => sent.b.map(|b| b.to_string()),
        }
    }
}

impl Limit {
    pub(super) fn gate(&self, sent: &Sent) -> Option<Gate> {
        let rule = if self.shared { "" } else { self.key.expression() };
        let (limit, hold) = (self.name.clone(), self.hold);
        self.key.of(sent).map(|key| Gate { limit, key, rule, hold })
    }
}

impl Case {
    /// What was sent under this number.
    pub(super) fn sent(&self, no: u64) -> &Sent {
        let sent = self.deeds.iter().find_map(|(_, deed)| match deed {
            Deed::Send(sent) | Deed::Start(sent) if sent.no == no => Some(sent),
            _ => None,
        });
        sent.expect("it was sent")
    }

    /// The run that begins with this event. What comes later has a higher id, so that the order is known
    /// of those that come at the same time.
    pub(super) fn run(&self, no: u64) -> RunId {
        self.id(no, 0).into()
    }

    /// The run that a run invokes with this line.
    pub(super) fn child(&self, parent: RunId, line: u32) -> RunId {
        let (high, low) = parent.as_uuid().as_u64_pair();
        uuid::Uuid::from_u64_pair(high, mix(low, line.into())).into()
    }

    pub(super) fn id(&self, no: u64, what: u64) -> uuid::Uuid {
        uuid::Uuid::from_u64_pair(no + 1, mix(mix(7, self.number), what))
    }

    pub(super) fn random(number: u64, random: &mut Random) -> Self {
        let mut maker = Maker { number, random, declared: BTreeMap::new() };
        let count = if maker.random.percent(25) { 2 } else { 1 };
        let flows: Vec<_> = (0..count).map(|flow| maker.flow(flow)).collect();
        let deeds = maker.deeds(&flows);
        let declared = maker.declared;
        Self { number, flows, declared, deeds }
    }
}

struct Maker<'r> {
    number: u64,
    random: &'r mut Random,
    declared: BTreeMap<String, Allowance>,
}

impl Maker<'_> {
    fn limit(&mut self, name: &str, key: Keyed, hold: Hold, allows: Allowance) -> Limit {
        let name = format!("case-{}/{name}", self.number);
        let shared = name.ends_with("shared");
        self.declared.entry(name.clone()).or_insert(allows);
        Limit { name, key, shared, hold }
    }

    fn key(&mut self) -> Keyed {
        [Keyed::Nothing, Keyed::A, Keyed::A, Keyed::B][self.random.below(4) as usize]
    }

    fn flow(&mut self, nth: usize) -> Flow {
        let mut flow = Flow::default();
        for slots in ["shared", "concurrency"] {
            if self.random.percent(45) {
                let hold = if self.random.percent(50) { Hold::Active } else { Hold::Run };
                let name = if slots == "shared" { slots } else { &format!("{nth}/{slots}") };
                let (key, allows) = (self.key(), self.slots());
                flow.gates.push(self.limit(name, key, hold, allows));
            }
        }
        if self.random.percent(30) {
            let (key, allows) = (self.key(), self.pace());
            flow.gates.push(self.limit(&format!("{nth}/throttle"), key, Hold::Pass, allows));
        }
        if self.random.percent(30) {
            flow.gather = Some(self.gather());
            return flow;
        }
        if self.random.percent(25) {
            let (key, allows) = (self.key(), self.window());
            flow.rate = Some(self.limit(&format!("{nth}/rate-limit"), key, Hold::Pass, allows));
        }
        if self.random.percent(25) {
            let name = format!("case-{}/{nth}/idempotency", self.number);
            let limit = Limit { name, key: self.key(), shared: false, hold: Hold::Pass };
            flow.once = Some((limit, self.random.within(1..=6) * 10));
        }
        if self.random.percent(30) {
            let key = self.key();
            let name = format!("{nth}/singleton");
            let limit = self.limit(&name, key, Hold::Run, Allowance::Slots(1));
            let modes = [Single::Skip, Single::Cancel, Single::Latest];
            flow.single = Some((limit.clone(), modes[self.random.below(3) as usize]));
            flow.gates.push(limit);
        }
        flow
    }

    /// None, rarely.
    fn most(&mut self, most: u64) -> u32 {
        if self.random.percent(4) { 0 } else { self.random.within(1..=most) as u32 }
    }

    fn slots(&mut self) -> Allowance {
        Allowance::Slots(self.most(3))
    }

    fn pace(&mut self) -> Allowance {
        let limit = [0, 1, 2, 3, 6][self.most(4) as usize];
        let burst = self.random.below(3) as u32;
        Allowance::Pace { limit, per: Duration::from_secs(60), burst }
    }

    fn window(&mut self) -> Allowance {
        let seconds = self.random.within(1..=6) * 10;
        Allowance::Window { limit: self.most(3), per: Duration::from_secs(seconds) }
    }

    fn gather(&mut self) -> Gather {
        let key = self.key();
        let (seconds, max) = self.times();
        let debounce = self.random.percent(70).then_some(max);
        let keep = match debounce {
            Some(_) if self.random.percent(60) => Keep::Last,
            _ => Keep::All,
        };
        let most = if keep == Keep::Last { u32::MAX } else { self.random.within(1..=4) as u32 };
        Gather { key, most, seconds, debounce, keep }
    }

    /// How long events are gathered, and how long at most.
    fn times(&mut self) -> (u64, Option<u64>) {
        let seconds = self.random.within(1..=4) * 10;
        (seconds, self.random.percent(60).then(|| seconds + self.random.below(4) * 10))
    }

    fn deeds(&mut self, flows: &[Flow]) -> Vec<(u64, Deed)> {
        let count = self.random.within(2..=8);
        let mut times: Vec<u64> = (0..count).map(|_| self.random.below(13) * 10).collect();
        times.sort_unstable();
        let mut deeds = Vec::new();
        for (no, second) in (0..).zip(times) {
            let sent = self.sent(no, flows);
            let started = self.random.percent(15) && flows[sent.flow].gather.is_none();
            deeds.push((second, if started { Deed::Start(sent) } else { Deed::Send(sent) }));
            if self.random.percent(25) {
                let later = second + self.random.below(6) * 10;
                deeds.push((later, Deed::Cancel(self.random.below(no + 1))));
            }
        }
        for _ in 0..self.random.below(4) {
            let second = self.random.below(20) * 10;
            let deed = self.change(flows);
            deeds.extend(deed.map(|deed| (second, deed)));
        }
        deeds.sort_by_key(|(second, _)| *second);
        deeds
    }

    /// A change of a limit, if there is one that can be changed like this.
    fn change(&mut self, flows: &[Flow]) -> Option<Deed> {
        let names: Vec<_> = self.declared.keys().cloned().collect();
        let flow = self.random.below(flows.len() as u64) as usize;
        match self.random.below(10) {
            0 => {
                let gates = flows[flow].gates.len() as u64;
                let (gate, key) = (self.random.below(gates) as usize, self.key());
                // The check of events looks for the gate of a singleton under the key of that gate.
                let single = flows[flow].single.as_ref().map(|(limit, _)| &limit.name);
                let plain = flows[flow].gates.get(gate)?;
                (Some(&plain.name) != single).then_some(Deed::Rekey { flow, gate, key })
            }
            1 => {
                flows[flow].gather.as_ref()?;
                let (seconds, max) = self.times();
                Some(Deed::Regather { flow, seconds, max })
            }
            chance => {
                let name = names.get(self.random.below(names.len() as u64) as usize)?.clone();
                if name.ends_with("singleton") {
                    return None;
                }
                let allows = match self.declared[&name] {
                    Allowance::Slots(_) => self.slots(),
                    Allowance::Pace { .. } => self.pace(),
                    Allowance::Window { .. } => self.window(),
                };
                Some(match chance {
                    2..6 => Deed::Declare(name, allows),
                    6..9 => Deed::Set(name, allows),
                    _ => Deed::Reset(name),
                })
            }
        }
    }

    fn sent(&mut self, no: u64, flows: &[Flow]) -> Sent {
        let flow = self.random.below(flows.len() as u64) as usize;
        let value = |random: &mut Random| match random.below(10) {
            0 => None,
            1..8 => Some(1),
            _ => Some(2),
        };
        let (a, b) = (value(self.random), value(self.random));
        let ahead =
            if self.random.percent(35) { self.random.below(13) as i32 * 10 - 60 } else { 0 };
        Sent { no, flow, a, b, ahead, script: self.script(2) }
    }

    fn script(&mut self, depth: u32) -> Script {
        let ops = (0..self.random.below(3)).map(|_| match self.random.below(10) {
            0..5 => Op::Work(self.random.below(5) * 10),
            5..8 => Op::Sleep(self.random.below(5) * 10),
            _ if depth > 0 => {
                let detached = self.random.percent(25);
                Op::Invoke { script: self.script(depth - 1), detached }
            }
            _ => Op::Work(10),
        });
        let ops = ops.collect();
        Script { ops, fails: self.random.percent(10), undo: self.random.below(3) * 10 }
    }
}
