use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::NewRun;
use crate::event::EventId;
use crate::journal::RunId;
use crate::workflow::{Gate, Single};

/// What is known of the gates that events are checked at. Whoever checks them takes turns with others, in
/// order of acceptance, and keeps what the checks have changed.
#[derive(Debug, Default)]
pub struct Known {
    /// By gate: the windows that are open, and what they allow.
    pub windows: HashMap<Uuid, Quota>,
    /// By gate: its runs that are not over.
    pub runs: HashMap<Uuid, Vec<Present>>,
}

/// A time in which so many events of a key start a run. It begins with the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many, and how long it lasts; `None` if the limit is gone.
    pub allows: Option<(u32, Duration)>,
    /// When it ends; `None` if none has begun.
    pub until: Option<Timestamp>,
    /// How many have started a run.
    pub counted: u64,
    /// How many have not.
    pub skipped: u64,
}

/// A run of a key that allows but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Its id.
    pub run: RunId,
    /// Whether it has yet to begin.
    pub waits: bool,
}

/// What becomes of runs that would start.
#[derive(Debug, Default, PartialEq)]
pub struct Checked {
    /// Those that start, each with the time when its event was accepted.
    pub started: Vec<(NewRun, Timestamp)>,
    /// The events that start none.
    pub skipped: Vec<Skipped>,
    /// Runs that are to be cancelled, as their key allows but one.
    pub cancelled: Vec<Displaced>,
}

/// A run that is to be cancelled, as its key allows but one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Displaced {
    /// Its id.
    pub run: RunId,
    /// The other run.
    pub by: RunId,
    /// What the run is told.
    pub reason: String,
}

/// An event that starts no run of a workflow.
#[derive(Debug, PartialEq)]
pub struct Skipped {
    /// The event.
    pub event: EventId,
    /// The workflow.
    pub workflow: String,
    /// Which of its limits is the reason.
    pub why: Why,
    /// When the event was accepted.
    pub at: Timestamp,
}

/// Which limit keeps it from starting one.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Its key has started as many as a window allows.
    Window {
        /// The limit's name.
        limit: String,
        /// The key, as JSON; empty if there is none.
        key: String,
        /// When the window ends.
        until: Timestamp,
    },
    /// Its key has a run that is not over.
    Single {
        /// The key, as JSON; empty if there is none.
        key: String,
        /// The run.
        run: RunId,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { limit, key, until } => {
                write!(f, "the limit `{limit}` lets no more events ")?;
                if !key.is_empty() {
                    write!(f, "of the key {key} ")?;
                }
                write!(f, "start a run before {until}")
            }
            Self::Single { key, run } if key.is_empty() => {
                write!(f, "the run {run} is not over, and the workflow allows one at a time")
            }
            Self::Single { key, run } => {
                write!(f, "the run {run} of the key {key} is not over, and it allows one at a time")
            }
        }
    }
}

impl Quota {
    /// Whether one more event starts a run at a time.
    fn has_room(&self, at: Timestamp) -> bool {
        let is_open = self.until.is_some_and(|until| at < until);
        self.allows.is_none_or(|(limit, _)| limit > 0 && (!is_open || self.counted < limit.into()))
    }

    /// Begins a new one, if this one is over.
    fn turn(&mut self, at: Timestamp) {
        if let Some((_, per)) = self.allows
            && self.until.is_none_or(|until| at >= until)
        {
            self.until = Some(at.saturating_add(per).unwrap_or(Timestamp::MAX));
            (self.counted, self.skipped) = (0, 0);
        }
    }
}

impl Checked {
    /// Checks runs that would start in an app, in order of the acceptance of their events.
    pub fn of(app: &str, runs: Vec<(NewRun, Timestamp)>, known: &mut Known) -> Self {
        let mut checked = Self::default();
        for (run, at) in runs {
            match known.keeps_out(app, &run, at) {
                Some(why) => match (run.event, &why) {
                    (Some(event), _) => {
                        checked.skipped.push(Skipped { event, workflow: run.workflow, why, at });
                    }
                    // Whoever has started it knows its id, and learns from it what has come of that.
                    (None, Why::Single { run: by, .. }) => {
                        let (by, reason) = (*by, why.to_string());
                        checked.cancelled.push(Displaced { run: run.id, by, reason });
                        checked.started.push((run, at));
                    }
                    (None, Why::Window { .. }) => checked.started.push((run, at)),
                },
                None => {
                    let displaced = known.count(app, &run, at).into_iter().map(|old| Displaced {
                        run: old,
                        by: run.id,
                        reason: format!("the run {} of the same key takes its place", run.id),
                    });
                    checked.cancelled.extend(displaced);
                    checked.started.push((run, at));
                }
            }
        }
        checked
    }
}

