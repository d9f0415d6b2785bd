use std::time::Duration;

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::trigger::{Cause, Trigger};
use super::{Input, TriggerData};
use crate::payload::{EncodeError, Payload, Undecodable};

/// A point in time of a workflow's schedule: the first parameter of a workflow with `cron(..)`.
///
/// ```
/// use indelible::prelude::*;
///
/// # async fn report(day: jiff::civil::Date) -> Result<(), Failure> { Ok(()) }
/// /// Sends the report of the day before.
/// #[workflow(cron("0 9 * * 1-5", tz = "Europe/Paris"))]
/// async fn daily_report(tick: Tick, step: Step) -> Result<(), Failure> {
///     let day = tick.scheduled_at.to_zoned(jiff::tz::TimeZone::UTC).date();
///     step.run("report", report(day)).await?;
///     Ok(())
/// }
///
/// assert_eq!(daily_report::CONFIG.cron.map(|cron| cron.zone()), Some("Europe/Paris"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tick {
    /// When the workflow was due by its schedule. The run may start later.
    pub scheduled_at: Timestamp,
    /// The last tick before this one that started a run; `None` for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Timestamp>,
}

impl Tick {
    /// Makes a tick by hand, to start a workflow outside of its schedule.
    pub const fn at(scheduled_at: Timestamp) -> Self {
        Self { scheduled_at, previous: None }
    }

    /// As it is stored.
    pub(crate) fn to_json(self) -> String {
        serde_json::to_string(&self).expect("two times have a form in JSON")
    }
}

#[diagnostic::do_not_recommend]
impl Cause for Tick {
    const TRIGGER: Trigger = Trigger::Tick;

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        data.data.decode()
    }

    fn encode(&self, limit: usize) -> Result<Payload, EncodeError> {
        Payload::encode(self, limit)
    }
}

#[diagnostic::do_not_recommend]
impl Input for Tick {
    type Start = Self;
    const TRIGGERS: &'static [Trigger] = &[Self::TRIGGER];
    type Subject = Self;

    fn subject(&self) -> &Self {
        self
    }

    fn decode(data: &TriggerData) -> Result<Self, Undecodable> {
        Cause::decode(data)
    }

    fn encode(start: &Self, limit: usize) -> Result<Payload, EncodeError> {
        Cause::encode(start, limit)
    }
}

/// The schedule of a workflow: `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)`.
///
/// When clocks are put forward, a time of day that does not exist on that day is due as soon as it has
/// passed. When clocks are put back, a time of day that comes twice is due once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("schedule"))]
pub struct Cron {
    expression: &'static str,
    zone: &'static str,
    catch_up: CatchUp,
}

/// What becomes of the ticks that were missed while no worker was running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// One run starts, for the last missed tick.
    One,
    /// A run starts for each missed tick, in order.
    All,
    /// No run starts: a tick that is more than a minute old is skipped.
    None,
}

impl CatchUp {
    /// As it is written in `cron(.., catch_up = one)`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// What becomes due at once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) ticks: Vec<Timestamp>,
    /// When the schedule is looked at again.
    pub(crate) next: Timestamp,
}

/// How old a tick may be that is not caught up with.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// When a schedule is looked at again that has nothing to come.
const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// How many runs are started in one commit.
const MOST: usize = 100;

impl Cron {
    /// `#[workflow]` has checked the expression and the zone's name.
    #[doc(hidden)]
    pub const fn new(expression: &'static str, zone: &'static str, catch_up: CatchUp) -> Self {
        Self { expression, zone, catch_up }
    }

