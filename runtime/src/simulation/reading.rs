//! What a journal says, read without the machine's help.

use crate::journal::{Row, StateKey, Transition};
use crate::workflow::StepKind;

/// Whether a line is left of a carried loop's earlier iteration, only to be undone. The keys of such
/// lines are used anew.
pub(super) fn is_kept(journal: &[Row], row: &Row) -> bool {
    journal.iter().any(|later| match later.transition {
        Transition::Carried { first: Some(first), .. } => (first..later.seq).contains(&row.seq),
        _ => false,
    })
}

/// Why a run is being undone, once it is.
pub(super) fn undoing(journal: &[Row]) -> Option<&Row> {
    journal.iter().find(|row| matches!(row.transition, Transition::Undoing { .. }))
}

/// What is to be undone if a run does not complete, the last to be committed first.
pub(super) fn to_undo(journal: &[Row]) -> impl Iterator<Item = &Row> {
    let undoable = |row: &&Row| matches!(row.transition, Transition::Succeeded { undo: true, .. });
    journal.iter().rev().filter(undoable)
}

/// The ends of undos, in order, with the steps that they have undone or not.
pub(super) fn undone(journal: &[Row]) -> impl Iterator<Item = (StateKey, &Row)> {
    let ends = journal.iter().filter(|row| row.transition.is_outcome());
    ends.filter_map(|row| Some((undo_of(row)?, row)))
}

/// The step that a line is about the undo of.
pub(super) fn undo_of(row: &Row) -> Option<StateKey> {
    let (step, _) = row.key.as_str().strip_prefix("undo(")?.rsplit_once(')')?;
    (row.kind == StepKind::Undo).then(|| step.into())
}
