//! Gates as columns: what both implementations write and read of them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use super::effects::Cancel;
use super::read::Columns;
use crate::flow::{Displaced, GateState, NewRun, Opened, Quota, Waiter};
use crate::id::RunId;
use crate::journal::Child;
use crate::workflow::{Allowance, Gate, Hold};

/// The most runs that pass one gate in one commit.
pub(super) const MOST: u64 = 256;
/// How many runs that ask at their gates are looked at in one commit.
pub(super) const ASKING: usize = 1_000;

/// A run that is subject to limits or has a priority.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) run: RunId,
    pub(super) gates: &'a [Gate],
    /// How many seconds it is ahead.
    pub(super) ahead: i32,
}

impl<'a> Subject<'a> {
    /// Those among new runs.
    pub(super) fn among(runs: impl IntoIterator<Item = &'a NewRun>) -> Vec<Self> {
        let all = runs.into_iter().map(|NewRun { id, gates, ahead, .. }| (*id, &**gates, *ahead));
        Self::of(all)
    }

    /// All of them, also those that are free to begin.
    pub(super) fn all(runs: &'a [NewRun]) -> Vec<Self> {
        let all = runs.iter();
        all.map(|NewRun { id, gates, ahead, .. }| Self { run: *id, gates, ahead: *ahead }).collect()
    }

    /// Those among children.
    pub(super) fn among_children(children: &'a [(RunId, &'a Child)]) -> Vec<Self> {
        let all = children.iter().map(|(_, child)| (child.id, &*child.gates, child.ahead));
        Self::of(all)
    }

    fn of(all: impl Iterator<Item = (RunId, &'a [Gate], i32)>) -> Vec<Self> {
        all.filter(|(_, gates, ahead)| !gates.is_empty() || *ahead != 0)
            .map(|(run, gates, ahead)| Self { run, gates, ahead })
            .collect()
    }
}

pub(super) const fn hold_name(hold: Hold) -> &'static str {
    match hold {
        Hold::Active => "active",
        Hold::Run => "run",
        Hold::Pass => "pass",
    }
}

/// The windows at which runs are counted: each gate with the names of its limit and its key.
pub(super) fn limited(app: &str, runs: &[(NewRun, Timestamp)]) -> HashMap<Uuid, (String, String)> {
    let gates = runs.iter().flat_map(|(NewRun { checks, .. }, _)| {
        checks.once.iter().map(|(gate, _)| gate).chain(&checks.rate)
    });
    gates.map(|gate| (gate.id(app), (gate.limit.clone(), gate.key.clone()))).collect()
}

/// The gates that let one run through.
pub(super) fn singles(app: &str, runs: &[(NewRun, Timestamp)]) -> Vec<Uuid> {
    let gates = runs.iter().filter_map(|(run, _)| run.checks.single.as_ref());
    gates.map(|(gate, _)| gate.id(app)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Runs that others take the place of, to be asked to cancel.
pub(super) fn displaced(runs: &[Displaced]) -> Vec<Cancel> {
    let asked = runs.iter().map(|Displaced { run, by, reason }| Cancel {
        child: *run,
        parent: *by,
        reason: reason.clone(),
    });
    asked.collect()
}

/// The columns of what a limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AllowanceColumns<'a> {
    pub(super) kind: &'a str,
    pub(super) most: i64,
    /// In microseconds.
    pub(super) period: Option<i64>,
    pub(super) burst: Option<i64>,
}

const SLOTS: &str = "slots";
const PACE: &str = "pace";
const WINDOW: &str = "window";

impl AllowanceColumns<'_> {
    pub(super) fn of(allows: &Allowance) -> Self {
        let micros = |time: &Duration| i64::try_from(time.as_micros()).ok();
        match allows {
            Allowance::Slots(most) => {
                Self { kind: SLOTS, most: (*most).into(), period: None, burst: None }
            }
            Allowance::Pace { limit, per, burst } => Self {
                kind: PACE,
                most: (*limit).into(),
                period: micros(per),
                burst: Some((*burst).into()),
            },
            Allowance::Window { limit, per } => {
                Self { kind: WINDOW, most: (*limit).into(), period: micros(per), burst: None }
            }
        }
    }

    /// `None` if only a newer program knows its kind: that one lets runs through.
    pub(super) fn allowance(&self) -> Option<Allowance> {
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let limit = number(self.most);
        let per = Duration::from_micros(self.period.unwrap_or_default().unsigned_abs());
        match self.kind {
            SLOTS => Some(Allowance::Slots(limit)),
            PACE => Some(Allowance::Pace { limit, per, burst: number(self.burst.unwrap_or(0)) }),
            WINDOW => Some(Allowance::Window { limit, per }),
            _ => None,
        }
    }
}

