use std::ops::RangeInclusive;

use proc_macro2::{Ident, LineColumn};

use crate::model::WorkflowModel;
use crate::parse::Concurrency;
use crate::problem::{Problem, Problems};

/// Nothing is awaited where it cannot be seen: in a macro whose tokens are no expressions.
pub(crate) fn hide_no_await(model: &WorkflowModel, problems: &Problems) {
    // A macro in the arguments of another may come to the same `.await`.
    let mut seen: Vec<LineColumn> = Vec::new();
    // What a step does is awaited as written.
    for call in model.macros.iter().filter(|call| !call.in_step) {
        let Some(name) = call.name() else { continue };
        if name == "select" || name == "select_biased" {
            problems.report(
                Problem::at(name, format!("`{name}!` goes on with whichever is ready first"))
                    .note(
                        "on a resume another one may be first, and the body would take another \
                         way",
                    )
                    .help(
                        "write `race!` to go on with the first step that ends, or `join!` to wait \
                         for all",
                    ),
            );
            continue;
        }
        let sometimes = runs_sometimes(name);
        if call.count.is_some() && !sometimes {
            continue;
        }
        let Some(awaited) = call.awaited() else {
            let step = model.handle.as_ref().and_then(|handle| call.step(handle));
            // One of ours that cannot be read says so itself.
            if let Some(step) = step.filter(|_| call.concurrency().is_none()) {
                problems.report(unseen_step(name, &step));
            }
            continue;
        };
        let place = awaited.span().start();
        if seen.contains(&place) {
            continue;
        }
        seen.push(place);
        let (what, why) = if sometimes {
            (
                format!("what is awaited inside of `{name}!` runs only where it is enabled"),
                "levels and builds differ from process to process: a process that resumes the run \
                 might not reach the step, and the journal would contradict the body",
            )
        } else {
            (
                format!("what is awaited inside of `{name}!` cannot be seen"),
                "the arguments of this macro are not a list of expressions, so the compiler cannot \
                 see whether this would run again on every resume",
            )
        };
        problems.report(Problem::at(&awaited, what).note(why).help(
            "await it before: `let value = step.run(..).await?;`, and give the macro `value`",
        ));
    }
}

fn unseen_step(name: &Ident, step: &Ident) -> Problem {
    Problem::at(step, format!("a step inside of `{name}!` cannot be seen"))
        .note(
            "the arguments of this macro are not a list of expressions, so the compiler cannot see \
             what becomes of the step",
        )
        .help("make it before: `let later = step.run(..);`, and give the macro `later`")
}

/// Whether a macro evaluates its arguments at some levels or in some builds alone: those of `tracing`
/// and `log`, and `debug_assert!`.
fn runs_sometimes(name: &Ident) -> bool {
    const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];
    let name = name.to_string();
    let level = name.strip_suffix("_span").unwrap_or(&name);
    LEVELS.contains(&level)
        || ["log", "event", "span"].contains(&name.as_str())
        || name.starts_with("debug_assert")
}

/// What stands side by side are one to twelve branches; what races, two to eight.
pub(crate) fn join_some(model: &WorkflowModel, problems: &Problems) {
    for call in &model.macros {
        let (Some(kind), Some(name), Some(branches)) =
            (call.concurrency(), call.name(), call.count)
        else {
            continue;
        };
        let allowed = most_and_least(kind);
        if allowed.contains(&branches) {
            continue;
        }
        let most = allowed.end();
        problems.report(if branches > *most {
            let what = format!("`{name}!` has {branches} branches, and takes {most}");
            let help = format!("put branches that belong together into a `{name}!` of their own");
            Problem::at(name, what).help(help)
        } else if kind == Concurrency::Race {
            let what = format!("`{name}!` has nothing to race against");
            Problem::at(name, what).help(RACE_EXAMPLE)
        } else {
            let help = format!("name the steps that are to run side by side: {name}!(a, b)");
            Problem::at(name, format!("`{name}!` has nothing to wait for")).help(help)
        });
    }
}

/// What stands side by side can be read.
pub(crate) fn branches_can_be_read(model: &WorkflowModel, problems: &Problems) {
    for call in &model.macros {
        let (Some(error), Some(name)) = (call.unread_branches(), call.name()) else { continue };
        let what = format!("a branch of `{name}!` cannot be read: {error}");
        let problem = Problem::at_span(error.span(), what);
        problems.report(match call.concurrency() {
            Some(Concurrency::Race) => problem.help(RACE_EXAMPLE),
            _ => problem.help(format!("{name}!(a, b)")),
        });
    }
}

/// What stands side by side is awaited by the macro.
pub(crate) fn branches_are_not_awaited(model: &WorkflowModel, problems: &Problems) {
    for call in &model.macros {
        let Some(name) = call.name() else { continue };
        for awaited in &call.awaited_branches {
            problems.report(
                Problem::at(
                    awaited,
                    format!("this branch of `{name}!` is awaited before the others begin"),
                )
                .note(format!("`{name}!` takes operations, and awaits them side by side"))
                .help(format!("remove `.await`, and use what `{name}!` gives")),
            );
        }
    }
}

/// What stands side by side is written out; a list has a method of its own.
pub(crate) fn branches_are_no_lists(model: &WorkflowModel, problems: &Problems) {
    for call in &model.macros {
        let Some(name) = call.name() else { continue };
        for list in &call.listed_branches {
            problems.report(
                Problem::at(list, format!("a list is no branch of `{name}!`"))
                    .note("each branch is one operation, and their number is fixed at compile time")
                    .help("step.join_all(items.iter().map(|item| ..)).await gives the outcomes of a list, in its order"),
            );
        }
    }
}

/// Each outcome of a race has a branch that takes it.
pub(crate) fn patterns_leave_nothing_out(model: &WorkflowModel, problems: &Problems) {
    for pattern in model.macros.iter().flat_map(|call| &call.refutable_patterns) {
        problems.report(
            Problem::at(pattern, "this pattern does not fit all that its operation gives")
                .note("which branch wins is decided by what ends first, whatever it gives")
                .help("take it by a name, and tell the outcomes apart behind the arrow: paid = wait => match paid { .. }"),
        );
    }
}

const RACE_EXAMPLE: &str =
    "race! { paid = wait => Some(paid), () = step.sleep(\"give-up\", \"2 days\") => None }";

/// As many branches as the runtime has types for.
pub(crate) fn most_and_least(kind: Concurrency) -> RangeInclusive<usize> {
    match kind {
        Concurrency::Join | Concurrency::TryJoin => 1..=12,
        Concurrency::Race => 2..=8,
    }
}
