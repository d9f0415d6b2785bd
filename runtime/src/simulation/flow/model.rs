//! What each limit means, written as plainly as its description in the guide: nothing is indexed, and
//! everything is counted anew each time it is asked.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::case::{Case, Deed, Flow, Gather, Limit, Sent};
use crate::flow::Keep;
use crate::id::RunId;
use crate::store::RunStatus;
use crate::workflow::{Allowance, Hold, Single};

/// What should have become of one case.
#[derive(Debug)]
pub(super) struct Model {
    /// The limits of its workflows, in the program that was deployed last.
    pub(super) flows: Vec<Flow>,
    pub(super) declared: BTreeMap<String, Allowance>,
    set: BTreeMap<String, Allowance>,
    pub(super) runs: BTreeMap<RunId, Run>,
    buckets: HashMap<Counted, Bucket>,
    windows: HashMap<Counted, Window>,
    gathered: BTreeMap<(usize, String), Gathered>,
    /// How many events start no run of their workflow, as a limit says.
    pub(super) skipped: usize,
    /// What happened, in short lines.
    pub(super) story: Vec<String>,
}

/// What is counted together: a limit, the expression of its key, and the key.
type Counted = (String, &'static str, String);

#[derive(Debug)]
pub(super) struct Run {
    /// The lower, the sooner, in microseconds.
    pub(super) rank: i64,
    pub(super) place: Place,
    /// Whether a worker has taken it up.
    begun: bool,
    /// Whether it has, or had, something to pass.
    gated: bool,
    stands: Vec<Stand>,
    parent: Option<RunId>,
    detached: bool,
    /// Whether it has been told of a child's end.
    told: bool,
    /// Whether it is to be cancelled, and has something to undo.
    pub(super) cancelled: Option<Undoes>,
}

/// Whether a run that is cancelled may have something to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undoes {
    Nothing,
    Something,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It could go on, if its limits let it.
    Asks,
    /// It can be claimed.
    Free,
    Driven,
    /// Until then, if it is not told something.
    Parked(Option<Timestamp>),
    Over(RunStatus),
}

#[derive(Debug)]
struct Stand {
    counted: Counted,
    hold: Hold,
    side: Side,
}

/// On which side of a gate a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Outside,
    Inside,
    /// It is inside as the run is that has invoked it.
    Under,
}

/// A leaky bucket as a meter: each start pours in as much time as starts are apart, and time leaks.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: SignedDuration,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Timestamp,
    counted: u32,
}

#[derive(Debug)]
struct Gathered {
    events: Vec<(Sent, Timestamp)>,
    due: Timestamp,
    latest: Option<Timestamp>,
    slides: bool,
}

/// So many seconds.
fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(seconds as i64)
}

