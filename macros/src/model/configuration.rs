use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

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

const KNOWN: &[&str] = &[
    "id",
    "retries",
    "backoff",
    "on_change",
    "on",
    "cron",
    "batch",
    "cancel_on",
    "timeout",
    "on_failure",
    "on_cancel",
    "input",
    "allow",
    "crate",
];

/// Those that may be given several times.
const REPEATED: &[&str] = &["allow", "on", "cancel_on"];

impl Configuration {
    pub(crate) fn new(arguments: Vec<Argument>, problems: &Problems) -> Self {
        let mut configuration = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        for argument in arguments {
            if let Some(first) = seen.iter().find(|name| **name == argument.name) {
                problems.report(Problem::at(&argument.name, format!("`{first}` is given twice")));
                continue;
            }
            if !REPEATED.iter().any(|name| argument.name == name) {
                seen.push(argument.name.clone());
            }
            configuration.take(argument, problems);
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
            if argument.name == "allow" || argument.name == "crate" {
                configuration.take(argument, problems);
            } else {
                let name = &argument.name;
                problems.report(
                    Problem::at(name, format!("`#[durable]` has no argument `{name}`"))
                        .help("the workflow that calls a helper has the ids, retries and triggers"),
                );
            }
        }
        configuration
    }

    fn take(&mut self, Argument { name, value }: Argument, problems: &Problems) {
        match (name.to_string().as_str(), value) {
            ("id", value) => self.id = problems.ok(string(&name, value, "\"on-ticket-created\"")),
            ("retries", value) => self.retries = problems.ok(whole_number(&name, value, "2")),
            ("backoff", Value::List(tokens)) => {
                self.backoff = Some(Backoff::new(tokens, problems));
            }
            ("backoff", _) => problems.report(
                Problem::at(&name, "`backoff` takes its arguments in parentheses")
                    .help("backoff(initial = \"1s\", max = \"1h\")"),
            ),
            ("on", value) => self.filters.extend(Filter::parse(name, value, problems)),
            ("cron", value) => {
                self.cron = Cron::parse(&name, value, problems);
                self.scheduled = Some(name);
            }
            ("batch", value) => {
                self.batch = Batch::parse(&name, value, problems);
                self.batched = Some(name);
            }
            ("on_change", value) => self.on_change = problems.ok(on_change(&name, &value)),
            ("cancel_on", Value::List(tokens)) => {
                self.cancels.extend(CancelSyntax::parse(&name, tokens, problems));
            }
            ("cancel_on", _) => problems.report(
                Problem::at(&name, "`cancel_on` takes its arguments in parentheses")
                    .help("cancel_on(TicketDeleted, matching = ticket_id)"),
            ),
            ("timeout", Value::List(tokens)) => self.timeout = Timeout::new(tokens, problems),
            ("timeout", _) => problems.report(
                Problem::at(&name, "`timeout` takes its arguments in parentheses")
                    .help("timeout(start = \"1h\", finish = \"1 day\")"),
            ),
            ("on_failure", value) => self.on_failure = problems.ok(handler(&name, value)),
            ("on_cancel", value) => self.on_cancel = problems.ok(handler(&name, value)),
            ("input", Value::Flag) => self.direct = true,
            ("input", _) => problems.report(
                Problem::at(&name, "`input` stands alone")
                    .help("the input's type is that of the function's first parameter"),
            ),
            ("allow", Value::List(arguments)) => {
                self.allowances.extend(Allowance::parse(&name, arguments, problems));
            }
            ("allow", _) => problems.report(
                Problem::at(&name, "`allow` takes a rule and a reason in parentheses")
                    .help("allow(determinism, reason = \"the time is only logged\")"),
            ),
            ("crate", value) => self.krate = problems.ok(path(&name, value)),
            (unknown, _) => problems.report(
                Problem::at(&name, format!("`#[workflow]` has no argument `{unknown}`"))
                    .help(did_you_mean(unknown, KNOWN)),
            ),
        }
    }
}

impl Timeout {
    fn new(tokens: TokenStream, problems: &Problems) -> Self {
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
    match value {
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Str(literal), .. })) => Ok(literal),
        Value::Expr(other) => Err(Problem::at(&other, format!("`{name}` takes a string literal"))
            .help(format!("{name} = {example}"))),
        _ => Err(Problem::at(name, format!("`{name}` takes a value"))
            .help(format!("{name} = {example}"))),
    }
}

fn on_change(name: &Ident, value: &Value) -> Result<OnChange, Problem> {
    let what = "`on_change` is `resume` or `pin`";
    let problem = match value {
        Value::Expr(Expr::Path(path)) if path.path.is_ident("resume") => {
            return Ok(OnChange::Resume);
        }
        Value::Expr(Expr::Path(path)) if path.path.is_ident("pin") => return Ok(OnChange::Pin),
        Value::Expr(other) => Problem::at(other, what),
        _ => Problem::at(name, what),
    };
    Err(problem
        .note("when a new version changes the workflow, it either resumes unfinished runs, or leaves them to workers of the version with which they began")
        .help("on_change = pin"))
}

fn whole_number(name: &Ident, value: Value, example: &str) -> Result<u32, Problem> {
    let problem = |place: &dyn quote::ToTokens| {
        let what = format!("`{name}` takes a whole number from 0 to {MOST_RETRIES}");
        Problem::at(&place.to_token_stream(), what).help(format!("{name} = {example}"))
    };
    match value {
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Int(literal), .. })) => {
            let number = literal.base10_parse().ok().filter(|number| *number <= MOST_RETRIES);
            number.ok_or_else(|| problem(&literal))
        }
        Value::Expr(other) => Err(problem(&other)),
        _ => Err(problem(name)),
    }
}

/// The value of an argument that names a workflow.
fn handler(name: &Ident, value: Value) -> Result<Path, Problem> {
    match value {
        Value::Expr(Expr::Path(path)) if path.qself.is_none() => Ok(path.path),
        _ => Err(Problem::at(name, format!("`{name}` names a workflow"))
            .note("it starts as a run of its own, in the commit that ends the run")
            .help(format!("{name} = report"))),
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
