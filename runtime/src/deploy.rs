//! A program in the place of an earlier one: which unfinished runs have been where it has nothing.

use tracing::warn;

use crate::journal::RunId;
use crate::store::{Recorded, Registry, StoreError};
use crate::workflow::shape::{Change, Shapes};

/// A state that unfinished runs have recorded and that is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Departed {
    pub(crate) workflow: String,
    pub(crate) state: String,
    change: Change,
    /// At least so many runs.
    pub(crate) runs: u64,
    /// One of them.
    pub(crate) example: RunId,
}

impl Departed {
    pub(crate) fn warn(&self) {
        let instead = self.change.harm().map(|harm| harm.instead).unwrap_or_default();
        warn!(
            workflow = self.workflow,
            state = self.state,
            runs = self.runs,
            example = %self.example,
            "{}, but unfinished runs have recorded it; they will be held until a program fits their journals; {instead}",
            self.change
        );
    }
}

/// Leaves the shapes of this program in place of those of the one before, and finds what is gone.
pub(crate) async fn reshape(
    registry: &dyn Registry,
    shapes: &Shapes,
) -> Result<Vec<Departed>, StoreError> {
    let mut departed = Vec::new();
    for (workflow, new) in &shapes.workflows {
        let text = shapes.only(workflow).to_string();
        let Some(before) = registry.reshape_workflow(&shapes.app, workflow, &text).await? else {
            continue;
        };
        // What cannot be read was left by a later version, which knows of states that this does not.
        let Some(old) = (before != text).then(|| before.parse::<Shapes>().ok()).flatten() else {
            continue;
        };
        let Some(old) = old.workflows.get(workflow) else { continue };
        let changes = old.changes_to(new);
        if changes.iter().all(|change| change.gone().is_none()) {
            continue;
        }
        let recorded = registry.recorded_lines(&shapes.app, workflow).await?;
        departed.extend(changes.into_iter().filter_map(|change| {
            let state = change.gone()?.to_owned();
            let Recorded { runs, example, .. } = most(&recorded, &state)?;
            let (workflow, runs, example) = (workflow.clone(), *runs, *example);
            Some(Departed { workflow, state, change, runs, example })
        }));
    }
    Ok(departed)
}

/// The key of a state that most runs have; its later occurrences are in fewer.
fn most<'r>(recorded: &'r [Recorded], state: &str) -> Option<&'r Recorded> {
    // The shape tells apart two calls of one helper; which of them a key is of, is not known.
    let state = state.split('/').map(|part| part.split('#').next().unwrap_or(part));
    let state = state.collect::<Vec<_>>().join("/");
    recorded.iter().filter(|line| line.key.state() == state).max_by_key(|line| line.runs)
}
