use std::collections::HashSet;
use std::time::Duration;

use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, Ident, Lit, PatIdent};

use crate::model::{Backoff, MOST_RETRIES, WorkflowModel};
use crate::parse::{is_kebab_case, to_kebab_case};
use crate::problem::{Problem, Problems};

/// A workflow's id is kebab-case, of at most 128 bytes.
pub(crate) fn id_is_kebab_case(model: &WorkflowModel, problems: &Problems) {
    let id = &model.id;
    if is_kebab_case(&id.value()) {
        return;
    }
    let suggestion = match to_kebab_case(&id.value()) {
        kebab if is_kebab_case(&kebab) => kebab,
        _ => "on-ticket-created".to_owned(),
    };
    problems.report(
        Problem::at(id, format!("the id `{}` of the workflow is not kebab-case", id.value()))
            .note(
                "ids are stored with every run and shown in logs and metrics; they are words of \
                 `a-z` and `0-9` with hyphens between, at most 128 bytes",
            )
            .help(format!("id = \"{suggestion}\"")),
    );
}

/// A step is not tried without end.
pub(crate) fn retries_end(model: &WorkflowModel, problems: &Problems) {
    for count in model.steps.iter().flat_map(|step| step.arguments_of("retries")) {
        let Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) = count else { continue };
        if literal.base10_parse().is_ok_and(|count: u128| count > MOST_RETRIES.into()) {
            problems.report(
                Problem::at(literal, format!("a step is tried again at most {MOST_RETRIES} times"))
                    .note("each attempt is kept in the journal, which is read on every resume")
                    .help("let the step fail, and go on in a loop of the body after a `sleep`"),
            );
        }
    }
}

/// A backoff does not begin above its own bound.
pub(crate) fn backoff_grows(model: &WorkflowModel, problems: &Problems) {
    if let Some(backoff) = &model.configuration.backoff {
        grows(backoff, problems);
    }
}

/// The same of a step's own.
pub(crate) fn grows(backoff: &Backoff, problems: &Problems) {
    if let (Some((initial, place)), Some((max, _))) = (&backoff.initial, &backoff.max)
        && initial > max
    {
        problems.report(
            Problem::at(place, "the first wait is longer than the longest")
                .note("the wait doubles with each attempt, from `initial` up to `max`"),
        );
    }
}

/// What is only ever started directly has nothing that starts it by itself.
pub(crate) fn an_input_has_no_trigger(model: &WorkflowModel, problems: &Problems) {
    let configuration = &model.configuration;
    if !configuration.direct {
        return;
    }
    let filters = configuration.filters.iter().map(|filter| &filter.name);
    let of_events = ["rate_limit", "debounce", "idempotency"];
    let of_events = of_events.iter().filter_map(|name| configuration.limits.word(name));
    let gathered = configuration.scheduled.iter().chain(&configuration.batched);
    for name in filters.chain(gathered).chain(of_events) {
        problems.report(
            Problem::at(name, format!("`{name}` and `input` contradict one another"))
                .note("with `input` the workflow is only started directly, never by an event or a schedule")
                .help("remove `input`, and take what starts the workflow as the first parameter"),
        );
    }
}

/// What is said of daylight saving time makes a difference.
pub(crate) fn dst_makes_a_difference(model: &WorkflowModel, problems: &Problems) {
    let Some(cron) = &model.configuration.cron else { return };
    let Some(dst) = &cron.options.dst else { return };
    if matches!(cron.options.zone, None | Some("UTC")) {
        problems.report(
            Problem::at(dst, "`dst` makes no difference in UTC, whose clock never changes")
                .help("say in which time zone: tz = \"Europe/Paris\""),
        );
    } else if cron.schedule.is_hourly() {
        problems.report(
            Problem::at(dst, "`dst` makes no difference to a schedule that is due in every hour")
                .note(
                    "such a schedule goes on in both of two equal hours, and skips those that do not \
                     exist",
                )
                .help("leave out `dst`"),
        );
    }
}

/// A run starts before the next tick.
pub(crate) fn jitter_is_shorter_than_the_interval(model: &WorkflowModel, problems: &Problems) {
    let Some(cron) = &model.configuration.cron else { return };
    let Some((jitter, place)) = &cron.options.jitter else { return };
    let interval = cron.schedule.shortest_interval();
    if *jitter >= interval {
        let interval = in_words(interval);
        problems.report(
            Problem::at(place, "the jitter is not shorter than the time between two ticks")
                .note(format!("a run starts before the next tick, which is {interval} later"))
                .help(format!("give less than {interval}, or leave out `jitter`")),
        );
    }
}

