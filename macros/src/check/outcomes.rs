use crate::model::{Boxed, Unused, WorkflowModel};
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
    let joins = model.dropped_joins.iter();
    for join in joins.filter(|join| !model.allows("used_outcomes", join)) {
        problems.report(
            Problem::at(join, "this `join_all` is never awaited")
                .note("its steps do nothing until it is awaited, so they would never be done")
                .help("add `.await` at its end"),
        );
    }
}

/// What the handle gives at once is not awaited.
pub(crate) fn are_waited_for(model: &WorkflowModel, problems: &Problems) {
    // Of a restart is said that it has to be what the body returns.
    for method in model.awaited_values.iter().filter(|method| *method != "restart") {
        problems.report(
            Problem::at(method, format!("`{method}` gives its value at once"))
                .note("it is made from what the run knows already, so there is nothing to wait for")
                .help("remove `.await`"),
        );
    }
}

/// What awaits its branches is not awaited itself.
pub(crate) fn are_awaited_once(model: &WorkflowModel, problems: &Problems) {
    for name in &model.awaited_macros {
        problems.report(
            Problem::at(name, format!("`{name}!` awaits its branches itself"))
                .note("it gives their outcomes, and there is nothing left to wait for")
                .help("remove `.await`"),
        );
    }
}

/// A step is awaited itself.
pub(crate) fn are_in_no_box(model: &WorkflowModel, problems: &Problems) {
    for Boxed { step, place } in &model.boxed {
        let what = format!("{} is put in a box before it is awaited", model.steps[*step].subject());
        problems.report(
            Problem::at(place, what)
                .note(
                    "it becomes a future only when it is awaited, so there is nothing to put in a \
                     box yet",
                )
                .help("remove the box: what it holds needs none"),
        );
    }
}