/// How a gate stands.
pub(super) fn read_gate(row: &impl Columns) -> Result<GateState, StoreError> {
    let allowance = AllowanceColumns {
        kind: &row.text("kind")?,
        most: row.number("most")?,
        period: row.number_or_null("period")?,
        burst: row.number_or_null("burst")?,
    };
    let (allows, held) = (allowance.allowance(), row.number("held")?);
    Ok(GateState { allows, held, next: row.time_or_null("until")? })
}

/// A window, if there is a limit, and if one has begun.
pub(super) fn read_window(row: &impl Columns) -> Result<Quota, StoreError> {
    let (most, period): (Option<u32>, Option<u64>) =
        (row.number_or_null("most")?, row.number_or_null("period")?);
    let number = |column| Ok::<_, StoreError>(row.number_or_null(column)?.unwrap_or(0));
    Ok(Quota {
        allows: most.zip(period.map(Duration::from_micros)),
        until: row.time_or_null("until")?,
        counted: number("counted")?,
        skipped: number("skipped")?,
    })
}

/// How many waiting runs of each gate are worth a look: those that may pass, and the first that a pace
/// keeps out.
pub(super) fn wanted(gates: &HashMap<Uuid, GateState>, now: Timestamp) -> Vec<(Uuid, i64)> {
    let rooms = gates.iter().map(|(id, gate)| {
        let one_more = matches!(gate.allows, Some(Allowance::Pace { .. }));
        (*id, gate.room(MOST, now) as i64 + i64::from(one_more))
    });
    rooms.filter(|(_, room)| *room > 0).collect()
}

/// The gates that somebody may pass yet: as many have passed as are looked at in one commit, or some that
/// stood before others have gone elsewhere.
pub(super) fn unfinished(opened: &Opened, waiters: &HashMap<RunId, Uuid>) -> Vec<Uuid> {
    let mut passed = HashMap::<Uuid, u64>::new();
    for run in &opened.passed {
        waiters.get(run).into_iter().for_each(|gate| *passed.entry(*gate).or_default() += 1);
    }
    let full = passed.into_iter().filter(|(_, passed)| *passed >= MOST).map(|(gate, _)| gate);
    let left = opened.moved.iter().map(|moved| moved.from);
    full.chain(left).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A gate at which a run stands that waits.
pub(super) struct StandRow {
    pub(super) run: RunId,
    pub(super) rank: i64,
    pub(super) gate: Uuid,
    /// Whether it waits here; else it has yet to pass.
    pub(super) waits: bool,
}

impl StandRow {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            run: row.uuid("run_id")?,
            rank: row.number("rank")?,
            gate: row.uuid("gate")?,
            waits: row.flag("waits")?,
        })
    }
}

/// The runs that wait, with all that they have to pass. A run's rank is the one with which it waits: at its other gates
/// it may not have that of a run that is undone.
pub(super) fn waiters(rows: impl IntoIterator<Item = StandRow>) -> Vec<Waiter> {
    let mut waiters = HashMap::<RunId, (Option<(i64, Uuid)>, Vec<Uuid>)>::new();
    for StandRow { run, rank, gate, waits } in rows {
        let (place, others) = waiters.entry(run).or_default();
        match waits {
            true => *place = Some((rank, gate)),
            false => others.push(gate),
        }
    }
    let waiters = waiters.into_iter().filter_map(|(run, (place, others))| {
        let (rank, at) = place?;
        Some(Waiter { run, rank, at, others })
    });
    waiters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_rank_with_which_it_waits() {
        let run = RunId::new();
        let [here, there] = [1, 2].map(Uuid::from_u128);
        let stand = |gate, rank, waits| StandRow { run, rank, gate, waits };
        for rows in [
            [stand(here, i64::MIN, true), stand(there, 7, false)],
            [stand(there, 7, false), stand(here, i64::MIN, true)],
        ] {
            let expected = Waiter { run, rank: i64::MIN, at: here, others: vec![there] };
            assert_eq!(waiters(rows), [expected]);
        }
    }
}