impl Model {
    pub(super) fn of(case: &Case) -> Self {
        Self {
            flows: case.flows.clone(),
            declared: case.declared.clone(),
            set: BTreeMap::new(),
            runs: BTreeMap::new(),
            buckets: HashMap::new(),
            windows: HashMap::new(),
            gathered: BTreeMap::new(),
            skipped: 0,
            story: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, at: Timestamp, what: impl std::fmt::Display) {
        self.story.push(format!("{:6} {what}", at.as_second() % 100_000));
    }

    fn allows(&self, limit: &str) -> Option<Allowance> {
        self.set.get(limit).or_else(|| self.declared.get(limit)).copied()
    }

    /// What a deploy or an operator changes.
    pub(super) fn change(&mut self, deed: &Deed, now: Timestamp) {
        match deed {
            Deed::Declare(limit, allows) => {
                self.forget(limit, now);
                self.declared.insert(limit.clone(), *allows);
                self.refill(limit, now);
            }
            Deed::Set(limit, allows) => {
                self.forget(limit, now);
                self.set.insert(limit.clone(), *allows);
                self.refill(limit, now);
            }
            Deed::Reset(limit) => {
                self.forget(limit, now);
                self.set.remove(limit);
                self.refill(limit, now);
            }
            Deed::Rekey { flow, gate, key } => self.flows[*flow].gates[*gate].key = *key,
            Deed::Regather { flow, seconds, max } => {
                let gather = self.flows[*flow].gather.as_mut().expect("it gathers events");
                gather.seconds = *seconds;
                gather.debounce = gather.debounce.map(|_| *max);
            }
            Deed::Send(_) | Deed::Start(_) | Deed::Cancel(_) => {}
        }
    }

    /// A window that is over stays over, however long the next ones are.
    fn forget(&mut self, limit: &str, now: Timestamp) {
        let Some(Allowance::Window { per, .. }) = self.allows(limit) else { return };
        let is_open = |window: &Window| now < window.began + per;
        self.windows.retain(|counted, window| counted.0 != limit || is_open(window));
    }

    /// A bucket holds no more than the new pace would have let in.
    fn refill(&mut self, limit: &str, now: Timestamp) {
        let Some((apart, burst)) = self.pace(limit) else { return };
        for (counted, bucket) in &mut self.buckets {
            if counted.0 == limit {
                *bucket = bucket.leaked(now);
                bucket.level = bucket.level.min(apart * (burst + 1));
            }
        }
    }

    /// How far starts are apart, and how many more may come at once.
    fn pace(&self, limit: &str) -> Option<(SignedDuration, i32)> {
        match self.allows(limit)? {
            Allowance::Pace { limit: 0, .. } => None,
            Allowance::Pace { limit, per, burst } => {
                let apart = SignedDuration::try_from(per).expect("it is short") / limit as i32;
                Some((apart, burst as i32))
            }
            Allowance::Slots(_) | Allowance::Window { .. } => None,
        }
    }
}

impl Bucket {
    fn leaked(self, now: Timestamp) -> Self {
        let level = self.level - now.duration_since(self.at);
        Self { level: level.max(SignedDuration::ZERO), at: now }
    }
}

// What becomes of events.
impl Model {
    /// What a workflow makes of an event. Gives the run that it starts at once.
    pub(super) fn event(&mut self, case: &Case, sent: &Sent, accepted: Timestamp, now: Timestamp) {
        let flow = self.flows[sent.flow].clone();
        let Some(gather) = flow.gather else {
            return self.arrive(case, &flow, sent, accepted, true);
        };
        match gather.key.of(sent) {
            Some(key) => self.gather(case, &gather, key, sent, accepted, now),
            None => self.admit(case.run(sent.no), &flow.gates, sent, accepted, None),
        }
    }

    /// A run is started without an event.
    pub(super) fn start(&mut self, case: &Case, sent: &Sent, now: Timestamp) {
        let flow = self.flows[sent.flow].clone();
        self.arrive(case, &flow, sent, now, false);
    }

    fn arrive(&mut self, case: &Case, flow: &Flow, sent: &Sent, at: Timestamp, by_event: bool) {
        let run = case.run(sent.no);
        let once = flow.once.as_ref().map(|(limit, within)| (limit, 1, seconds(*within)));
        let rate = flow.rate.as_ref().and_then(|limit| match self.allows(&limit.name)? {
            Allowance::Window { limit: most, per } => {
                Some((limit, most, SignedDuration::try_from(per).expect("it is short")))
            }
            Allowance::Slots(_) | Allowance::Pace { .. } => None,
        });
        let windows: Vec<_> = once
            .into_iter()
            .chain(rate)
            .filter(|_| by_event)
            .filter_map(|(limit, most, per)| Some((counted(limit, sent)?, most, per)))
            .collect();
        for (counted, most, per) in &windows {
            let window = self.windows.get(counted).filter(|window| at < window.began + *per);
            if window.map_or(0, |window| window.counted) >= *most {
                self.skipped += 1;
                return self.note(at, format_args!("{} is skipped by {}", sent.no, counted.0));
            }
        }
        let single = flow.single.as_ref();
        let single = single.and_then(|(limit, mode)| Some((counted(limit, sent)?, *mode)));
        let mut others = Vec::new();
        if let Some((counted, mode)) = &single {
            let all = self.runs.iter().filter(|(_, run)| run.stands_at(counted));
            others = match mode {
                Single::Skip | Single::Cancel => all.map(|(id, _)| *id).collect(),
                Single::Latest => {
                    all.filter(|(_, run)| run.waits_at(counted)).map(|(id, _)| *id).collect()
                }
            };
            if *mode == Single::Skip && !others.is_empty() {
                if by_event {
                    self.skipped += 1;
                    return self.note(at, format_args!("{} is skipped by its singleton", sent.no));
                }
                self.admit(run, &flow.gates, sent, at, None);
                return self.cancel(run, at);
            }
        }
        for (counted, _, per) in windows {
            let window = self.windows.entry(counted).or_insert(Window { began: at, counted: 0 });
            if at >= window.began + per {
                *window = Window { began: at, counted: 0 };
            }
            window.counted += 1;
        }
        self.admit(run, &flow.gates, sent, at, None);
        for other in others {
            self.cancel(other, at);
        }
    }