/// A time in the largest unit of which it is a whole number.
fn in_words(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] =
        [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let seconds = time.as_secs();
    let whole = |(unit, _): &&(u64, &str)| seconds.is_multiple_of(*unit);
    let (unit, name) = UNITS.iter().find(whole).unwrap_or(&UNITS[3]);
    match seconds / unit {
        1 => format!("1 {name}"),
        count => format!("{count} {name}s"),
    }
}

/// An event cancels the runs that have something in common with it: a tick has nothing, and a batch has
/// several events.
pub(crate) fn cancellations_compare_fields(model: &WorkflowModel, problems: &Problems) {
    let Some(started) = model.configuration.gathered() else { return };
    for cancel in &model.configuration.cancels {
        if let Some((field, _)) = cancel.fields.first() {
            problems.report(
                Problem::at(
                    field,
                    format!("a run under `{started}` has no field of its own to compare"),
                )
                .note("a time, or several events at once, starts it")
                .help("leave out `matching`: the event then cancels all runs of the workflow"),
            );
        }
    }
}

/// An event has one condition.
pub(crate) fn filters_are_unique(model: &WorkflowModel, problems: &Problems) {
    let mut seen = HashSet::new();
    for filter in &model.configuration.filters {
        if !seen.insert(filter.event.to_token_stream().to_string()) {
            problems.report(
                Problem::at(&filter.event, "this event has a condition already")
                    .help("join the two with `&&` or `||`"),
            );
        }
    }
}

/// Conditions and keys see what starts the workflow and nothing else: they are asked before there is a run.
pub(crate) fn conditions_see_the_event(model: &WorkflowModel, problems: &Problems) {
    let mut names = Bindings::default();
    model.parameters().for_each(|parameter| names.visit_pat(&parameter.pat));
    let parameters = names.0.clone();
    names.0.extend(["event", "events", "input", "tick"].map(str::to_owned));
    let configuration = &model.configuration;
    let filters = configuration.filters.iter();
    let filters = filters.map(|filter| (&filter.condition, "event", "if = event.amount > 1_000"));
    let batch = configuration.batch.as_ref().and_then(|batch| batch.key.as_ref());
    let debounce = configuration.limits.debounce.as_ref().and_then(|window| window.key.as_ref());
    let keys = batch.into_iter().chain(debounce);
    let keys = keys.map(|key| (&key.0, "event", "key = event.user_id"));
    let (subject, example) = match model.subject() {
        "events" => ("events", "key = events[0].user_id"),
        "input" => ("input", "key = input.user_id"),
        "tick" => ("tick", "key = tick.scheduled_at"),
        other => (other, "key = event.user_id"),
    };
    let limits = configuration.limits.expressions();
    let limits = limits.map(|expression| (expression, subject, example));
    for (expression, subject, example) in filters.chain(keys).chain(limits) {
        let mut own = Bindings::default();
        own.visit_expr(expression);
        let unknown = |name: &String| *name != subject && !own.0.contains(name);
        let names = names.0.iter().filter(|name| unknown(name)).cloned().collect();
        let mut captures = Captures { names: &names, found: Vec::new() };
        captures.visit_expr(expression);
        for name in captures.found {
            let seen = match subject {
                "events" => "the list of events",
                "event" => "the event",
                "input" => "the input",
                _ => "the tick",
            };
            let what = match parameters.contains(&name.to_string()) {
                true => format!("`{name}` is not there yet"),
                false => format!("there is no `{name}` here"),
            };
            problems.report(
                Problem::at(name, what)
                    .note(format!(
                        "conditions and keys are evaluated before the run exists; they see {seen} \
                         as `{subject}`, and nothing else"
                    ))
                    .help(example),
            );
        }
    }
}

/// The names that patterns bind.
#[derive(Default)]
struct Bindings(HashSet<String>);

impl<'a> Visit<'a> for Bindings {
    fn visit_pat_ident(&mut self, pattern: &'a PatIdent) {
        self.0.insert(pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }
}

/// Where an expression uses one of these names.
struct Captures<'n, 'a> {
    names: &'n HashSet<String>,
    found: Vec<&'a Ident>,
}

impl<'a> Visit<'a> for Captures<'_, 'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Path(path) = expression
            && let Some(name) = path.path.get_ident()
            && self.names.contains(&name.to_string())
        {
            self.found.push(name);
        }
        visit::visit_expr(self, expression);
    }
}
