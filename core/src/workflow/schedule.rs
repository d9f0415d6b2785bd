use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::calendar::{Calendar, Dst};
use super::trigger::{Cause, Trigger};
use super::{Input, TriggerData};
use crate::payload::{EncodeError, Payload, Undecodable};

/// A point in time of a workflow's schedule: the first parameter of a workflow with `cron(..)`.
///
/// ```
/// # extern crate indelible_core as indelible;
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
    /// When the workflow was due by its schedule. The run may start later: `jitter` and catching up change
    /// nothing about this time.
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

/// The schedule of a workflow: `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)`. See [`Dst`] for
/// the days on which the clocks change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("schedule"))]
pub struct Cron {
    expression: &'static str,
    zone: &'static str,
    dst: Dst,
    catch_up: CatchUp,
    jitter: Duration,
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
pub struct Due {
    /// The ticks that are due.
    pub ticks: Vec<Timestamp>,
    /// When the schedule is looked at again.
    pub next: Timestamp,
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
        Self { expression, zone, dst: Dst::Once, catch_up, jitter: Duration::ZERO }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn with_dst(self, dst: Dst) -> Self {
        Self { dst, ..self }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn with_jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The five fields: minute, hour, day of the month, month, day of the week. A sixth before them is the
    /// second. `@daily` is given as the fields that it stands for.
    pub const fn expression(&self) -> &'static str {
        self.expression
    }

    /// The time zone's name in the IANA database.
    pub const fn zone(&self) -> &'static str {
        self.zone
    }

    /// What becomes of ticks while the clocks change.
    pub const fn dst(&self) -> Dst {
        self.dst
    }

    /// What becomes of the ticks that were missed while no worker was running.
    pub const fn catch_up(&self) -> CatchUp {
        self.catch_up
    }

    /// A run starts less than this after its tick. Zero without `jitter`.
    pub const fn jitter(&self) -> Duration {
        self.jitter
    }

    /// The ticks after a time, in order.
    ///
    /// ```
    /// # extern crate indelible_core as indelible;
    /// use indelible::prelude::*;
    ///
    /// /// Closes the books.
    /// #[workflow(cron("0 18 L * *", tz = "Europe/Paris"))]
    /// async fn close_the_books(_tick: Tick) -> Result<(), Failure> { Ok(()) }
    ///
    /// let cron = close_the_books::CONFIG.cron.expect("it has a schedule");
    /// let year = "2027-12-31T23:00:00Z".parse().unwrap();
    /// let ticks: Vec<String> = cron.upcoming(year).map(|tick| tick.to_string()).take(3).collect();
    /// assert_eq!(ticks, ["2028-01-31T17:00:00Z", "2028-02-29T17:00:00Z", "2028-03-31T16:00:00Z"]);
    /// ```
    pub fn upcoming(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let calendar = self.calendar();
        let after = move |time| calendar.as_ref()?.after(time);
        std::iter::successors(after(from), move |tick| after(*tick))
    }

    /// What the store keeps of it: a schedule of another rule begins anew.
    #[doc(hidden)]
    pub fn rule(&self) -> String {
        let Self { expression, zone, .. } = self;
        format!("{expression} {zone}{}", self.options())
    }

    /// What differs from the default of what says when it is due, as it is written.
    #[doc(hidden)]
    pub fn options(&self) -> String {
        let dst = (self.dst != Dst::Once).then(|| format!(", dst {}", self.dst.name()));
        let jitter = (!self.jitter.is_zero()).then(|| format!(", jitter {:?}", self.jitter));
        [dst, jitter].into_iter().flatten().collect()
    }

