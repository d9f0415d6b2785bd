use std::time::Duration;

use syn::LitStr;

use crate::problem::Problem;

const UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("millisecond", 1),
    ("s", 1_000),
    ("sec", 1_000),
    ("second", 1_000),
    ("m", 60_000),
    ("min", 60_000),
    ("minute", 60_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("d", 86_400_000),
    ("day", 86_400_000),
    ("w", 604_800_000),
    ("week", 604_800_000),
];

/// The units in which a fraction of another is written.
const SMALLER: &[(&str, u64)] =
    &[("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000), ("ms", 1)];

/// No timer of a workflow is set further ahead than this: a century.
const LONGEST_MILLIS: u64 = 36_525 * 86_400_000;

/// Reads a duration as people write it: `250ms`, `30s`, `1h 30m`, `3 days`.
pub(crate) fn parse_duration(literal: &LitStr) -> Result<Duration, Problem> {
    parse(&literal.value()).map_err(|flaw| {
        Problem::at(literal, format!("`{}` is not a duration: {flaw}", literal.value())).help(
            "write whole numbers with units (ms, s, m, h, d, w, or `seconds`, `minutes`, `hours`, \
             `days`, `weeks`): \"250ms\", \"30s\", \"1h 30m\", \"3 days\"",
        )
    })
}

fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        rest = after.trim_start();

        if number.is_empty() {
            let found = if unit.is_empty() { rest } else { unit };
            return Err(format!("a number is expected before `{found}`"));
        }
        if let Some(fraction) = after.strip_prefix('.').filter(|_| unit.is_empty()) {
            return Err(fractional(number, fraction));
        }
        if unit.is_empty() {
            return Err(format!("`{number}` has no unit"));
        }
        millis = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(unit_millis(unit)?))
            .and_then(|part| millis.checked_add(part))
            .filter(|millis| *millis <= LONGEST_MILLIS)
            .ok_or_else(|| match unit_millis(unit) {
                Some(_) => "it is longer than a century".to_owned(),
                None => format!("`{unit}` is not a unit of time"),
            })?;
    }
    if millis == 0 {
        return Err("it is no time at all".to_owned());
    }
    Ok(Duration::from_millis(millis))
}

/// What to say of `1.5s`.
fn fractional(number: &str, rest: &str) -> String {
    let (digits, rest) =
        rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let unit = rest.trim_start();
    let unit = &unit[..unit.find(|c: char| !c.is_alphabetic()).unwrap_or(unit.len())];
    let number = format!("{number}.{digits}");
    let millis = number.parse::<f64>().ok().zip(unit_millis(unit));
    let millis = millis.map(|(number, unit)| number * unit as f64);
    let whole = |(name, unit): &(&str, u64)| {
        let count = millis? / *unit as f64;
        (count.fract() == 0.0).then(|| format!("; write `{count} {name}`"))
    };
    let instead = SMALLER.iter().find_map(whole).unwrap_or_default();
    format!("`{number}` is no whole number{instead}")
}

fn unit_millis(unit: &str) -> Option<u64> {
    let is = |name: &str| unit == name || (name.len() > 2 && unit.strip_suffix('s') == Some(name));
    UNITS.iter().find(|(name, _)| is(name)).map(|(_, millis)| *millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("30s", 30.0),
            ("250ms", 0.25),
            ("5m", 300.0),
            ("1h 30m", 5400.0),
            ("1h30m", 5400.0),
            ("3 days", 259_200.0),
            ("1 day", 86_400.0),
            ("2 weeks", 1_209_600.0),
            ("10 mins", 600.0),
        ] {
            assert_eq!(parse(text).map(|d| d.as_secs_f64()), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for (text, flaw) in [
            ("", "it is empty"),
            ("0s", "it is no time at all"),
            ("30", "`30` has no unit"),
            ("soon", "a number is expected before `soon`"),
            ("5 moons", "`moons` is not a unit of time"),
            ("1.5s", "`1.5` is no whole number; write `1500 ms`"),
            ("1h 1.5 m", "`1.5` is no whole number; write `90 seconds`"),
            ("0.0001s", "`0.0001` is no whole number"),
            ("-1s", "a number is expected before `-1s`"),
            ("200000 weeks", "it is longer than a century"),
            ("99999999999999999999s", "it is longer than a century"),
        ] {
            assert_eq!(parse(text), Err(flaw.to_owned()), "{text}");
        }
    }
}
