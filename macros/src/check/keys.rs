use crate::model::WorkflowModel;
use crate::problem::{Problem, Problems};

/// Steps of one id that may be in progress at the same time have a key each.
pub(crate) fn tell_concurrent_steps_apart(model: &WorkflowModel, problems: &Problems) {
    let steps = model.steps.iter().enumerate().filter(|(_, step)| step.method.is_awaited());
    for (index, step) in steps.filter(|(_, step)| step.is_concurrent && !step.has_a_key()) {
        // One that is not begun at all was reported for that.
        if model.unused.iter().any(|unused| unused.step == index) {
            continue;
        }
        let what = format!("{} is begun several times at once, without a key", step.subject());
        problems.report(
            Problem::at(&step.name, what)
                .note(
                    "a resumed run finds each outcome by its key; without one it could only go by \
                     their order, and a changed list would mix up the outcomes",
                )
                .help("add a key that differs for each item: `.key(item.id)`"),
        );
    }
}