    /// How long after its ticks a workflow of an app starts: always the same within the jitter, so that all
    /// workers agree and the workflows of many apps are spread.
    #[doc(hidden)]
    pub fn delay(&self, app: &str, workflow: &str) -> SignedDuration {
        let name = format!("{app} {workflow}");
        // The last half of the id is as good as random, but for its two first bits.
        let (_, number) = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_u64_pair();
        let micros = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX).max(1);
        SignedDuration::from_micros(i64::try_from((number << 2) % micros).unwrap_or(i64::MAX))
    }

    /// What a schedule starts `now` that was due at a time, and whose last tick with a run is known; one that
    /// was never looked at waits for its first tick. All times but those of the ticks are `delay` later.
    #[doc(hidden)]
    pub fn due(
        &self,
        due: Option<Timestamp>,
        last: Option<Timestamp>,
        now: Timestamp,
        delay: SignedDuration,
    ) -> Due {
        let earlier = |time: Timestamp| time.checked_sub(delay).unwrap_or(time);
        let Due { ticks, next } = self.due_at_once(due.map(earlier), last, earlier(now));
        Due { ticks, next: next.checked_add(delay).unwrap_or(next) }
    }

    /// After which time its ticks are still to come.
    #[doc(hidden)]
    pub fn since(last: Option<Timestamp>, now: Timestamp, delay: SignedDuration) -> Timestamp {
        let now = now.checked_sub(delay).unwrap_or(now);
        // Where the clock was set back, the last tick is still to come, and is not due again.
        last.map_or(now, |last| last.max(now))
    }

    fn due_at_once(&self, due: Option<Timestamp>, last: Option<Timestamp>, now: Timestamp) -> Due {
        // `None` never: both were checked when the program was compiled.
        let calendar = self.calendar();
        let after = |time: Timestamp| {
            let next = calendar.as_ref().and_then(|calendar| calendar.after(time));
            next.unwrap_or_else(|| time.saturating_add(YEAR).unwrap_or(Timestamp::MAX))
        };
        let Some(due) = due.filter(|due| *due <= now) else {
            let since = Self::since(last, now, SignedDuration::ZERO);
            return Due { ticks: Vec::new(), next: after(since) };
        };
        let next = after(now);
        let last = || calendar.as_ref().map_or(due, |calendar| calendar.last(due, now));
        match self.catch_up {
            CatchUp::All => {
                let from = std::iter::successors(Some(due), |tick| Some(after(*tick)));
                let mut ticks: Vec<_> =
                    from.take_while(|tick| *tick <= now).take(MOST + 1).collect();
                let next = if ticks.len() > MOST { ticks.pop().unwrap_or(next) } else { next };
                Due { ticks, next }
            }
            CatchUp::One => Due { ticks: vec![last()], next },
            CatchUp::None => {
                let last = last();
                let is_fresh = now.duration_since(last) <= FRESH;
                Due { ticks: is_fresh.then_some(last).into_iter().collect(), next }
            }
        }
    }

    fn calendar(&self) -> Option<Calendar> {
        Calendar::new(self.expression, self.zone, self.dst)
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

    /// Without a delay.
    fn due(cron: &Cron, due: Option<Timestamp>, last: Option<Timestamp>, now: Timestamp) -> Due {
        cron.due(due, last, now, SignedDuration::ZERO)
    }

    #[test]
    fn missed_ticks_are_caught_up_with_as_told() {
        let (first, now) = (time("2026-01-01T08:00:00Z"), time("2026-01-03T12:00:00Z"));
        let ticks = |catch_up| {
            let due = due(&cron("0 9 * * *", catch_up), Some(first), None, now);
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
            let now = time("2026-01-01T08:00:30Z");
            let due = due(&cron("0 9 * * *", catch_up), Some(first), None, now);
            assert_eq!(due.ticks, [first]);
        }
    }

    #[test]
    fn many_missed_ticks_are_caught_up_with_in_parts() {
        let every_minute = cron("* * * * *", CatchUp::All);
        let now = time("2026-01-01T03:00:00Z");
        let mut next = time("2026-01-01T00:00:00Z");
        let mut ticks = Vec::new();
        while next <= now {
            let due = due(&every_minute, Some(next), None, now);
            assert!(due.ticks.len() <= MOST);
            ticks.extend(due.ticks);
            next = due.next;
        }
        assert_eq!(ticks.len(), 181);
        assert!(ticks.is_sorted());
    }

    #[test]
    fn a_new_schedule_waits_for_its_first_tick() {
        let now = time("2026-01-01T12:00:00Z");
        let waits = due(&cron("0 9 * * *", CatchUp::All), None, None, now);
        assert_eq!(waits, Due { ticks: Vec::new(), next: time("2026-01-02T08:00:00Z") });
    }

    #[test]
    fn a_tick_is_not_due_again_when_the_clock_is_set_back() {
        let (last, now) = (time("2026-01-02T08:00:00Z"), time("2026-01-01T12:00:00Z"));
        let waits = due(&cron("0 9 * * *", CatchUp::All), None, Some(last), now);
        assert_eq!(waits, Due { ticks: Vec::new(), next: time("2026-01-03T08:00:00Z") });
    }

    #[test]
    fn jitter_delays_each_start_alike_and_changes_no_tick() {
        let cron = cron("0 9 * * *", CatchUp::All).with_jitter(Duration::from_secs(3600));
        let delay = cron.delay("shop", "report");
        assert_eq!(delay, SignedDuration::from_micros(2_217_793_912));
        let first = time("2026-01-01T08:00:00Z");
        let day = SignedDuration::from_hours(24);
        let waits = cron.due(None, None, first - day, delay);
        assert_eq!(waits, Due { ticks: Vec::new(), next: first + delay - day });
        let early = cron.due(Some(first + delay), None, first + delay - day / 2, delay);
        assert_eq!(early, Due { ticks: Vec::new(), next: first + delay });
        let late = cron.due(Some(first + delay), None, first + delay + day, delay);
        assert_eq!(late, Due { ticks: vec![first, first + day], next: first + delay + day * 2 });
    }

    #[test]
    fn jitter_spreads_workflows_and_apps_over_its_length() {
        let jitter = Duration::from_secs(30);
        let cron = cron("* * * * *", CatchUp::One).with_jitter(jitter);
        let delays = (0..1000).map(|n| match n % 2 {
            0 => cron.delay("shop", &format!("report-{n}")),
            _ => cron.delay(&format!("shop-{n}"), "report"),
        });
        let mut thirds = [0; 3];
        for delay in delays {
            assert!(!delay.is_negative() && delay.unsigned_abs() < jitter, "{delay:?}");
            thirds[usize::try_from(delay.as_secs() / 10).expect("it is positive")] += 1;
        }
        assert!(thirds.iter().all(|third| (270..400).contains(third)), "{thirds:?}");
        let without = super::tests::cron("* * * * *", CatchUp::One).delay("shop", "report");
        assert_eq!(without, SignedDuration::ZERO);
    }

    #[test]
    fn what_changes_when_it_is_due_changes_its_rule() {
        let plain = cron("0 9 * * *", CatchUp::One);
        assert_eq!(plain.rule(), "0 9 * * * Europe/Paris");
        assert_eq!(plain.rule(), cron("0 9 * * *", CatchUp::All).rule());
        let other = plain.with_dst(Dst::Skip).with_jitter(Duration::from_secs(90));
        assert_eq!(other.rule(), "0 9 * * * Europe/Paris, dst skip, jitter 90s");
    }
}
