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
                        "an undo runs when the body is gone, perhaps in another process, so it can \
                         use nothing of the body's but what the step gave",
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
