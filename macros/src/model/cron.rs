use std::time::Duration;

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Token};

use super::values::string;
use crate::parse::{
    Argument, Schedule, Value, did_you_mean, parse_arguments, parse_cron, parse_duration,
    parse_zone,
};
use crate::problem::{Problem, Problems};

/// `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)`
pub(crate) struct Cron {
    pub(crate) schedule: Schedule,
    pub(crate) options: CronOptions,
}

/// What follows the expression.
pub(crate) struct CronOptions {
    /// `None` is UTC.
    pub(crate) zone: Option<&'static str>,
    /// The variant of `CatchUp`.
    pub(crate) catch_up: Ident,
    /// The variant of `Dst`, at the place of the word that names it.
    pub(crate) dst: Option<Ident>,
    /// With its place.
    pub(crate) jitter: Option<(Duration, LitStr)>,
}

impl Cron {
    pub(super) const EXAMPLE: &str = "cron(\"0 9 * * 1-5\", tz = \"Europe/Paris\", catch_up = one)";

    /// Reads what stands in `cron(..)`; `None` if some of it was refused.
    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let parse = |input: ParseStream<'_>| {
            let expression: Option<LitStr> = input.parse()?;
            input.parse::<Option<Token![,]>>()?;
            Ok((expression, input.parse::<TokenStream>()?))
        };
        let (expression, rest) =
            parse.parse2(list).map_err(|error| problems.report_syntax(error)).ok()?;
        let Some(expression) = expression else {
            problems.report(
                Problem::at(name, "`cron` takes an expression in parentheses").help(Self::EXAMPLE),
            );
            return None;
        };
        let schedule = problems.ok(parse_cron(&expression));
        let catch_up = format_ident!("One");
        let mut options = CronOptions { zone: None, catch_up, dst: None, jitter: None };
        let mut is_whole = true;
        for argument in parse_arguments(rest, problems) {
            is_whole &= problems.ok(options.take(argument)).is_some();
        }
        is_whole.then_some(Self { schedule: schedule?, options })
    }
}

impl CronOptions {
    fn take(&mut self, Argument { name, value }: Argument) -> Result<(), Problem> {
        match name.to_string().as_str() {
            "tz" => {
                self.zone = Some(parse_zone(&string(&name, value, "\"Europe/Paris\"")?)?);
            }
            "catch_up" => {
                self.catch_up = word(&name, &value, &CATCH_UP).map_err(|problem| {
                    problem.note(
                        "it says what happens after a time without workers: one run starts for the \
                         last missed tick, a run for each, or none",
                    )
                })?;
            }
            "dst" => {
                let dst = word(&name, &value, &DST).map_err(|problem| {
                    problem.note(
                        "it says what happens when the clocks change: each tick comes once, one at a \
                         time that does not exist is skipped, or one at a time that comes twice comes \
                         both times",
                    )
                })?;
                self.dst = Some(dst);
            }
            "jitter" => {
                let literal = string(&name, value, "\"30s\"")?;
                self.jitter = Some((parse_duration(&literal)?, literal));
            }
            unknown => {
                return Err(Problem::at(&name, format!("`cron` has no argument `{unknown}`"))
                    .help(did_you_mean(unknown, &["tz", "catch_up", "dst", "jitter"])));
            }
        }
        Ok(())
    }
}

/// The words that arguments take, and the variants that they name.
const CATCH_UP: [(&str, &str); 3] = [("one", "One"), ("all", "All"), ("none", "None")];
const DST: [(&str, &str); 3] = [("once", "Once"), ("skip", "Skip"), ("both", "Both")];

/// The variant that a word names, at its place.
fn word(name: &Ident, value: &Value, known: &[(&str, &str); 3]) -> Result<Ident, Problem> {
    if let Value::Expr(Expr::Path(path)) = value
        && let Some(word) = path.path.get_ident()
        && let Some((_, variant)) = known.iter().find(|(known, _)| word == known)
    {
        return Ok(Ident::new(variant, word.span()));
    }
    let place: &dyn quote::ToTokens = match value {
        Value::Expr(other) => other,
        _ => name,
    };
    let [(first, _), (second, _), (third, _)] = known;
    let takes = format!("`{name}` takes `{first}`, `{second}` or `{third}`");
    Err(Problem::at(&place.to_token_stream(), takes))
}
