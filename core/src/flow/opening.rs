use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::journal::RunId;
use crate::workflow::Allowance;

/// How a gate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateState {
    /// What its limit allows. Without a limit, as it was removed, everybody passes.
    pub allows: Option<Allowance>,
    /// How many runs hold a slot.
    pub held: u64,
    /// Of a pace: when the next start would be in time. `None` if that has long passed.
    pub next: Option<Timestamp>,
}

/// A run that waits at one of its gates. It has to find all that it has not passed open at once, so that
/// it holds no slot of one while another keeps it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Its id.
    pub run: RunId,
    /// The lower, the sooner.
    pub rank: i64,
    /// Where it waits.
    pub at: Uuid,
    /// Its other gates that it has not passed.
    pub others: Vec<Uuid>,
}

/// Who passes, and who waits elsewhere now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The runs that pass all their gates, in order.
    pub passed: Vec<RunId>,
    /// Runs that wait at another of their gates from now on, since that one is closed.
    pub moved: Vec<Moved>,
    /// The paces that starts were counted by, or that keep somebody waiting.
    pub paced: BTreeMap<Uuid, Paced>,
}

/// How a pace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paced {
    /// When the next start would be in time.
    pub next: Timestamp,
    /// When it lets the next run through, if one waits for that.
    pub due: Option<Timestamp>,
}

/// A run that waits elsewhere from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub run: RunId,
    /// The gate where it waited.
    pub from: Uuid,
    /// The gate where it waits.
    pub to: Uuid,
}

impl GateState {
    /// How many runs could pass now, at most `limit`.
    pub fn room(&self, limit: u64, now: Timestamp) -> u64 {
        match self.allows {
            Some(Allowance::Slots(slots)) => u64::from(slots).saturating_sub(self.held).min(limit),
            Some(Allowance::Pace { limit: 0, .. }) => 0,
            Some(Allowance::Pace { .. }) if self.opens_at(now) > Some(now) => 0,
            _ => limit,
        }
    }

    /// Whether one more run can pass.
    fn is_open(&self, now: Timestamp) -> bool {
        self.room(1, now) > 0
    }

    /// When its pace lets the next run through, as the generic cell rate algorithm says: as much ahead of
    /// the time as the burst allows.
    fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        let (interval, burst) = self.interval()?;
        self.in_time(now)?.checked_sub(interval.saturating_mul(burst)).ok()
    }

    /// When the next start is in time. What was counted at a slower pace, before the limit was changed, is
    /// no further ahead than this one could be.
    fn in_time(&self, now: Timestamp) -> Option<Timestamp> {
        let (interval, burst) = self.interval()?;
        let ahead = interval.saturating_mul(burst.saturating_add(1));
        let latest = now.saturating_add(ahead).unwrap_or(Timestamp::MAX);
        Some(self.next?.min(latest))
    }

    /// How far starts are apart, and how many may be ahead of their time. `None` also for a pace of zero,
    /// which no time opens.
    fn interval(&self) -> Option<(Duration, u32)> {
        match self.allows? {
            Allowance::Pace { limit, per, burst } => Some((per.checked_div(limit)?, burst)),
            Allowance::Slots(_) | Allowance::Window { .. } => None,
        }
    }

    /// Counts a run that passes.
    fn pass(&mut self, now: Timestamp) {
        self.held += 1;
        if let Some((interval, _)) = self.interval() {
            let from = self.in_time(now).map_or(now, |next| next.max(now));
            self.next = Some(from.saturating_add(interval).unwrap_or(Timestamp::MAX));
        }
    }

    /// How its pace stands, if it has one.
    fn paced(&self, keeps_out: bool, now: Timestamp) -> Option<Paced> {
        let (next, due) = (self.in_time(now)?, self.opens_at(now)?);
        Some(Paced { next, due: keeps_out.then_some(due) })
    }
}

