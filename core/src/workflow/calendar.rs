use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneTransition};

/// How many hours a day has on a clock.
const HOURS: usize = 24;

/// What becomes of the ticks that fall into a change of daylight saving time: the clock skips some times of
/// day and shows others twice.
///
/// A schedule that is due in each of the 24 hours needs no such rule. It ticks whenever the clock shows a
/// time of its expression, so it goes on in both of two equal hours, and skips no more than the clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("daylight saving", "summer time"))]
pub enum Dst {
    /// Once a day, whatever the clock does. Ticks at times that do not exist become one tick, at the next
    /// time that does exist. A time that comes twice is due the first time.
    Once,
    /// A tick at a time that does not exist is left out. A time that comes twice is due the first time.
    Skip,
    /// A time that comes twice is due both times. Ticks at times that do not exist become one tick, at the
    /// next time that does exist.
    Both,
}

impl Dst {
    /// As it is written in `cron(.., dst = skip)`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Skip => "skip",
            Self::Both => "both",
        }
    }
}

/// The ticks of a cron expression on the clock of a place.
///
/// The expression is asked in local time alone, where every day has 24 hours. What becomes of the hours that a
/// change of the clock skips or repeats is decided here: between two changes, local time and time go alike.
pub(super) struct Calendar {
    pattern: croner::Cron,
    zone: TimeZone,
    skips: bool,
    repeats: bool,
}

impl Calendar {
    /// `None` if the expression or the zone's name means nothing.
    pub(super) fn new(expression: &str, zone: &str, dst: Dst) -> Option<Self> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed);
        let pattern = parser.build().parse(expression).ok()?;
        let zone = TimeZone::get(zone).ok()?;
        // What is due in each hour goes by the hours that pass.
        let hourly = pattern.pattern.hours.values().len() == HOURS;
        let (skips, repeats) = (hourly || dst == Dst::Skip, hourly || dst == Dst::Both);
        Some(Self { pattern, zone, skips, repeats })
    }

    /// The first tick after a time.
    pub(super) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (time, false);
        loop {
            let offset = self.zone.to_offset(from);
            let change = self.zone.following(from).find(|change| change.offset() != offset);
            let end = change.as_ref().map_or(Timestamp::MAX, TimeZoneTransition::timestamp);
            let mut shown = offset.to_datetime(from);
            loop {
                shown = self.pattern.find_next_occurrence(&shown, inclusive).ok()?;
                inclusive = false;
                let tick = offset.to_timestamp(shown).ok()?;
                if tick >= end {
                    break;
                }
                if self.repeats || !self.is_second(tick, offset) {
                    return Some(tick);
                }
            }
            let change = change?;
            if !self.skips && self.is_due_between(&change, offset) {
                return Some(end);
            }
            (from, inclusive) = (end, true);
        }
    }

    /// The last tick up to `now`, of which one is known.
    pub(super) fn last(&self, known: Timestamp, now: Timestamp) -> Timestamp {
        // There is no tick after `end` up to now.
        let (mut last, mut end) = (known, now);
        while last < end {
            let middle = i64::midpoint(last.as_second(), end.as_second());
            let middle = Timestamp::from_second(middle).unwrap_or(last);
            match self.after(middle) {
                Some(tick) if tick <= now => last = tick,
                _ => end = middle,
            }
        }
        last
    }

    /// Whether the clock has shown this time before.
    fn is_second(&self, tick: Timestamp, offset: Offset) -> bool {
        let shown = self.zone.to_ambiguous_timestamp(offset.to_datetime(tick));
        matches!(shown.offset(), AmbiguousOffset::Fold { before, .. } if before != offset)
    }

    /// Whether a tick is among the times that the clock skips at a change.
    fn is_due_between(&self, change: &TimeZoneTransition<'_>, before: Offset) -> bool {
        let skipped = before.to_datetime(change.timestamp());
        let until = change.offset().to_datetime(change.timestamp());
        let next = self.pattern.find_next_occurrence(&skipped, true);
        next.is_ok_and(|next| next < until)
    }
}

