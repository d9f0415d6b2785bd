use syn::Expr;

use crate::model::WorkflowModel;
use crate::problem::{Problem, Problems};

/// What undoes a step is a function by its name.
pub(crate) fn are_functions(model: &WorkflowModel, problems: &Problems) {
    for step in &model.steps {
        for undo in step.arguments_of("undo").filter(|undo| !matches!(undo, Expr::Path(_))) {
            problems.report(
                Problem::at(undo, format!("the undo of {} is no function's name", step.title()))
                    .note(
                        "an undo runs when the body is gone, perhaps in another process, so all it \
                         can use of the body is what the step gave",
                    )
                    .help(
                        "write a function beside the workflow, `async fn release(reservation: \
                         Reservation, Resource(shop): Resource<Shop>) -> Result<(), Failure>`, and \
                         give its name: `.undo(release)`",
                    ),
            );
        }
    }
}

/// What undoes a step is known outside of the body.
pub(crate) fn are_declared_outside(model: &WorkflowModel, problems: &Problems) {
    let undos = model.steps.iter().flat_map(|step| step.arguments_of("undo"));
    for name in undos.filter_map(|undo| model.own_undo(undo)) {
        problems.report(
            Problem::at(name, format!("the undo `{name}` is known inside of this body only"))
                .note("an undo runs when the body is gone, perhaps in another process")
                .help("declare it, or import it, beside the function"),
        );
    }
}

/// An undo stands right behind its step.
pub(crate) fn are_known_at_once(model: &WorkflowModel, problems: &Problems) {
    for method in model.strays.iter().filter(|method| *method == "undo") {
        problems.report(
            Problem::at(method, "`undo` stands right behind the step")
                .note(
                    "the compiler has to see which function undoes a step: the undo runs when the \
                     body is gone",
                )
                .help("let reserved = step.run(\"reserve\", ..).undo(release);"),
        );
    }
}
