use proc_macro2::TokenStream;
use quote::format_ident;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Token};

use super::values::string;
use crate::parse::{Argument, Value, check_cron, did_you_mean, parse_arguments, parse_zone};
use crate::problem::{Problem, Problems};

/// `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)`
pub(crate) struct Cron {
    pub(crate) expression: LitStr,
    pub(crate) zone: &'static str,
    /// The variant of `CatchUp`.
    pub(crate) catch_up: Ident,
}

impl Cron {
    pub(super) const EXAMPLE: &str = "cron(\"0 9 * * 1-5\", tz = \"Europe/Paris\", catch_up = one)";

    /// Reads what stands in `cron(..)`.
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
        problems.ok(check_cron(&expression));
        let mut cron = Self { expression, zone: "UTC", catch_up: format_ident!("One") };
        for argument in parse_arguments(rest, problems) {
            problems.ok(cron.take(argument));
        }
        Some(cron)
    }

    fn take(&mut self, Argument { name, value }: Argument) -> Result<(), Problem> {
        match name.to_string().as_str() {
            "tz" => self.zone = parse_zone(&string(&name, value, "\"Europe/Paris\"")?)?,
            "catch_up" => self.catch_up = catch_up(&name, value)?,
            unknown => {
                return Err(Problem::at(&name, format!("`cron` has no argument `{unknown}`"))
                    .help(did_you_mean(unknown, &["tz", "catch_up"])));
            }
        }
        Ok(())
    }
}

/// What becomes of the ticks that no worker was there for.
fn catch_up(name: &Ident, value: Value) -> Result<Ident, Problem> {
    let word = match &value {
        Value::Expr(Expr::Path(path)) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    };
    match word.as_deref() {
        Some("one") => Ok(format_ident!("One")),
        Some("all") => Ok(format_ident!("All")),
        Some("none") => Ok(format_ident!("None")),
        _ => {
            let place: &dyn quote::ToTokens = match &value {
                Value::Expr(other) => other,
                _ => name,
            };
            let place = place.to_token_stream();
            Err(Problem::at(&place, "`catch_up` takes `one`, `all` or `none`").note(
                "it says what happens after a time without workers: one run starts for the last \
                 missed tick, a run for each, or none",
            ))
        }
    }
}
