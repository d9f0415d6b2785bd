use std::time::Duration;

use syn::LitStr;

use super::dates::Dates;
use super::field::Field;
use super::suggestion::did_you_mean;
use crate::problem::Problem;

const DAY_SECONDS: u32 = 24 * 60 * 60;

const SECOND: Field = Field { name: "second", least: 0, most: 59, names: &[] };
const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };

/// What nicknames stand for.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// When a schedule is due.
pub(crate) struct Schedule {
    /// The expression's five or six fields; a nickname is what it stands for.
    pub(crate) fields: String,
    seconds: Vec<u8>,
    minutes: Vec<u8>,
    hours: Vec<u8>,
    /// From a day on which it is due to the next, in days.
    shortest_days: u32,
}

/// Reads a cron expression of five or six fields, or a nickname: `0 9 * * 1-5`, `@daily`.
pub(crate) fn parse_cron(literal: &LitStr) -> Result<Schedule, Problem> {
    let text = literal.value();
    if text.trim().eq_ignore_ascii_case("@reboot") {
        return Err(Problem::at(literal, "`@reboot` is no point in time")
            .note("an app has many workers, which start and stop at any time, so the app has no one start")
            .help("start a run where the program starts: `runtime.start(workflow, input).await?`"));
    }
    read(&text).map_err(|flaw| {
        let problem = Problem::at(literal, format!("`{text}` is not a cron expression: {flaw}"));
        if text.trim_start().starts_with('@') {
            return problem.help(did_you_mean(text.trim(), &NICKNAMES.map(|(name, _)| name)));
        }
        problem
            .note(
                "it has five fields: minute, hour, day of the month, month, day of the week, and may \
                 have the second before them; each is `*`, or numbers, ranges and steps with commas \
                 between: `0,30`, `1-5`, `*/15`; `L` is the last day of the month, `FRI#2` its second \
                 Friday, `FRIL` its last",
            )
            .help("\"0 9 * * 1-5\" is nine o'clock from Monday to Friday")
    })
}

