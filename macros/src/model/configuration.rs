use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Ident, LitStr, Path};

use super::values::string;
use super::{Allowance, Batch, Cron, Filter, Limits};
use crate::parse::{Argument, CancelSyntax, did_you_mean, parse_arguments, parse_duration};
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
    /// `concurrency(..)`, `throttle(..)` and the like
    pub(crate) limits: Limits,
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
    /// What starts runs that have no fields of their own: a schedule, or several events at once.
    pub(crate) fn gathered(&self) -> Option<&Ident> {
        self.scheduled.as_ref().or(self.batched.as_ref())
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
