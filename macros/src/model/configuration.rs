use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use super::arguments::{self, Known};
use super::{Allowance, Batch, Cron, Filter};
use crate::parse::{Argument, CancelSyntax, Value, did_you_mean, parse_arguments, parse_duration};
use crate::problem::{Problem, Problems};

/// What `#[workflow(..)]` says.
#[derive(Default)]
pub(crate) struct Configuration {
    /// The model takes it.
    pub(super) id: Option<LitStr>,
    pub(crate) retries: Option<u32>,
    pub(crate) backoff: Option<Backoff>,
    /// `on_change = resume | pin`
    pub(crate) on_change: Option<OnChange>,
    /// `input`: the workflow is only ever started directly.
    pub(crate) direct: bool,
    /// `on(E, if = ..)`
    pub(crate) filters: Vec<Filter>,
    pub(crate) cron: Option<Cron>,
    /// The word `cron`, also of one that was refused.
    pub(crate) scheduled: Option<Ident>,
    pub(crate) batch: Option<Batch>,
    /// The word `batch`, also of one that was refused.
    pub(crate) batched: Option<Ident>,
    /// `cancel_on(Event, matching = field)`
    pub(crate) cancels: Vec<CancelSyntax>,
    /// `timeout(start = "..", finish = "..")`
    pub(crate) timeout: Timeout,
    /// `on_failure = handler`
    pub(crate) on_failure: Option<Path>,
    /// `on_cancel = handler`
    pub(crate) on_cancel: Option<Path>,
    /// `allow(rule, reason = "..")`
    pub(crate) allowances: Vec<Allowance>,
    /// `crate = path`
    pub(crate) krate: Option<Path>,
}

/// Who goes on with unfinished runs when the workflow has changed.
#[derive(Clone, Copy)]
pub(crate) enum OnChange {
    Resume,
    Pin,
}

/// `backoff(initial = .., max = ..)`
#[derive(Default)]
pub(crate) struct Backoff {
    pub(crate) initial: Option<(Duration, LitStr)>,
    pub(crate) max: Option<(Duration, LitStr)>,
}

/// After so many attempts, at an hour apart, more than a month has gone by.
pub(crate) const MOST_RETRIES: u32 = 1_000;

/// `timeout(start = .., finish = ..)`
#[derive(Default)]
pub(crate) struct Timeout {
    pub(crate) start: Option<Duration>,
    pub(crate) finish: Option<Duration>,
}

impl Configuration {
    pub(crate) fn new(arguments: Vec<Argument>, problems: &Problems) -> Self {
        let mut configuration = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        for argument in arguments {
            if let Some(first) = seen.iter().find(|name| **name == argument.name) {
                problems.report(Problem::at(&argument.name, format!("`{first}` is given twice")));
                continue;
            }
            let known = Known::named(&argument.name);
            if !known.is_some_and(|known| known.repeats) {
                seen.push(argument.name.clone());
            }
            match known {
                Some(known) => known.read(&mut configuration, argument, problems),
                None => problems.report(arguments::unknown(&argument.name)),
            }
        }
        configuration
    }

    /// What starts runs that have no fields of their own: a schedule, or several events at once.
    pub(crate) fn gathered(&self) -> Option<&Ident> {
        self.scheduled.as_ref().or(self.batched.as_ref())
    }

    /// What `#[durable(..)]` says.
    pub(crate) fn of_helper(arguments: Vec<Argument>, problems: &Problems) -> Self {
        let mut configuration = Self::default();
        for argument in arguments {
            let name = &argument.name;
            let known = Known::named(name).filter(|_| name == "allow" || name == "crate");
            match known {
                Some(known) => known.read(&mut configuration, argument, problems),
                None => problems.report(
                    Problem::at(name, format!("`#[durable]` has no argument `{name}`"))
                        .help("the workflow that calls a helper has the ids, retries and triggers"),
                ),
            }
        }
        configuration
    }
}

impl Timeout {
    pub(super) fn new(tokens: TokenStream, problems: &Problems) -> Self {
        let mut timeout = Self::default();
        for Argument { name, value } in parse_arguments(tokens, problems) {
            let place = match name.to_string().as_str() {
                "start" => &mut timeout.start,
                "finish" => &mut timeout.finish,
                unknown => {
                    problems.report(
                        Problem::at(&name, format!("`timeout` has no argument `{unknown}`"))
                            .help(did_you_mean(unknown, &["start", "finish"])),
                    );
                    continue;
                }
            };
            let duration = string(&name, value, "\"1h\"");
            *place = problems.ok(duration.and_then(|literal| parse_duration(&literal)));
        }
        timeout
    }
}

impl Backoff {
    pub(crate) fn new(tokens: TokenStream, problems: &Problems) -> Self {
        let mut backoff = Self::default();
        for Argument { name, value } in parse_arguments(tokens, problems) {
            let place = match name.to_string().as_str() {
                "initial" => &mut backoff.initial,
                "max" => &mut backoff.max,
                unknown => {
                    problems.report(
                        Problem::at(&name, format!("`backoff` has no argument `{unknown}`"))
                            .help(did_you_mean(unknown, &["initial", "max"])),
                    );
                    continue;
                }
            };
            let duration = string(&name, value, "\"30s\"")
                .and_then(|literal| Ok((parse_duration(&literal)?, literal)));
            *place = problems.ok(duration);
        }
        backoff
    }

    /// What is wrong with `.backoff("1s")`.
    pub(crate) fn unnamed(method: &Ident) -> Problem {
        Problem::at(method, "`backoff` is given its parts by their names")
            .note("`initial` is the first wait, which doubles from attempt to attempt up to `max`")
            .help(".backoff(initial = \"1s\", max = \"5m\")")
    }
}

/// The value of an argument that takes a string literal.
pub(crate) fn string(name: &Ident, value: Value, example: &str) -> Result<LitStr, Problem> {
    text(name, value).map_err(|problem| problem.help(format!("{name} = {example}")))
}

/// The same, with no word on how it is written.
pub(super) fn text(name: &Ident, value: Value) -> Result<LitStr, Problem> {
    match value {
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => Ok(literal),
        Value::Expr(other) => Err(Problem::at(&other, format!("`{name}` takes a string literal"))),
        _ => Err(Problem::at(name, format!("`{name}` takes a value"))),
    }
}

/// The value of `crate = path`.
pub(crate) fn path(name: &Ident, value: Value) -> Result<Path, Problem> {
    match value {
        Value::Expr(Expr::Path(path)) if path.qself.is_none() => Ok(path.path),
        _ => Err(Problem::at(name, "`crate` takes the path of the crate `indelible`")
            .help("crate = ::indelible")),
    }
}
