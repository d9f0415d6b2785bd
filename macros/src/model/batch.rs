use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit};

use super::Key;
use super::values::string;
use crate::parse::{Argument, Value, did_you_mean, parse_arguments, parse_duration};
use crate::problem::{Problem, Problems};

/// The most events of one batch: all of them are one run's input.
const MOST: u32 = 1_000;
/// The longest that the first of them waits.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// `batch(max = 100, timeout = "5s", key = event.user_id)`
pub(crate) struct Batch {
    pub(crate) max: u32,
    pub(crate) timeout: Duration,
    pub(crate) key: Option<Key>,
}

impl Batch {
    pub(super) const EXAMPLE: &str = "batch(max = 100, timeout = \"5s\", key = event.user_id)";

    /// Reads what stands in `batch(..)`.
    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let (mut max, mut timeout, mut key) = (None, None, None);
        let (mut has_max, mut has_timeout) = (false, false);
        for Argument { name, value } in parse_arguments(list, problems) {
            match (name.to_string().as_str(), value) {
                ("max", value) => {
                    has_max = true;
                    max = problems.ok(bound(&name, value));
                }
                ("timeout", value) => {
                    has_timeout = true;
                    timeout = problems.ok(wait(&name, value));
                }
                ("key", Value::Expr(expression)) => key = Some(Key(expression)),
                ("key", _) => problems.report(
                    Problem::at(&name, "`key` takes an expression over the event")
                        .help("key = event.user_id"),
                ),
                (unknown, _) => problems.report(
                    Problem::at(&name, format!("`batch` has no argument `{unknown}`"))
                        .help(did_you_mean(unknown, &["max", "timeout", "key"])),
                ),
            }
        }
        for (given, missing) in [(has_max, "max"), (has_timeout, "timeout")] {
            if !given {
                problems.report(
                    Problem::at(name, format!("`batch` has no `{missing}`"))
                        .note(
                            "a batch is complete when it is full, or when its first event has \
                             waited for `timeout`",
                        )
                        .help(Self::EXAMPLE),
                );
            }
        }
        Some(Self { max: max?, timeout: timeout?, key })
    }
}

fn bound(name: &Ident, value: Value) -> Result<u32, Problem> {
    let what = format!("`max` takes a whole number from 2 to {MOST}");
    let (number, place) = match &value {
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Int(literal), .. })) => {
            (literal.base10_parse::<u32>().ok(), quote::quote!(#literal))
        }
        Value::Expr(other) => (None, quote::quote!(#other)),
        _ => (None, quote::quote!(#name)),
    };
    number.filter(|number| (2..=MOST).contains(number)).ok_or_else(|| {
        Problem::at(&place, what)
            .note("one event is not a batch, and all events of a batch are the input of one run")
            .help("max = 100")
    })
}

fn wait(name: &Ident, value: Value) -> Result<Duration, Problem> {
    let literal = string(name, value, "\"5s\"")?;
    let timeout = parse_duration(&literal)?;
    if timeout.is_zero() || timeout > LONGEST {
        return Err(Problem::at(
            &literal,
            "a batch waits for more than nothing and at most a week",
        )
        .help("timeout = \"5s\""));
    }
    Ok(timeout)
}