#[cfg(test)]
mod tests {
    use std::iter::successors;

    use super::*;

    fn calendar(expression: &str, zone: &str, dst: Dst) -> Calendar {
        Calendar::new(expression, zone, dst).expect("the expression and the zone are good")
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("it is a time")
    }

    /// The ticks after a time, up to another, as the clock of the place shows them.
    fn ticks(calendar: &Calendar, [from, until]: [&str; 2]) -> Vec<String> {
        let until = time(until);
        let ticks = successors(calendar.after(time(from)), |tick| calendar.after(*tick));
        let ticks: Vec<_> = ticks.take_while(|tick| *tick <= until).collect();
        assert_eq!(calendar.last(time(from), until), ticks.last().copied().unwrap_or(time(from)));
        let zone = &calendar.zone;
        let shown =
            |tick: Timestamp| tick.to_zoned(zone.clone()).strftime("%m-%d %H:%M%:z").to_string();
        ticks.into_iter().map(shown).collect()
    }

    #[test]
    fn times_of_day_are_those_of_the_zone() {
        let workdays = calendar("0 9 * * 1-5", "Europe/Paris", Dst::Once);
        let next = |time: &str| workdays.after(time.parse().expect("it is a time"));
        assert_eq!(next("2026-01-02T09:00:00Z"), Some(time("2026-01-05T08:00:00Z")));
        assert_eq!(next("2026-07-01T00:00:00Z"), Some(time("2026-07-01T07:00:00Z")));
    }

    const PARIS: &str = "Europe/Paris";
    const NEW_YORK: &str = "America/New_York";
    const LORD_HOWE: &str = "Australia/Lord_Howe";
    const APIA: &str = "Pacific/Apia";

    /// At 02:00 the clock of Paris shows 03:00.
    const PARIS_SPRING: [&str; 2] = ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"];
    /// At 03:00 it shows 02:00.
    const PARIS_AUTUMN: [&str; 2] = ["2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"];
    /// At 02:00 the clock of New York shows 03:00.
    const NEW_YORK_SPRING: [&str; 2] = ["2026-03-07T18:00:00Z", "2026-03-08T18:00:00Z"];
    /// At 02:00 it shows 01:00.
    const NEW_YORK_AUTUMN: [&str; 2] = ["2026-10-31T18:00:00Z", "2026-11-01T18:00:00Z"];
    /// At 02:00 the clock of Lord Howe shows 02:30.
    const LORD_HOWE_SPRING: [&str; 2] = ["2026-10-03T03:00:00Z", "2026-10-04T03:00:00Z"];
    /// At 02:00 it shows 01:30.
    const LORD_HOWE_AUTUMN: [&str; 2] = ["2026-04-04T03:00:00Z", "2026-04-05T03:00:00Z"];
    /// The clock of Apia has skipped the 30th.
    const APIA_JUMP: [&str; 2] = ["2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z"];

