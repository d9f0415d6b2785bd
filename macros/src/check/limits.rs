use quote::ToTokens as _;
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, UnOp};

use crate::model::{Concurrency, Key, Scope, WorkflowModel};
use crate::problem::{Problem, Problems};

/// A workflow has two concurrency limits at most.
pub(crate) fn are_two_at_most(model: &WorkflowModel, problems: &Problems) {
    let given = model.configuration.limits.given.iter().filter(|name| *name == "concurrency");
    for name in given.skip(2) {
        problems.report(
            Problem::at(name, "a workflow has at most two concurrency limits")
                .note("a run waits until it has a slot of each of them")
                .help("remove this one"),
        );
    }
}

/// Two concurrency limits do not count the same.
pub(crate) fn count_different_things(model: &WorkflowModel, problems: &Problems) {
    let [first, second, ..] = model.configuration.limits.concurrency.as_slice() else { return };
    let problem = match (&first.scope, &second.scope) {
        (Scope::Workflow, Scope::Workflow) if text(first) == text(second) => {
            Problem::at(&second.name, "both concurrency limits count the same runs")
                .note("they have the same key, so only the lower limit would matter")
                .help("remove one of them, or give them different keys")
        }
        (Scope::App, Scope::App) => twice(second, "the app's".to_owned()),
        (Scope::Named(name), Scope::Named(other)) if name.value() == other.value() => {
            twice(second, format!("that of `{}`", name.value()))
        }
        _ => return,
    };
    problems.report(problem);
}

fn twice(second: &Concurrency, which: String) -> Problem {
    Problem::at(
        &second.name,
        format!("a run needs one slot of a shared limit, and {which} is given twice"),
    )
    .note("the keys of a shared limit are compared by value, so a run could wait for itself")
    .help("remove one of them, or give them different scopes")
}

/// The key's source; empty if there is none.
fn text(concurrency: &Concurrency) -> String {
    concurrency.key.as_ref().map(Key::text).unwrap_or_default()
}

/// A singleton has one run of a key at a time already.
pub(crate) fn a_singleton_needs_no_slots(model: &WorkflowModel, problems: &Problems) {
    let limits = &model.configuration.limits;
    let Some(singleton) = &limits.singleton else { return };
    let key = singleton.key.as_ref().map(Key::text).unwrap_or_default();
    for concurrency in &limits.concurrency {
        if matches!(concurrency.scope, Scope::Workflow) && text(concurrency) == key {
            problems.report(
                Problem::at(&concurrency.name, "`concurrency` and `singleton` limit the same runs")
                    .note(
                        "`singleton` has one run of a key at a time, whatever `concurrency` allows",
                    )
                    .help(
                        "remove `concurrency`, or remove `singleton` and write \
                       `concurrency(limit = 1, hold = run, key = ..)` if a second run should wait",
                    ),
            );
        }
    }
}

/// Events become one run in one way.
pub(crate) fn gather_in_one_way(model: &WorkflowModel, problems: &Problems) {
    let configuration = &model.configuration;
    if let (Some(_), Some(debounce)) =
        (&configuration.batched, configuration.limits.word("debounce"))
    {
        problems.report(
            Problem::at(debounce, "`batch` and `debounce` both say when events become one run")
                .note("`batch` starts the run so long after the first event, `debounce` so long after the last")
                .help("remove one of them; under `debounce` the first parameter may be a `Vec` of events, too"),
        );
    }
}

/// Of events that are gathered, none is asked whether it starts a run.
pub(crate) fn ask_about_single_events(model: &WorkflowModel, problems: &Problems) {
    let configuration = &model.configuration;
    let debounce = configuration.limits.word("debounce");
    let Some(gathered) = configuration.batched.as_ref().or(debounce) else { return };
    for (name, help) in [
        ("rate_limit", "write `throttle`: the runs then start at this pace, and no event is lost"),
        (
            "idempotency",
            "give each event a key where it is sent: `client.send(event).idempotency_key(..)`",
        ),
        (
            "singleton",
            "write `concurrency(limit = 1, hold = run, key = ..)`: the next run then waits for the end of the first",
        ),
    ] {
        if let Some(name) = configuration.limits.word(name) {
            problems.report(contradiction(name, gathered).help(help));
        }
    }
}

fn contradiction(name: &Ident, gathered: &Ident) -> Problem {
    Problem::at(name, format!("`{name}` asks about single events, and `{gathered}` gathers them"))
        .note(format!(
            "`{name}` decides for each event whether it starts a run; under `{gathered}` several events \
             start one together, and it would not be clear which of them counts"
        ))
}

/// A window closes no earlier than its first event could have.
pub(crate) fn windows_last_a_period(model: &WorkflowModel, problems: &Problems) {
    let Some(debounce) = &model.configuration.limits.debounce else { return };
    if let Some((max, literal)) = &debounce.max
        && *max < debounce.period
    {
        problems.report(
            Problem::at(literal, "`max` is shorter than `period`")
                .note("the run starts `period` after the last event, and at the latest `max` after the first")
                .help("make `max` longer, or `period` shorter"),
        );
    }
}

/// The furthest that a run is ahead of others, in seconds.
const FURTHEST: u64 = 12 * 60 * 60;

/// A run is at most half a day ahead of others, or behind them.
pub(crate) fn priorities_are_bounded(model: &WorkflowModel, problems: &Problems) {
    let Some(Key(priority)) = &model.configuration.limits.priority else { return };
    let number = match priority {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => expr,
        other => other,
    };
    let Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) = number else { return };
    if literal.base10_parse().is_ok_and(|seconds: u64| seconds <= FURTHEST) {
        return;
    }
    problems.report(
        Problem::at(
            &priority.to_token_stream(),
            format!("`priority` takes from -{FURTHEST} to {FURTHEST} seconds"),
        )
        .note("a run is at most twelve hours ahead of others, or behind them, so that none waits for ever")
        .help("priority = 600"),
    );
}
