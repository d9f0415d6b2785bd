use crate::model::{Unused, WorkflowModel};
use crate::problem::{Problem, Problems};

/// A durable operation is awaited: until then it does nothing.
pub(crate) fn are_used(model: &WorkflowModel, problems: &Problems) {
    let unused = model.unused.iter();
    for Unused { step, place } in unused.filter(|it| !model.allows("used_outcomes", &it.place)) {
        let what = format!("the step {} is never awaited", model.steps[*step].title());
        problems.report(
            Problem::at(place, what)
                .note("a step does nothing until it is awaited, so it would never be done")
                .help("add `.await` at its end, or await it in `join!`"),
        );
    }
}
