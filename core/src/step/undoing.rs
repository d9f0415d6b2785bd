use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::Run;
use super::context::Context;
use super::held::Held;
use super::operations::Instruction;
use super::undo::Undo;
use crate::journal::{RunId, StateKey};
use crate::payload::Payload;
use crate::workflow::StepKind;

/// How long an attempt to undo a step may take: nobody is left to say so for each, and one that hangs
/// would keep the run from its end.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The undos of a run in progress.
pub(crate) type UndoingFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Undoes what a run did whose body is gone: waits until its attached children have stopped, and then
/// undoes its steps, the last to be committed first. What becomes of each is in the journal.
///
/// A child that has completed after all is undone as well, if its step has an undo. One undo that
/// fails for good does not keep the others from being tried.
pub(crate) fn undoing(
    context: Context,
    undos: &'static [Undo],
    mut steps: Vec<(StateKey, Payload)>,
    children: Vec<(StateKey, RunId)>,
) -> UndoingFuture {
    Box::pin(async move {
        steps.extend(stopped(&context, undos, children).await);
        // Iterations of a carried loop give their steps the same keys.
        let mut occurrences: HashMap<&StateKey, u32> = HashMap::new();
        for (key, output) in steps.iter().rev() {
            let occurrence = occurrences.entry(key).or_default();
            let held = StateKey::of_undo(key, *occurrence);
            *occurrence += 1;
            let held = Held::at(&context.operations, held, StepKind::Undo);
            let attempt = || Undo::attempt(undos, &context, key, output);
            // What becomes of it is on record: a step like any, with the workflow's retries.
            let _ = Run::of(held, attempt).timeout(TIMEOUT).await;
        }
    })
}

/// Waits for the ends of children; gives those that have an undo and have completed.
async fn stopped(
    context: &Context,
    undos: &'static [Undo],
    mut children: Vec<(StateKey, RunId)>,
) -> Vec<(StateKey, Payload)> {
    let operations = &context.operations;
    for (key, child) in &children {
        let undo = Undo::find(undos, key.as_str()).is_some();
        operations.lock().await_child(key, *child, undo);
    }
    let mut completed = Vec::new();
    poll_fn(|cx| {
        // Outcomes come one at a time, so this is the order of their commits.
        children.retain(|(key, _)| match operations.lock().poll(key, StepKind::Invoke, None, cx) {
            Instruction::Take(resolution) => {
                let undoable = resolution.outcome.ok();
                let undoable = undoable.filter(|_| Undo::find(undos, key.as_str()).is_some());
                completed.extend(undoable.map(|output| (key.clone(), output)));
                false
            }
            _ => true,
        });
        if children.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    completed
}