    fn gather(
        &mut self,
        case: &Case,
        gather: &Gather,
        key: String,
        sent: &Sent,
        accepted: Timestamp,
        now: Timestamp,
    ) {
        let id = (sent.flow, key);
        let gathered = self.gathered.entry(id.clone()).or_insert_with(|| Gathered {
            events: Vec::new(),
            due: accepted + seconds(gather.seconds),
            latest: gather.debounce.flatten().map(|max| accepted + seconds(max)),
            slides: gather.debounce.is_some(),
        });
        if gather.keep == Keep::Last && gathered.events.pop().is_some() {
            self.skipped += 1;
        }
        gathered.events.push((sent.clone(), accepted));
        let due = accepted + seconds(gather.seconds);
        if gathered.slides {
            // A window that is open becomes no shorter by its period.
            let latest = gather.debounce.flatten().map(|max| accepted + seconds(max));
            gathered.latest = gathered.latest.into_iter().chain(latest).min();
            let due = gathered.due.max(due);
            gathered.due = gathered.latest.map_or(due, |latest| latest.min(due));
        } else {
            gathered.due = gathered.due.min(due);
        }
        if gathered.events.len() >= gather.most as usize {
            self.complete_one(case, &id, now);
        }
    }

    /// Starts what has been gathered for long enough. What came before a window's end and is still to be
    /// routed belongs to it. Gives how many runs start.
    pub(super) fn complete(
        &mut self,
        case: &Case,
        unrouted: Option<Timestamp>,
        now: Timestamp,
    ) -> usize {
        let is_due = |gathered: &Gathered| {
            let expects = gathered.slides && unrouted.is_some_and(|at| at <= gathered.due);
            gathered.due <= now && !expects
        };
        let due = self.gathered.iter().filter(|(_, gathered)| is_due(gathered));
        let due: Vec<_> = due.map(|(id, _)| id.clone()).collect();
        due.iter().for_each(|id| self.complete_one(case, id, now));
        due.len()
    }

    fn complete_one(&mut self, case: &Case, id: &(usize, String), now: Timestamp) {
        let gathered = self.gathered.remove(id).expect("it is there");
        let (last, _) = gathered.events.last().expect("it has events");
        let numbers: Vec<u64> = gathered.events.iter().map(|(sent, _)| sent.no).collect();
        self.note(now, format_args!("{numbers:?} start a run together"));
        let gates = self.flows[id.0].gates.clone();
        self.admit(case.run(last.no), &gates, last, now, None);
    }
}

/// What a limit counts together with others; `None` if it does not count it.
fn counted(limit: &Limit, sent: &Sent) -> Option<Counted> {
    let gate = limit.gate(sent)?;
    Some((gate.limit, gate.rule, gate.key))
}

// What becomes of runs.
impl Model {
    /// A run is there from now on.
    fn admit(
        &mut self,
        id: RunId,
        gates: &[Limit],
        sent: &Sent,
        accepted: Timestamp,
        parent: Option<(RunId, bool)>,
    ) {
        let above = parent.filter(|(_, detached)| !detached);
        let above = above.and_then(|(parent, _)| self.runs.get(&parent));
        let stands = gates.iter().filter_map(|limit| {
            let counted = counted(limit, sent)?;
            let under = limit.hold == Hold::Run && above.is_some_and(|run| run.stands_at(&counted));
            let side = if under { Side::Under } else { Side::Outside };
            Some(Stand { counted, hold: limit.hold, side })
        });
        let stands: Vec<_> = stands.collect();
        let mut run = Run {
            rank: accepted.as_microsecond() - i64::from(sent.ahead) * 1_000_000,
            place: Place::Free,
            begun: false,
            gated: !stands.is_empty(),
            stands,
            parent: parent.map(|(parent, _)| parent),
            detached: parent.is_some_and(|(_, detached)| detached),
            told: false,
            cancelled: None,
        };
        run.ready();
        self.note(accepted, format_args!("{} starts run {}", sent.no, short(id)));
        self.runs.insert(id, run);
    }