    /// The five fields: minute, hour, day of the month, month, day of the week.
    pub const fn expression(&self) -> &'static str {
        self.expression
    }

    /// The time zone's name in the IANA database.
    pub const fn zone(&self) -> &'static str {
        self.zone
    }

    /// What becomes of the ticks that were missed while no worker was running.
    pub const fn catch_up(&self) -> CatchUp {
        self.catch_up
    }

    /// What the store keeps of it: a schedule of another rule begins anew.
    pub(crate) fn rule(&self) -> String {
        format!("{} {}", self.expression, self.zone)
    }

    /// What a schedule starts `now` that was due at a time; one that was never looked at waits for its
    /// first tick.
    pub(crate) fn due(&self, due: Option<Timestamp>, now: Timestamp) -> Due {
        let next = self.after(now);
        let Some(due) = due.filter(|due| *due <= now) else {
            return Due { ticks: Vec::new(), next };
        };
        match self.catch_up {
            CatchUp::All => {
                let from = std::iter::successors(Some(due), |tick| Some(self.after(*tick)));
                let mut ticks: Vec<_> =
                    from.take_while(|tick| *tick <= now).take(MOST + 1).collect();
                let next = if ticks.len() > MOST { ticks.pop().unwrap_or(next) } else { next };
                Due { ticks, next }
            }
            CatchUp::One => Due { ticks: vec![self.last(due, now)], next },
            CatchUp::None => {
                let last = self.last(due, now);
                let is_fresh = now.duration_since(last) <= FRESH;
                Due { ticks: is_fresh.then_some(last).into_iter().collect(), next }
            }
        }
    }

    /// The first tick after a time.
    fn after(&self, time: Timestamp) -> Timestamp {
        let next = self
            .parsed()
            .and_then(|(cron, zone)| cron.find_next_occurrence(&time.to_zoned(zone), false).ok());
        let later = || time.saturating_add(YEAR).unwrap_or(Timestamp::MAX);
        next.map_or_else(later, |next| next.timestamp())
    }

    /// The last tick up to now, of which one is known.
    fn last(&self, known: Timestamp, now: Timestamp) -> Timestamp {
        let last = self
            .parsed()
            .and_then(|(cron, zone)| cron.find_previous_occurrence(&now.to_zoned(zone), true).ok());
        last.map_or(known, |last| last.timestamp().max(known))
    }

    /// `None` never: both were checked when the program was compiled.
    fn parsed(&self) -> Option<(croner::Cron, TimeZone)> {
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let zone = TimeZone::get(self.zone).ok()?;
        Some((parser.parse(self.expression).ok()?, zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    fn cron(expression: &'static str, catch_up: CatchUp) -> Cron {
        Cron::new(expression, "Europe/Paris", catch_up)
    }

    fn next(expression: &'static str, after: &str) -> String {
        cron(expression, CatchUp::One).after(time(after)).to_string()
    }

    #[test]
    fn times_of_day_are_those_of_the_zone() {
        assert_eq!(next("0 9 * * 1-5", "2026-01-02T09:00:00Z"), "2026-01-05T08:00:00Z");
        assert_eq!(next("0 9 * * 1-5", "2026-07-01T00:00:00Z"), "2026-07-01T07:00:00Z");
    }

    #[test]
    fn a_time_that_a_day_does_not_have_is_due_when_it_has_passed() {
        // At 02:00 the clocks show 03:00.
        assert_eq!(next("30 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
        assert_eq!(next("30 2 * * *", "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
    }

    #[test]
    fn a_time_that_a_day_has_twice_is_due_once() {
        // At 03:00 the clocks show 02:00.
        assert_eq!(next("30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
        // What is due each hour is due in both.
        assert_eq!(next("30 * * * *", "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn missed_ticks_are_caught_up_with_as_told() {
        let (first, now) = (time("2026-01-01T08:00:00Z"), time("2026-01-03T12:00:00Z"));
        let ticks = |catch_up| {
            let due = cron("0 9 * * *", catch_up).due(Some(first), now);
            assert_eq!(due.next, time("2026-01-04T08:00:00Z"));
            due.ticks
        };
        let days = ["2026-01-01T08:00:00Z", "2026-01-02T08:00:00Z", "2026-01-03T08:00:00Z"];
        assert_eq!(ticks(CatchUp::All), days.map(time));
        assert_eq!(ticks(CatchUp::One), [time(days[2])]);
        assert_eq!(ticks(CatchUp::None), []);
    }

    #[test]
    fn a_tick_in_time_starts_a_run_in_any_case() {
        let first = time("2026-01-01T08:00:00Z");
        for catch_up in [CatchUp::All, CatchUp::One, CatchUp::None] {
            let due = cron("0 9 * * *", catch_up).due(Some(first), time("2026-01-01T08:00:30Z"));
            assert_eq!(due.ticks, [first]);
        }
    }

    #[test]
    fn many_missed_ticks_are_caught_up_with_in_parts() {
        let every_minute = cron("* * * * *", CatchUp::All);
        let now = time("2026-01-01T03:00:00Z");
        let mut due = Due { ticks: Vec::new(), next: time("2026-01-01T00:00:00Z") };
        let mut ticks = Vec::new();
        while due.next <= now {
            due = every_minute.due(Some(due.next), now);
            assert!(due.ticks.len() <= MOST);
            ticks.extend(due.ticks);
        }
        assert_eq!(ticks.len(), 181);
        assert!(ticks.is_sorted());
    }

    #[test]
    fn a_new_schedule_waits_for_its_first_tick() {
        let due = cron("0 9 * * *", CatchUp::All).due(None, time("2026-01-01T12:00:00Z"));
        assert_eq!(due, Due { ticks: Vec::new(), next: time("2026-01-02T08:00:00Z") });
    }
}