    #[test]
    fn a_change_of_the_clock_does_what_the_policy_says() {
        use Dst::{Both, Once, Skip};
        for (expression, zone, dst, between, expected) in [
            // A time that does not exist.
            ("30 2 * * *", PARIS, Once, PARIS_SPRING, &["03-29 03:00+02:00"][..]),
            ("30 2 * * *", PARIS, Both, PARIS_SPRING, &["03-29 03:00+02:00"]),
            ("30 2 * * *", PARIS, Skip, PARIS_SPRING, &[]),
            ("0 2 * * *", PARIS, Once, PARIS_SPRING, &["03-29 03:00+02:00"]),
            ("0 3 * * *", PARIS, Skip, PARIS_SPRING, &["03-29 03:00+02:00"]),
            ("30 2 * * *", NEW_YORK, Once, NEW_YORK_SPRING, &["03-08 03:00-04:00"]),
            ("15 2 * * *", LORD_HOWE, Once, LORD_HOWE_SPRING, &["10-04 02:30+11:00"]),
            ("15 2 * * *", LORD_HOWE, Skip, LORD_HOWE_SPRING, &[]),
            ("45 2 * * *", LORD_HOWE, Once, LORD_HOWE_SPRING, &["10-04 02:45+11:00"]),
            // Several of them, and one that exists: one tick.
            (
                "*/20 2-3 * * *",
                PARIS,
                Once,
                PARIS_SPRING,
                &["03-29 03:00+02:00", "03-29 03:20+02:00", "03-29 03:40+02:00"],
            ),
            (
                "30 2,14 * * *",
                PARIS,
                Once,
                PARIS_SPRING,
                &["03-28 14:30+01:00", "03-29 03:00+02:00"],
            ),
            // A time that comes twice.
            ("30 2 * * *", PARIS, Once, PARIS_AUTUMN, &["10-25 02:30+02:00"]),
            ("30 2 * * *", PARIS, Skip, PARIS_AUTUMN, &["10-25 02:30+02:00"]),
            ("30 2 * * *", PARIS, Both, PARIS_AUTUMN, &["10-25 02:30+02:00", "10-25 02:30+01:00"]),
            ("0 2 * * *", PARIS, Both, PARIS_AUTUMN, &["10-25 02:00+02:00", "10-25 02:00+01:00"]),
            ("0 3 * * *", PARIS, Once, PARIS_AUTUMN, &["10-25 03:00+01:00"]),
            ("30 1 * * *", NEW_YORK, Once, NEW_YORK_AUTUMN, &["11-01 01:30-04:00"]),
            ("45 1 * * *", LORD_HOWE, Once, LORD_HOWE_AUTUMN, &["04-05 01:45+11:00"]),
            (
                "45 1 * * *",
                LORD_HOWE,
                Both,
                LORD_HOWE_AUTUMN,
                &["04-05 01:45+11:00", "04-05 01:45+10:30"],
            ),
            ("15 1 * * *", LORD_HOWE, Both, LORD_HOWE_AUTUMN, &["04-05 01:15+11:00"]),
            (
                "*/30 1-3 * * *",
                PARIS,
                Once,
                PARIS_AUTUMN,
                &[
                    "10-25 01:00+02:00",
                    "10-25 01:30+02:00",
                    "10-25 02:00+02:00",
                    "10-25 02:30+02:00",
                    "10-25 03:00+01:00",
                    "10-25 03:30+01:00",
                ],
            ),
            // A day that does not exist, and its neighbours.
            ("0 9 30 12 *", APIA, Once, APIA_JUMP, &["12-31 00:00+14:00"]),
            ("0 9 30 12 *", APIA, Skip, APIA_JUMP, &[]),
            (
                "0 9 * * *",
                APIA,
                Once,
                APIA_JUMP,
                &[
                    "12-29 09:00-10:00",
                    "12-31 00:00+14:00",
                    "12-31 09:00+14:00",
                    "01-01 09:00+14:00",
                ],
            ),
            (
                "0 9 * * *",
                APIA,
                Skip,
                APIA_JUMP,
                &["12-29 09:00-10:00", "12-31 09:00+14:00", "01-01 09:00+14:00"],
            ),
        ] {
            let found = ticks(&calendar(expression, zone, dst), between);
            assert_eq!(found, expected, "{expression} in {zone}, {dst:?}, from {}", between[0]);
        }
    }

