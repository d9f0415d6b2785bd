use std::collections::BTreeMap;

use syn::{Expr, LitStr};

use crate::model::{Method, StepId, WorkflowModel};
use crate::parse::{is_kebab_case, to_kebab_case};
use crate::problem::{Problem, Problems};

const WHY: &str = "a resumed run finds the outcome of a step by its id, so the id has to be known \
                   when the workflow is compiled";

/// A step's id is a string literal.
pub(crate) fn are_literal(model: &WorkflowModel, problems: &Problems) {
    for step in &model.steps {
        match &step.id {
            StepId::Literal(..) => {}
            StepId::Other(other) => {
                let what = "the id of a step is a string literal";
                let help = match &**other {
                    Expr::Path(_) | Expr::Field(_) | Expr::Reference(_) | Expr::Macro(_) => {
                        "write the id itself: \"name-of-the-step\"; the same step in a loop is told \
                         apart by its occurrence"
                    }
                    _ => "give the step its id first: step.run(\"name-of-the-step\", ..)",
                };
                problems.report(Problem::at(other, what).note(WHY).help(help));
            }
            StepId::Missing(span) => problems.report(
                Problem::at_span(*span, "this step has no id")
                    .note(WHY)
                    .help("give it one as its first argument: \"name-of-the-step\""),
            ),
        }
    }
}

/// A step's id is kebab-case.
pub(crate) fn are_kebab_case(model: &WorkflowModel, problems: &Problems) {
    for (id, text) in literals(model) {
        if is_kebab_case(text) {
            continue;
        }
        let help = match to_kebab_case(text) {
            kebab if is_kebab_case(&kebab) => format!("write \"{kebab}\""),
            _ => "for example \"fetch-ticket\"".to_owned(),
        };
        problems.report(
            Problem::at(id, format!("the step id `{text}` is not kebab-case"))
                .note(
                    "ids are stored, and name the step in journals, logs and diagrams; they are \
                     words of `a-z` and `0-9` with hyphens between, at most 128 bytes",
                )
                .help(help),
        );
    }
}

/// No two steps of a body have one id.
pub(crate) fn are_unique(model: &WorkflowModel, problems: &Problems) {
    let mut firsts: BTreeMap<&str, (&LitStr, bool)> = BTreeMap::new();
    for (id, text) in literals(model) {
        let Some((first, shown)) = firsts.get_mut(text) else {
            firsts.insert(text, (id, false));
            continue;
        };
        problems.report(
            Problem::at(id, format!("another step of this workflow has the id `{text}`"))
                .note(
                    "a resumed run finds the outcome of a step by its id, so it could give this \
                     step the outcome of the other",
                )
                .help("give each step an id of its own"),
        );
        if !std::mem::replace(shown, true) {
            problems.report(Problem::at(*first, format!("the other step `{text}` is here")));
        }
    }
}

fn literals(model: &WorkflowModel) -> impl Iterator<Item = (&LitStr, &str)> {
    model.steps.iter().filter_map(|step| match &step.id {
        // A helper's id and a loop's are made from what is there.
        StepId::Literal(literal, id) if !matches!(step.method, Method::Call | Method::Carried) => {
            Some((literal, id.as_str()))
        }
        _ => None,
    })
}
