//! The rule that a body does the same on every resume.

mod body;
mod known;
mod names;
mod order;
mod paths;
mod seen;
mod sources;
mod tables;
#[cfg(test)]
mod tests;

use syn::Ident;

use self::body::{Body, Finding, Found};
use self::sources::Source;
use crate::model::WorkflowModel;
use crate::problem::{Problem, Problems};

/// The body does the same on every resume: clock, randomness, environment, files, network and
/// threads belong into steps.
///
/// Gives where rustc has to be asked: where the order of something shows that may be a hash table.
pub(crate) fn is_kept(model: &WorkflowModel, problems: &Problems) -> Vec<Ident> {
    let mut asked_at = Vec::new();
    let found = Body::of(&model.function, model.handle.as_ref()).into_iter();
    for Found { place, finding, .. } in found.filter(|it| !model.allows("determinism", &it.place)) {
        let (what, source, is_guessed) = match finding {
            Finding::Seen { what, source, is_guessed } => (what, source, is_guessed),
            Finding::Asked(place) => {
                asked_at.push(place);
                continue;
            }
        };
        let Source { why, instead, .. } = source;
        let what = if is_guessed { format!("`{what}`, by its name,") } else { format!("`{what}`") };
        let problem = Problem::at(&place, format!("{what} {why}")).note(
            "a resumed run runs its body again from the start, and has to reach the same steps \
             with the same values",
        );
        problems.report(if is_guessed {
            problem.help(format!(
                "{instead}; if it does something else, say so above the statement: \
                 `#[workflow(allow(determinism, reason = \"..\"))]`"
            ))
        } else {
            problem.help(instead)
        });
    }
    asked_at
}
