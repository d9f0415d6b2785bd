use crate::model::WorkflowModel;
use crate::parse::{is_kebab_case, to_kebab_case};
use crate::problem::{Problem, Problems};

/// A workflow's id is kebab-case, of at most 128 bytes.
pub(crate) fn id_is_kebab_case(model: &WorkflowModel, problems: &Problems) {
    let id = model.id();
    if is_kebab_case(&id.value()) {
        return;
    }
    let suggestion = match to_kebab_case(&id.value()) {
        kebab if is_kebab_case(&kebab) => kebab,
        _ => "on-ticket-created".to_owned(),
    };
    problems.report(
        Problem::at(&id, format!("the id `{}` of the workflow is not kebab-case", id.value()))
            .note(
                "ids are stored with every run and shown in logs and metrics; they are words of \
                 `a-z` and `0-9` with hyphens between, at most 128 bytes",
            )
            .help(format!("id = \"{suggestion}\"")),
    );
}

/// A backoff does not begin above its own bound.
pub(crate) fn backoff_grows(model: &WorkflowModel, problems: &Problems) {
    let Some(backoff) = &model.configuration.backoff else { return };
    if let (Some((initial, place)), Some((max, _))) = (&backoff.initial, &backoff.max)
        && initial > max
    {
        problems.report(
            Problem::at(place, "the first wait is longer than the longest")
                .note("the wait doubles with each attempt, from `initial` up to `max`"),
        );
    }
}
