use syn::Expr;

use crate::model::{Method, Step, WorkflowModel, matched};
use crate::problem::{Problem, Problems};

/// What is waited for is named by its type, never by a string.
pub(crate) fn are_typed(model: &WorkflowModel, problems: &Problems) {
    let waits = model.steps.iter().filter(|step| step.method == Method::WaitForEvent);
    waits.filter(|wait| wait.event.is_none()).for_each(|wait| problems.report(untyped_wait(wait)));
}

fn untyped_wait(step: &Step) -> Problem {
    let problem = match &step.untyped {
        Some(name) => Problem::at(name, "an event is awaited by its type, not by a string"),
        None => Problem::at(&step.name, "this wait does not say for which event"),
    };
    problem
        .note(
            "the program subscribes to the event before any run begins, so the source has to name \
             its type",
        )
        .help("step.wait_for_event::<OrderPaid>(\"await-payment\")")
}

/// What a helper waits for does not depend on who calls it.
pub(crate) fn are_known(model: &WorkflowModel, problems: &Problems) {
    let events = model.steps.iter().filter_map(|step| step.event.as_ref());
    for event in events.filter(|event| model.is_generic_over(event)) {
        problems.report(
            Problem::at(event, "this helper would wait for another event with each caller")
                .note(
                    "the program subscribes to an event before any run begins, so the source has \
                     to name its type",
                )
                .help("write a helper for each event, or wait in the workflow"),
        );
    }
}

/// What is waited for is known outside of the body.
pub(crate) fn are_declared_outside(model: &WorkflowModel, problems: &Problems) {
    for event in model.steps.iter().filter_map(|step| step.event.as_ref()) {
        if let Some(name) = model.own_item(event) {
            problems.report(
                Problem::at(event, format!("`{name}` is known inside of this body only"))
                    .note(
                        "the program subscribes to the event before any run begins, and `app!` \
                         has to name it",
                    )
                    .help("declare it, or import it, beside the function"),
            );
        }
    }
}

/// `matching` stands right behind its wait.
pub(crate) fn are_matched_at_once(model: &WorkflowModel, problems: &Problems) {
    for method in model.strays.iter().filter(|method| *method == "matching") {
        problems.report(
            Problem::at(method, "`matching` stands right behind the wait")
                .note(
                    "the program subscribes to the event and its matching fields before any run \
                     begins",
                )
                .help("step.wait_for_event::<OrderPaid>(\"await-payment\").matching(..)"),
        );
    }
}

/// `matching` compares fields to values.
pub(crate) fn are_matched_by_field(model: &WorkflowModel, problems: &Problems) {
    let waits = model.steps.iter().filter(|step| step.method == Method::WaitForEvent);
    for wait in waits {
        let mut arguments = wait.arguments_of("matching");
        let Some(argument) = arguments.find(|it| matched(it).is_none()) else { continue };
        let help = match argument {
            Expr::Closure(_) => {
                "an event that passes a condition is waited for with `.filter(|event| ..)`"
            }
            _ => ".matching(order_id = order.id)",
        };
        problems.report(
            Problem::at(argument, "`matching` compares fields of the event: `field = value`")
                .note(
                    "an index finds the waits for an event by these values, however many waits \
                     there are",
                )
                .help(help),
        );
    }
}