    /// Lets runs pass in their order: each finds room at all of its limits, or takes none anywhere. Gives
    /// those that do.
    pub(super) fn open(&mut self, now: Timestamp) -> Vec<RunId> {
        let asking = self.runs.iter().filter(|(_, run)| run.place == Place::Asks);
        let mut asking: Vec<_> = asking.map(|(id, run)| (run.order(), *id)).collect();
        asking.sort_unstable();
        let mut passed = Vec::new();
        for (_, id) in asking {
            let outside: Vec<Counted> = self.runs[&id].outside().cloned().collect();
            if !outside.iter().all(|counted| self.has_room(counted, now)) {
                continue;
            }
            for counted in outside {
                if let Some((apart, _)) = self.pace(&counted.0) {
                    let empty = Bucket { level: SignedDuration::ZERO, at: now };
                    let bucket = self.buckets.entry(counted).or_insert(empty);
                    *bucket = bucket.leaked(now);
                    bucket.level += apart;
                }
            }
            let run = self.runs.get_mut(&id).expect("it is there");
            run.stands.retain(|stand| stand.hold != Hold::Pass);
            let stands = run.stands.iter_mut().filter(|stand| stand.side == Side::Outside);
            stands.for_each(|stand| stand.side = Side::Inside);
            run.place = Place::Free;
            self.note(now, format_args!("run {} may begin", short(id)));
            passed.push(id);
        }
        passed
    }

    fn has_room(&self, counted: &Counted, now: Timestamp) -> bool {
        match self.allows(&counted.0) {
            Some(Allowance::Slots(slots)) => {
                let stands = self.runs.values().flat_map(|run| &run.stands);
                let inside = stands.filter(|s| s.counted == *counted && s.side == Side::Inside);
                inside.count() < slots as usize
            }
            Some(Allowance::Pace { limit: 0, .. }) => false,
            Some(Allowance::Pace { .. }) => self.opens_at(counted, now).is_none_or(|at| at <= now),
            Some(Allowance::Window { .. }) | None => true,
        }
    }

    /// When a pace has room again.
    fn opens_at(&self, counted: &Counted, now: Timestamp) -> Option<Timestamp> {
        let ((apart, burst), bucket) = (self.pace(&counted.0)?, self.buckets.get(counted)?);
        Some(now + bucket.leaked(now).level - apart * burst)
    }

    pub(super) fn claimed(&mut self, id: RunId) {
        let run = self.runs.get_mut(&id).expect("it is there");
        (run.place, run.begun) = (Place::Driven, true);
    }

    /// Its worker has lost it, or given it back: it keeps what it holds.
    pub(super) fn lost(&mut self, id: RunId) {
        self.runs.get_mut(&id).expect("it is there").ready();
    }

    pub(super) fn parked(&mut self, id: RunId, until: Option<Timestamp>) {
        let run = self.runs.get_mut(&id).expect("it is there");
        let active = run.stands.iter_mut().filter(|stand| stand.hold == Hold::Active);
        active.for_each(|stand| stand.side = Side::Outside);
        run.place = Place::Parked(until);
        if run.told || run.cancelled.is_some() {
            run.ready();
        }
    }

    pub(super) fn invoked(
        &mut self,
        parent: RunId,
        child: RunId,
        sent: &Sent,
        detached: bool,
        now: Timestamp,
    ) {
        let gates = self.flows[sent.flow].gates.clone();
        self.admit(child, &gates, sent, now, Some((parent, detached)));
    }

    /// It has heard of the end of its child.
    pub(super) fn heard(&mut self, id: RunId) {
        self.runs.get_mut(&id).expect("it is there").told = false;
    }