impl Known {
    /// The windows in which a run that an event starts is counted, with their gates.
    fn each_window<'r>(
        &mut self,
        app: &str,
        run: &'r NewRun,
        mut then: impl FnMut(&'r Gate, &mut Quota) -> Option<Why>,
    ) -> Option<Why> {
        let once = run.checks.once.as_ref().map(|(gate, within)| (gate, Some(*within)));
        let rate = run.checks.rate.as_ref().map(|gate| (gate, None));
        let gates = once.into_iter().chain(rate).filter(|_| run.event.is_some());
        gates.into_iter().find_map(|(gate, within)| {
            let window = self.windows.get_mut(&gate.id(app))?;
            // One in the time that the code says, which nobody sets.
            window.allows = within.map(|within| (1, within)).or(window.allows);
            then(gate, window)
        })
    }

    /// Which of its limits keeps a run from starting.
    fn keeps_out(&mut self, app: &str, run: &NewRun, at: Timestamp) -> Option<Why> {
        let full = self.each_window(app, run, |gate, window| {
            if window.has_room(at) {
                return None;
            }
            window.turn(at);
            window.skipped += 1;
            let (limit, key) = (gate.limit.clone(), gate.key.clone());
            let until = window.until.unwrap_or(Timestamp::MAX);
            Some(Why::Window { limit, key, until })
        });
        if full.is_some() {
            return full;
        }
        let (gate, single) = run.checks.single.as_ref()?;
        let mut present = self.runs.get(&gate.id(app))?.iter();
        // One whose start is sent again does not keep itself out.
        let present = present.find(|old| old.run != run.id && *single == Single::Skip)?;
        Some(Why::Single { key: gate.key.clone(), run: present.run })
    }