impl Opened {
    /// Lets runs through in order of rank. `gates` has all gates that they have not passed; one that it
    /// has not is closed to them.
    pub fn of(
        gates: &mut HashMap<Uuid, GateState>,
        mut waiters: Vec<Waiter>,
        now: Timestamp,
    ) -> Self {
        waiters.sort_by_key(|waiter| (waiter.rank, waiter.run));
        let mut opened = Self::default();
        // The gates that were passed, and whether they keep somebody out now.
        let mut met = BTreeMap::new();
        for Waiter { run, at, others, .. } in waiters {
            let all = || std::iter::once(&at).chain(&others);
            let closed = |gate: &&Uuid| gates.get(gate).is_none_or(|gate| !gate.is_open(now));
            if let Some(gate) = all().find(closed) {
                met.insert(*gate, true);
                if *gate != at {
                    opened.moved.push(Moved { run, from: at, to: *gate });
                }
                continue;
            }
            for gate in all() {
                met.entry(*gate).or_insert(false);
                if let Some(gate) = gates.get_mut(gate) {
                    gate.pass(now);
                }
            }
            opened.passed.push(run);
        }
        let paced = met
            .into_iter()
            .filter_map(|(gate, keeps_out)| Some((gate, gates.get(&gate)?.paced(keeps_out, now)?)));
        opened.paced = paced.collect();
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);
    const PACE: Uuid = Uuid::from_u128(3);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("it is a time")
    }

    fn slots(limit: u32, held: u64) -> GateState {
        GateState { allows: Some(Allowance::Slots(limit)), held, next: None }
    }

    fn pace(limit: u32, seconds: u64, burst: u32, next: Option<i64>) -> GateState {
        let per = Duration::from_secs(seconds);
        let allows = Some(Allowance::Pace { limit, per, burst });
        GateState { allows, held: 0, next: next.map(at) }
    }

    fn run(number: u128) -> RunId {
        Uuid::from_u128(number).into()
    }

    /// A run whose rank is its number.
    fn waiter(number: u128, gates: &[Uuid]) -> Waiter {
        let (at, others) = gates.split_first().expect("it waits at one");
        Waiter { run: run(number), rank: number as i64, at: *at, others: others.to_vec() }
    }

    fn open(gates: &[(Uuid, GateState)], waiters: Vec<Waiter>, now: i64) -> Opened {
        Opened::of(&mut gates.iter().cloned().collect(), waiters, at(now))
    }

    #[test]
    fn as_many_pass_as_there_are_slots_in_order_of_rank() {
        let waiters = || [4, 2, 3].map(|number| waiter(number, &[USER])).to_vec();
        let passed = |standing| open(&[(USER, standing)], waiters(), 0).passed;
        assert_eq!(passed(slots(3, 1)), [run(2), run(3)]);
        assert_eq!(passed(slots(2, 2)), []);
        // An operator has lowered it.
        assert_eq!(passed(slots(1, 5)), []);
        assert_eq!(passed(slots(0, 0)), []);
        let gone = GateState { allows: None, held: 9, next: None };
        assert_eq!(passed(gone), [run(2), run(3), run(4)]);
    }

    #[test]
    fn a_run_that_another_gate_keeps_out_waits_there_and_holds_nothing() {
        let gates = [(USER, slots(1, 0)), (OTHER, slots(1, 1))];
        let waiters = vec![waiter(1, &[USER, OTHER]), waiter(2, &[USER])];
        let opened = open(&gates, waiters, 0);
        assert_eq!(opened.passed, [run(2)]);
        assert_eq!(opened.moved, [Moved { run: run(1), from: USER, to: OTHER }]);
    }

    #[test]
    fn a_run_that_passes_counts_at_each_of_its_gates() {
        let gates = [(USER, slots(1, 0)), (OTHER, slots(1, 0))];
        let waiters = vec![waiter(1, &[USER, OTHER]), waiter(2, &[OTHER]), waiter(3, &[USER])];
        let opened = open(&gates, waiters, 0);
        assert_eq!((opened.passed, opened.moved), (vec![run(1)], vec![]));
    }

    #[test]
    fn starts_are_spread_with_a_burst_ahead() {
        let waiters = || (1..=9).map(|number| waiter(number, &[PACE])).collect::<Vec<_>>();
        // One every 6 seconds.
        let opened = open(&[(PACE, pace(10, 60, 0, None))], waiters(), 0);
        assert_eq!(opened.passed, [run(1)]);
        assert_eq!(opened.paced[&PACE], Paced { next: at(6), due: Some(at(6)) });
        assert_eq!(open(&[(PACE, pace(10, 60, 0, Some(6)))], waiters(), 5).passed, []);
        assert_eq!(open(&[(PACE, pace(10, 60, 0, Some(6)))], waiters(), 6).passed, [run(1)]);
        // Five more at once, and then one every 6 seconds again.
        let opened = open(&[(PACE, pace(10, 60, 5, None))], waiters(), 0);
        assert_eq!(opened.passed.len(), 6);
        assert_eq!(opened.paced[&PACE], Paced { next: at(36), due: Some(at(6)) });
        // With nobody left there is nothing to wait for.
        let opened = open(&[(PACE, pace(10, 60, 5, None))], waiters()[..6].to_vec(), 0);
        assert_eq!(opened.paced[&PACE], Paced { next: at(36), due: None });
    }

    #[test]
    fn a_pace_does_not_save_up_for_longer_than_its_burst() {
        let waiters = (1..=9).map(|number| waiter(number, &[PACE])).collect();
        let opened = open(&[(PACE, pace(10, 60, 0, Some(-600)))], waiters, 0);
        assert_eq!(opened.passed, [run(1)]);
    }

    #[test]
    fn a_closed_pace_counts_nobody_who_another_gate_keeps_out() {
        let gates = [(USER, slots(1, 1)), (PACE, pace(1, 60, 0, None))];
        let opened = open(&gates, vec![waiter(1, &[PACE, USER]), waiter(2, &[PACE])], 0);
        assert_eq!(opened.passed, [run(2)]);
    }

    #[test]
    fn a_changed_limit_holds_at_once() {
        // Ten a minute became one an hour: what was counted by the old pace stays.
        let waiters = || vec![waiter(1, &[PACE]), waiter(2, &[PACE])];
        let opened = open(&[(PACE, pace(1, 3600, 0, Some(6)))], waiters(), 6);
        let paced = Paced { next: at(3606), due: Some(at(3606)) };
        assert_eq!((opened.passed.len(), opened.paced[&PACE]), (1, paced));
    }

    #[test]
    fn a_pace_of_zero_lets_nobody_through() {
        for next in [None, Some(0), Some(3600)] {
            let opened = open(&[(PACE, pace(0, 60, 2, next))], vec![waiter(1, &[PACE])], 5);
            assert_eq!((opened.passed.len(), opened.paced.len()), (0, 0), "{next:?}");
        }
    }

    #[test]
    fn a_faster_pace_counts_at_once() {
        // One an hour until now, and from now on one every ten seconds.
        let opened = open(&[(PACE, pace(6, 60, 0, Some(3600)))], vec![waiter(1, &[PACE])], 5);
        let paced = Paced { next: at(15), due: Some(at(15)) };
        assert_eq!((opened.passed.len(), opened.paced[&PACE]), (0, paced));
    }
}
