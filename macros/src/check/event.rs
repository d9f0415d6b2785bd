use crate::model::EventModel;
use crate::parse::event_name_flaw;
use crate::problem::{Problem, Problems};

/// An event's name is `area/what-happened`.
pub(crate) fn name_is_well_formed(model: &EventModel, problems: &Problems) {
    let Some(name) = &model.name else { return };
    let Some(flaw) = event_name_flaw(&name.value()) else { return };
    problems.report(
        Problem::at(name, format!("`{}` cannot name an event: {flaw}", name.value()))
            .note("other programs send and see the event under this name")
            .help("write `area/what-happened`: \"ticket/created\", \"app/comment.posted\""),
    );
}

/// Events of the area `indelible` are Indelible's own.
pub(crate) fn name_is_not_reserved(model: &EventModel, problems: &Problems) {
    let Some(name) = &model.name else { return };
    if !name.value().starts_with("indelible/") {
        return;
    }
    problems.report(
        Problem::at(name, format!("the name `{}` is reserved", name.value()))
            .note(
                "Indelible itself sends the events named `indelible/..`; a workflow that one of them \
                 starts has to be able to rely on it",
            )
            .help("name the area of your application: \"ticket/created\", \"app/comment.posted\""),
    );
}

/// An event is one type: its name stands for one schema.
pub(crate) fn is_not_generic(model: &EventModel, problems: &Problems) {
    let generics = &model.item.generics;
    if !generics.params.is_empty() {
        problems.report(
            Problem::at(&generics.params, "an event is not generic")
                .note("its name stands for one type with one schema")
                .help("write an event for each type"),
        );
    }
}