    /// Counts a run that starts; gives those that make room for it.
    fn count(&mut self, app: &str, run: &NewRun, at: Timestamp) -> Vec<RunId> {
        self.each_window(app, run, |_, window| {
            // One that has let nothing start begins now.
            window.until = window.until.filter(|_| window.counted > 0);
            window.turn(at);
            window.counted += 1;
            None
        });
        let Some((gate, single)) = &run.checks.single else { return Vec::new() };
        let present = self.runs.entry(gate.id(app)).or_default();
        present.retain(|old| old.run != run.id);
        let makes_room = |old: &Present| match single {
            Single::Skip => false,
            Single::Cancel => true,
            Single::Latest => old.waits,
        };
        let gone: Vec<RunId> =
            present.iter().filter(|old| makes_room(old)).map(|old| old.run).collect();
        present.retain(|old| !gone.contains(&old.run));
        present.push(Present { run: run.id, waits: true });
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn;
    use super::*;
    use crate::payload::Payload;
    use crate::workflow::{Checks, Hold};

    const APP: &str = "shop";

    fn gate(limit: &str) -> Gate {
        let (limit, key) = (limit.to_owned(), "7".to_owned());
        Gate { limit, key, rule: "event.user", hold: Hold::Run }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("it is a time")
    }

    fn run(number: u128, checks: Checks) -> NewRun {
        let event = Some(Uuid::from_u128(number).into());
        let drawn = drawn("on-order", event, Payload::stored("{}"));
        NewRun { id: Uuid::from_u128(number).into(), checks, ..drawn }
    }

    fn rated() -> Checks {
        Checks { rate: Some(gate("on-order/rate-limit")), ..Checks::default() }
    }

    fn known(limit: u32) -> Known {
        let allows = Some((limit, Duration::from_secs(60)));
        let window = Quota { allows, until: None, counted: 0, skipped: 0 };
        let windows = HashMap::from([(gate("on-order/rate-limit").id(APP), window)]);
        Known { windows, runs: HashMap::new() }
    }

    /// The numbers of the runs that start, of those whose events come at these seconds.
    fn started(known: &mut Known, seconds: &[i64], checks: impl Fn() -> Checks) -> Vec<u128> {
        let runs = seconds.iter().zip(1..).map(|(second, no)| (run(no, checks()), at(*second)));
        let checked = Checked::of(APP, runs.collect(), known);
        checked.started.iter().map(|(run, _)| run.id.as_uuid().as_u128()).collect()
    }

    #[test]
    fn a_window_begins_with_its_first_event() {
        let mut known = known(2);
        assert_eq!(started(&mut known, &[0, 1, 59, 60, 61, 62], rated), [1, 2, 4, 5]);
        let window = known.windows.values().next().expect("it is there");
        assert_eq!((window.until, window.counted, window.skipped), (Some(at(120)), 2, 1));
        assert_eq!(started(&mut known, &[300], rated), [1]);
    }

    #[test]
    fn what_a_limit_of_zero_has_skipped_begins_no_window() {
        let mut known = known(0);
        assert_eq!(started(&mut known, &[0], rated), []);
        for window in known.windows.values_mut() {
            window.allows = Some((1, Duration::from_secs(60)));
        }
        assert_eq!(started(&mut known, &[50, 70, 110], rated), [1, 3]);
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_start_and_none_lets_all() {
        assert_eq!(started(&mut known(0), &[0, 100], rated), []);
        assert_eq!(started(&mut Known::default(), &[0, 0, 0], rated), [1, 2, 3]);
    }

    #[test]
    fn what_one_limit_keeps_out_counts_at_no_other() {
        let mut known = known(1);
        let once = gate("on-order/idempotency");
        let window = Quota { allows: None, until: None, counted: 0, skipped: 0 };
        known.windows.insert(once.id(APP), window);
        let day = Duration::from_secs(86_400);
        let both = || Checks { once: Some((once.clone(), day)), ..rated() };
        assert_eq!(started(&mut known, &[0, 1], both), [1]);
        // The key of the second is known, so the window of its rate is free for another event.
        assert_eq!(started(&mut known, &[61], rated), [1]);
        let skipped = Checked::of(APP, vec![(run(9, both()), at(62))], &mut known).skipped;
        let why = skipped[0].why.to_string();
        assert!(
            why.starts_with("the limit `on-order/idempotency` lets no more events of"),
            "{why}"
        );
    }

    #[test]
    fn one_run_of_a_key_is_kept_or_replaced_as_its_mode_says() {
        let single = |mode| Checks { single: Some((gate("single"), mode)), ..Checks::default() };
        let (holder, waiting) = (Uuid::from_u128(91).into(), Uuid::from_u128(92).into());
        let present = || Known {
            runs: HashMap::from([(
                gate("single").id(APP),
                vec![Present { run: holder, waits: false }, Present { run: waiting, waits: true }],
            )]),
            ..Known::default()
        };
        let two = |mode| {
            let runs = [1, 2].map(|no| (run(no, single(mode)), at(0)));
            Checked::of(APP, runs.into(), &mut present())
        };
        let ids = |checked: &Checked| -> Vec<u128> {
            checked.started.iter().map(|(run, _)| run.id.as_uuid().as_u128()).collect()
        };
        let displaced = |checked: &Checked| -> Vec<(RunId, RunId)> {
            checked.cancelled.iter().map(|gone| (gone.run, gone.by)).collect()
        };
        let (first, second): (RunId, RunId) =
            (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        assert_eq!(two(Single::Skip).skipped.len(), 2);
        let cancel = two(Single::Cancel);
        assert_eq!(ids(&cancel), [1, 2]);
        assert_eq!(displaced(&cancel), [(holder, first), (waiting, first), (first, second)]);
        let latest = two(Single::Latest);
        assert_eq!(ids(&latest), [1, 2]);
        assert_eq!(displaced(&latest), [(waiting, first), (first, second)]);
        // With nobody there the first starts, and keeps the second out.
        let runs = [1, 2].map(|no| (run(no, single(Single::Skip)), at(0)));
        let skip = Checked::of(APP, runs.into(), &mut Known::default());
        assert_eq!((ids(&skip), skip.skipped.len()), (vec![1], 1));
        // One that is started directly ends before it begins.
        let direct = NewRun { event: None, ..run(3, single(Single::Skip)) };
        let direct = Checked::of(APP, vec![(direct, at(0))], &mut present());
        assert_eq!(
            (ids(&direct), displaced(&direct)),
            (vec![3], vec![(Uuid::from_u128(3).into(), holder)])
        );
    }
}