    pub(super) fn ended(&mut self, id: RunId, status: RunStatus, now: Timestamp) {
        let run = self.runs.get_mut(&id).expect("it is there");
        (run.place, run.told) = (Place::Over(status), false);
        run.stands.clear();
        let parent = run.parent;
        self.note(now, format_args!("run {} is {status}", short(id)));
        if let Some(parent) = parent.and_then(|parent| self.runs.get_mut(&parent))
            && !matches!(parent.place, Place::Over(_))
        {
            parent.told = true;
            if matches!(parent.place, Place::Parked(_)) {
                parent.ready();
            }
        }
        let children = self.runs.iter_mut().filter(|(_, run)| run.parent == Some(id));
        let mut attached = Vec::new();
        for (child, run) in children {
            let under = run.stands.iter_mut().filter(|stand| stand.side == Side::Under);
            under.for_each(|stand| stand.side = Side::Inside);
            if !run.detached {
                attached.push(*child);
            }
        }
        attached.into_iter().for_each(|child| self.cancel(child, now));
    }

    /// Asks a run to cancel, if it is not over.
    pub(super) fn cancel(&mut self, id: RunId, now: Timestamp) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        if matches!(run.place, Place::Over(_)) {
            return;
        }
        if !run.begun {
            // It ends before it begins, and waits for nobody. What it has passed for, it keeps until then.
            run.stands.retain(|stand| stand.side != Side::Outside);
        } else if matches!(run.place, Place::Parked(_)) {
            run.ready();
        }
        let undoes = if run.begun { Undoes::Something } else { Undoes::Nothing };
        run.cancelled.get_or_insert(undoes);
        self.note(now, format_args!("run {} is to be cancelled", short(id)));
    }

    /// Those that have slept for long enough.
    pub(super) fn wake(&mut self, now: Timestamp) {
        for run in self.runs.values_mut() {
            if matches!(run.place, Place::Parked(Some(until)) if until <= now) {
                run.ready();
            }
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_over(&self) -> bool {
        let over = |run: &Run| matches!(run.place, Place::Over(_));
        self.gathered.is_empty() && self.runs.values().all(over)
    }

    /// Whether something happens by itself at this time, or has to have happened before.
    pub(super) fn acts_at(&self, now: Timestamp) -> bool {
        let runs = self.runs.values().any(|run| match run.place {
            Place::Parked(Some(until)) => until <= now,
            Place::Asks => run.outside().all(|counted| self.has_room(counted, now)),
            _ => false,
        });
        runs || self.gathered.values().any(|gathered| gathered.due <= now)
    }

    /// The next time at which something may happen by itself.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let parked = self.runs.values().filter_map(|run| match run.place {
            Place::Parked(until) => until,
            _ => None,
        });
        let asking = self.runs.values().filter(|run| run.place == Place::Asks);
        let paced = asking.flat_map(|run| run.outside());
        let paced = paced.filter_map(|counted| self.opens_at(counted, now));
        let gathered = self.gathered.values().map(|gathered| gathered.due);
        parked.chain(paced).chain(gathered).filter(|at| *at > now).min()
    }
}

impl Run {
    fn ready(&mut self) {
        self.place = if self.gated { Place::Asks } else { Place::Free };
    }

    fn outside(&self) -> impl Iterator<Item = &Counted> {
        let outside = self.stands.iter().filter(|stand| stand.side == Side::Outside);
        outside.map(|stand| &stand.counted)
    }

    fn stands_at(&self, counted: &Counted) -> bool {
        self.stands.iter().any(|stand| stand.counted == *counted)
    }

    fn waits_at(&self, counted: &Counted) -> bool {
        self.outside().any(|outside| outside == counted)
    }

    /// One that is being undone is the next to pass.
    fn order(&self) -> i64 {
        match self.cancelled {
            Some(Undoes::Something) => i64::MIN,
            _ => self.rank,
        }
    }
}

/// Enough of an id to tell it from others of its case.
pub(super) fn short(id: RunId) -> String {
    let (high, low) = id.as_uuid().as_u64_pair();
    format!("{}-{:04x}", high - 1, low & 0xffff)
}