    #[test]
    fn what_is_due_each_hour_goes_by_the_hours_that_pass() {
        let hour = |calendar: &Calendar, between| {
            let ticks = ticks(calendar, between);
            ticks.into_iter().map(|tick| tick[6..].to_owned()).collect::<Vec<_>>()
        };
        for (expression, zone, between, length, expected) in [
            ("30 * * * *", PARIS, PARIS_SPRING, 24, ["01:30+01:00", "03:30+02:00"]),
            ("30 * * * *", PARIS, PARIS_AUTUMN, 24, ["02:30+02:00", "02:30+01:00"]),
            ("0 * * * *", NEW_YORK, NEW_YORK_AUTUMN, 24, ["01:00-04:00", "01:00-05:00"]),
            ("*/15 * * * *", PARIS, PARIS_AUTUMN, 96, ["02:45+02:00", "02:00+01:00"]),
            ("*/15 0-23 * * *", PARIS, PARIS_SPRING, 96, ["01:45+01:00", "03:00+02:00"]),
            ("*/10 * * * *", LORD_HOWE, LORD_HOWE_SPRING, 144, ["01:50+10:30", "02:30+11:00"]),
            ("*/10 * * * *", LORD_HOWE, LORD_HOWE_AUTUMN, 144, ["01:50+11:00", "01:30+10:30"]),
            ("0 * * * *", APIA, APIA_JUMP, 72, ["23:00-10:00", "00:00+14:00"]),
        ] {
            let found = hour(&calendar(expression, zone, Dst::Once), between);
            assert_eq!(found.len(), length, "{expression} in {zone}");
            let follows = found.windows(2).any(|pair| pair == expected);
            assert!(follows, "{expression} in {zone}: {found:?}");
        }
    }

    #[test]
    fn seconds_go_on_through_a_change() {
        let calendar = calendar("*/20 59 1,2 * * *", PARIS, Dst::Both);
        let between = ["2026-10-25T00:58:59.5Z", "2026-10-25T02:00:00Z"];
        assert_eq!(ticks(&calendar, between).len(), 6);
        assert_eq!(
            calendar.after(time("2026-10-25T00:59:19.999999Z")),
            Some(time("2026-10-25T00:59:20Z"))
        );
    }

    #[test]
    fn days_that_few_months_have_come_when_they_do() {
        let years = ["2023-12-31T23:59:59Z", "2032-12-31T00:00:00Z"];
        let leap = ["02-29 00:00+00:00"; 3];
        assert_eq!(ticks(&calendar("0 0 29 2 *", "UTC", Dst::Once), years), leap);
        let year = ["2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"];
        let long = ["01", "03", "05", "07", "08", "10", "12"]
            .map(|month| format!("{month}-31 06:00+00:00"));
        assert_eq!(ticks(&calendar("0 6 31 * *", "UTC", Dst::Once), year), long);
        let ends = ticks(
            &calendar("0 6 L * *", "UTC", Dst::Once),
            ["2027-12-31T23:59:59Z", "2028-06-30T23:59:59Z"],
        );
        let last = ["01-31", "02-29", "03-31", "04-30", "05-31", "06-30"]
            .map(|day| format!("{day} 06:00+00:00"));
        assert_eq!(ends, last);
        let never = calendar("0 0 30 2 *", "UTC", Dst::Once);
        assert_eq!(never.after(time("2026-01-01T00:00:00Z")), None);
    }

    /// Each day has one tick, whatever the clock does.
    #[test]
    fn each_day_of_ten_years_has_its_tick() {
        for zone in [PARIS, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "UTC"] {
            for expression in ["30 2 * * *", "0 0 * * *", "59 1 * * *"] {
                let calendar = calendar(expression, zone, Dst::Once);
                let first = calendar.after(time("2026-01-01T12:00:00Z"));
                let ticks = successors(first, |tick| calendar.after(*tick));
                let days = ticks.map(|tick| tick.to_zoned(calendar.zone.clone()).date());
                let mut day = days.take(3_653);
                let first = day.next().expect("there is a first");
                for (date, expected) in day.zip(first.series(jiff::Span::new().days(1)).skip(1)) {
                    assert_eq!(date, expected, "{expression} in {zone}");
                }
            }
        }
    }
}
