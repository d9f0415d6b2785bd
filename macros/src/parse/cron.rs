use syn::LitStr;

use crate::problem::Problem;

/// One field of a cron expression.
struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// The names of its values, from the least on.
    names: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    Field { name: "day of the week", least: 0, most: 7, names: DAYS },
];

/// The days of each month, in leap years too.
const LONGEST: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Checks a cron expression of five fields: `0 9 * * 1-5`.
pub(crate) fn check_cron(literal: &LitStr) -> Result<(), Problem> {
    check(&literal.value()).map_err(|flaw| {
        Problem::at(literal, format!("`{}` is not a cron expression: {flaw}", literal.value()))
            .note(
                "it has five fields: minute, hour, day of the month, month, day of the week; each \
                 is `*`, or numbers, ranges and steps with commas between: `0,30`, `1-5`, `*/15`",
            )
            .help("\"0 9 * * 1-5\" is nine o'clock from Monday to Friday")
    })
}

fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("it has {} fields", fields.len()));
    }
    let mut values = Vec::new();
    for (field, text) in FIELDS.iter().zip(&fields) {
        values.push(field.values(text)?);
    }
    // With both days given, either will do.
    let by_day = fields[2] != "*" && fields[4] == "*";
    let comes = |month: &u8| {
        let longest = LONGEST[usize::from(*month) - 1];
        values[2].iter().any(|day| *day <= longest)
    };
    if by_day && !values[3].iter().any(comes) {
        return Err("no month of these has such a day".to_owned());
    }
    Ok(())
}

impl Field {
    /// The values that a field's text stands for.
    fn values(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut values = Vec::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, self.step(range, step)?),
                None => (part, 1),
            };
            let (from, to) = if range == "*" {
                (self.least, self.most)
            } else if let Some((from, to)) = range.split_once('-') {
                (self.value(from)?, self.value(to)?)
            } else {
                let value = self.value(range)?;
                (value, value)
            };
            if from > to {
                return Err(format!("the {} `{range}` ends before it begins", self.name));
            }
            values.extend((from..=to).step_by(step.into()));
        }
        Ok(values)
    }

    fn step(&self, range: &str, step: &str) -> Result<u8, String> {
        if range != "*" && !range.contains('-') {
            return Err(format!("the {} `{range}/{step}` has a step and no range", self.name));
        }
        let is_step = |step: &u8| (1..=self.most).contains(step);
        number(step).filter(is_step).ok_or_else(|| {
            format!("the step `{step}` of the {} is not from 1 to {}", self.name, self.most)
        })
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let by_name = self.names.iter().zip(self.least..);
        let named = by_name.filter(|(name, _)| name.eq_ignore_ascii_case(text));
        let value = named.map(|(_, value)| value).next().or_else(|| number(text));
        let is_value = |value: &u8| (self.least..=self.most).contains(value);
        value.filter(is_value).ok_or_else(|| {
            format!("the {} `{text}` is not from {} to {}", self.name, self.least, self.most)
        })
    }
}

/// Digits alone: `parse` would take a sign, too.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds, Year};

    use super::*;

    const GOOD: &[&str] = &[
        "* * * * *",
        "0 9 * * 1-5",
        "*/15 8-18 * * MON-FRI",
        "0,30 0 1,15 * *",
        "5 4 * jan-mar sun",
        "0 0 29 2 *",
        "0 0 31 2 1",
        "10-50/20 */6 * * 0,7",
        "59 23 31 12 6",
    ];

    const BAD: &[(&str, &str)] = &[
        ("", "it has 0 fields"),
        ("* * * *", "it has 4 fields"),
        ("0 * * * * *", "it has 6 fields"),
        ("60 * * * *", "the minute `60` is not from 0 to 59"),
        ("* 24 * * *", "the hour `24` is not from 0 to 23"),
        ("* * 0 * *", "the day of the month `0` is not from 1 to 31"),
        ("* * * 13 *", "the month `13` is not from 1 to 12"),
        ("* * * * 8", "the day of the week `8` is not from 0 to 7"),
        ("* * * * MO", "the day of the week `MO` is not from 0 to 7"),
        ("x * * * *", "the minute `x` is not from 0 to 59"),
        ("1, * * * *", "the minute `` is not from 0 to 59"),
        ("+1 * * * *", "the minute `+1` is not from 0 to 59"),
        ("30-10 * * * *", "the minute `30-10` ends before it begins"),
        ("*/0 * * * *", "the step `0` of the minute is not from 1 to 59"),
        ("5/10 * * * *", "the minute `5/10` has a step and no range"),
        ("0 0 30 2 *", "no month of these has such a day"),
        ("0 0 31 4,6,9,11 *", "no month of these has such a day"),
    ];

    #[test]
    fn what_is_no_cron_expression_is_named() {
        for (text, flaw) in BAD {
            assert_eq!(check(text), Err((*flaw).to_owned()), "{text}");
        }
    }

    /// The runtime reads expressions with the library.
    #[test]
    fn what_is_accepted_the_runtime_reads() {
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        for text in GOOD {
            assert_eq!(check(text), Ok(()), "{text}");
            assert!(parser.parse(text).is_ok(), "{text}");
        }
        for field in 0..5 {
            for value in 0..70 {
                for form in ["{}", "*/{}", "1-{}", "{},1"] {
                    let mut fields = ["*"; 5].map(str::to_owned);
                    fields[field] = form.replace("{}", &value.to_string());
                    let text = fields.join(" ");
                    // It reads more than this, and never less.
                    assert!(check(&text).is_err() || parser.parse(&text).is_ok(), "{text}");
                }
            }
        }
    }
}