fn read(text: &str) -> Result<Schedule, String> {
    let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
    let text = match known {
        Some((_, fields)) => fields,
        None if text.trim_start().starts_with('@') => {
            return Err("there is no such nickname".to_owned());
        }
        None => text,
    };
    let fields: Vec<&str> = text.split_whitespace().collect();
    let (second, [minute, hour, day, month, weekday]) = match fields[..] {
        [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => {
            (second, [minute, hour, day, month, weekday])
        }
        _ => return Err(format!("it has {} fields", fields.len())),
    };
    let (seconds, minutes) = (SECOND.values(second)?, MINUTE.values(minute)?);
    let hours = HOUR.values(hour)?;
    let dates = Dates::read(day, month, weekday)?;
    let shortest_days =
        dates.shortest_interval().ok_or("no month of these has such a day, so it is never due")?;
    Ok(Schedule { fields: fields.join(" "), seconds, minutes, hours, shortest_days })
}

impl Schedule {
    /// Whether it is due in every hour of a day.
    pub(crate) fn is_hourly(&self) -> bool {
        self.hours.len() == 24
    }

    /// The shortest time between two of its ticks, but for a change of the clock.
    pub(crate) fn shortest_interval(&self) -> Duration {
        let times: Vec<u32> = self.times().collect();
        let within = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        let around = times.last().zip(times.first()).map(|(last, first)| {
            u64::from(self.shortest_days) * u64::from(DAY_SECONDS) - u64::from(last - first)
        });
        let shortest = within.map(u64::from).into_iter().chain(around).min();
        Duration::from_secs(shortest.unwrap_or_default())
    }

    /// The times of day at which it is due, in seconds since midnight.
    fn times(&self) -> impl Iterator<Item = u32> {
        self.hours.iter().flat_map(move |hour| {
            self.minutes.iter().flat_map(move |minute| {
                self.seconds.iter().map(move |second| {
                    (u32::from(*hour) * 60 + u32::from(*minute)) * 60 + u32::from(*second)
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds, Year};
    use jiff::civil::DateTime;

    use super::*;

    /// What a field may hold.
    const GOOD: [&[&str]; 6] = [
        &["*", "0", "59", "*/15", "0,30", "1-5", "10-50/20", "5,5,4", "00"],
        &["*", "0", "59", "*/15", "0,30", "1-5", "10-50/20", "*/59", "1,2-4,*/30"],
        &["*", "0", "23", "*/6", "8-18", "0-23", "8-18/3", "0,12", "*/23"],
        &["*", "1", "31", "*/2", "L", "l", "1,15,L", "30-31", "1-7/3"],
        &["*", "1", "12", "*/3", "jan-MAR", "FEB", "2", "JAN,JUL", "*/12"],
        &[
            "*",
            "0",
            "7",
            "0,7",
            "*/2",
            "1-5",
            "MON-FRI",
            "sat-sun",
            "SUN-MON",
            "FRI#2",
            "0#5",
            "7#1",
            "5L",
            "friL",
            "SUNL",
            "MON#1,FRIL,3",
            "1-7/3",
            "*/7",
        ],
    ];

    /// What no field may hold, for us and for the library.
    const BAD: &[&str] = &[
        "x", "60", "-1", "1-", "1+", "1-2-3", "1/2/3", "5/10", "*/0", "*/x", "/5", "30-10", "**",
        "1.5", "1 -2", "#2", "1#", "1#6", "1#0", "L-3", "MONDAY", "TUESDAY", "H", "@", "99999",
        "*-5", "1-*",
    ];

    /// What the library reads too, and means nothing to others: a slip of the hand more often than not.
    const LAX: &[&str] = &[
        "0 0 1, * *",
        "0 ,0 1 * *",
        "0 0 ? * MON",
        "0 0 15W * *",
        "0 0 LW * *",
        "0 0 1 * +MON",
        "MON 0 * * *",
        "0 0 JAN * *",
        "0 0 1 MON *",
        "0 0 * * 1-5#2",
        "0 0 * * FRI#L",
        "*/60 * * * *",
        "0 0 30 2 *",
        "0 0 * * L",
        "0 0 31 4,6,9,11 *",
    ];

    fn library(text: &str) -> Result<croner::Cron, String> {
        let parser =
            CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        parser.parse(text).map_err(|error| error.to_string())
    }

    fn with(field: usize, text: &str) -> String {
        let mut fields = ["0", "*", "*", "*", "*", "*"];
        fields[field] = text;
        fields.join(" ")
    }

    /// Both read it, and as the same.
    fn assert_read(text: &str) {
        let here = read(text).unwrap_or_else(|flaw| panic!("{text}: {flaw}"));
        let there = library(&here.fields).unwrap_or_else(|flaw| panic!("{text}: {flaw}"));
        let values = [&there.pattern.seconds, &there.pattern.minutes, &there.pattern.hours];
        let values = values.map(|field| field.values());
        let own = [&here.seconds, &here.minutes, &here.hours]
            .map(|values| values.iter().copied().map(u16::from).collect::<Vec<_>>());
        assert_eq!(own, values, "{text}");
    }

    #[test]
    fn the_runtime_reads_what_is_accepted_and_nothing_else() {
        for (field, good) in GOOD.iter().enumerate() {
            for text in *good {
                assert_read(&with(field, text));
            }
            let values = (0..70).map(|value| value.to_string());
            let forms = ["{}", "1-{}", "{}-20", "{},1", "*/{}", "1-5/{}", "{}#2", "{}L"];
            let swept = values.flat_map(|value| forms.map(|form| form.replace("{}", &value)));
            let bad = BAD.iter().map(ToString::to_string);
            for text in swept.chain(bad) {
                let text = with(field, &text);
                let (here, there) = (read(&text), library(&text));
                // A step beyond the end of a field is one value, written as many.
                let excused = matches!(&here, Err(flaw) if flaw.contains("step"));
                let message =
                    format!("{text}: {:?}, {:?}", here.as_ref().err(), there.as_ref().err());
                assert!(here.is_ok() == there.is_ok() || excused, "{message}");
            }
        }
        for text in LAX {
            assert!(read(text).is_err() && library(text).is_ok(), "{text}");
        }
        for (name, _) in NICKNAMES {
            assert_read(name);
            assert_read(&format!(" {} ", name.to_uppercase()));
        }
        for text in ["", " ", "* * * *", "* * * * * * *", "@every 5m", "@", "@daily *"] {
            assert!(read(text).is_err() && library(text).is_err(), "{text}");
        }
    }

    /// For each day of 28 years.
    #[test]
    fn the_runtime_finds_the_same_days() {
        let start = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        for day in GOOD[3] {
            for month in GOOD[4] {
                for weekday in GOOD[5] {
                    let text = format!("0 0 {day} {month} {weekday}");
                    let Ok(dates) = Dates::read(day, month, weekday) else { panic!("{text}") };
                    let cron = library(&text).unwrap_or_else(|flaw| panic!("{text}: {flaw}"));
                    let days = cron.iter_from(start, croner::Direction::Forward);
                    let days = days.map(|due| due.duration_since(start).as_hours() / 24);
                    // A few of each, as they are many.
                    let due = dates.of_cycle();
                    let few = due.len().min(40);
                    let days: Vec<i64> = days.take(few).collect();
                    let due: Vec<i64> = due.into_iter().take(few).map(i64::from).collect();
                    assert_eq!(due, days, "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_cron_expression_is_named() {
        for (text, flaw) in [
            ("", "it has 0 fields"),
            ("* * * *", "it has 4 fields"),
            ("0 0 * * * * *", "it has 7 fields"),
            ("60 * * * * *", "the second `60` is not from 0 to 59"),
            ("60 * * * *", "the minute `60` is not from 0 to 59"),
            ("* 24 * * *", "the hour `24` is not from 0 to 23"),
            ("* * 0 * *", "the day of the month `0` is not from 1 to 31"),
            ("* * * 13 *", "the month `13` is not from 1 to 12"),
            ("* * * * 8", "the day of the week `8` is not from 0 to 7"),
            ("* * * * MO", "the day of the week `MO` is not from 0 to 7"),
            ("* * * * L", "the day of the week `L` is not from 0 to 7"),
            ("* * * * 5#6", "a month has no day `5#6`: `#` is followed by 1 to 5"),
            ("x * * * *", "the minute `x` is not from 0 to 59"),
            ("1, * * * *", "the minute `` is not from 0 to 59"),
            ("+1 * * * *", "the minute `+1` is not from 0 to 59"),
            ("30-10 * * * *", "the minute `30-10` ends before it begins"),
            ("*/0 * * * *", "the step `0` of the minute is not from 1 to 59"),
            ("5/10 * * * *", "the minute `5/10` has a step and no range"),
            ("0 0 30 2 *", "no month of these has such a day, so it is never due"),
            ("0 0 31 4,6,9,11 *", "no month of these has such a day, so it is never due"),
            ("@fortnightly", "there is no such nickname"),
        ] {
            assert_eq!(read(text).err().as_deref(), Some(flaw), "{text}");
        }
    }

    #[test]
    fn the_shortest_interval_is_known() {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        for (text, seconds) in [
            ("* * * * * *", 1),
            ("*/10 * * * * *", 10),
            ("0,50 * * * * *", 10),
            ("*/7 * * * *", 4 * MINUTE),
            ("@hourly", HOUR),
            ("30 9,17 * * *", 8 * HOUR),
            ("0 1,23 * * *", 2 * HOUR),
            ("0 1,23 * * 1", 22 * HOUR),
            ("@daily", DAY),
            ("0 9 * * 1-5", DAY),
            ("@weekly", 7 * DAY),
            ("@monthly", 28 * DAY),
            ("0 0 L * *", 28 * DAY),
            ("0 0 1,L * *", DAY),
            ("@yearly", 365 * DAY),
            ("0 0 29 2 *", 1461 * DAY),
            ("0 0 * 2 SUN#5", 28 * 365 * DAY + 7 * DAY),
        ] {
            let shortest = read(text).map(|schedule| schedule.shortest_interval().as_secs());
            assert_eq!(shortest, Ok(seconds), "{text}");
        }
    }
}
