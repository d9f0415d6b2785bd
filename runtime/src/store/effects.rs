//! What a batch does beside adding rows: to older ones, to waits, to children, to inboxes.

use super::hints::{Stirred, Work};
use crate::event::EventId;
use crate::journal::{CancelKey, Change, Child, MatchKey, MessageId, RunCommit, RunId, Then};
use crate::payload::Payload;
use crate::workflow::StepKind;

#[derive(Default)]
pub(super) struct Effects<'a> {
    pub(super) dropped: Vec<DroppedRows>,
    pub(super) waits: Vec<NewWait<'a>>,
    pub(super) waited: Vec<Waited<'a>>,
    /// Children with their parents.
    pub(super) children: Vec<(RunId, &'a Child)>,
    /// The parents among them whose children make no system events.
    pub(super) silent: Vec<RunId>,
    pub(super) settled: Vec<Settled>,
    pub(super) cancels: Vec<Cancel>,
    pub(super) restarts: Vec<Restart<'a>>,
    pub(super) attributes: Vec<Attribute<'a>>,
    /// Runs that leave the worker and may have messages: parked ones, and held ones.
    pub(super) at_rest: Vec<RunId>,
    /// Runs with the steps whose futures are about to begin.
    pub(super) beginning: Vec<(RunId, &'a str)>,
    /// Runs that are over.
    pub(super) ended: Vec<RunId>,
    /// What it leaves to be done in its app.
    work: Work,
}

/// Rows that a carried loop no longer needs: from one place of a run's journal to before another,
/// but for outcomes that may have to be undone.
pub(super) struct DroppedRows {
    pub(super) run: RunId,
    pub(super) from: u32,
    pub(super) before: u32,
}

/// A wait that begins.
pub(super) struct NewWait<'a> {
    pub(super) run: RunId,
    pub(super) key: &'a str,
    pub(super) awaited: MatchKey,
    pub(super) described: &'a str,
    pub(super) from_trigger: bool,
}

/// A wait that is over.
pub(super) struct Waited<'a> {
    pub(super) run: RunId,
    pub(super) key: &'a str,
    /// The event that it has taken, if any.
    pub(super) event: Option<EventId>,
}

/// A message that a run is done with.
pub(super) struct Settled {
    pub(super) run: RunId,
    pub(super) message: MessageId,
    /// Whether the run has taken it.
    pub(super) taken: bool,
}

/// A run that begins anew.
pub(super) struct Restart<'a> {
    pub(super) run: RunId,
    pub(super) cancels: &'a [CancelKey],
    pub(super) input: &'a Payload,
    /// The generation that is over.
    pub(super) generation: u32,
}

/// What a run is found by.
pub(super) struct Attribute<'a> {
    pub(super) run: RunId,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// A child that is asked to cancel.
pub(super) struct Cancel {
    pub(super) child: RunId,
    pub(super) parent: RunId,
    pub(super) reason: String,
}

/// The event that a wait has taken, whose id its outcome begins with.
fn taken_event(change: &Change) -> Option<EventId> {
    let Change::Succeed { outcome, .. } = change else { return None };
    outcome.as_str().strip_prefix(r#"{"id":""#)?.get(..36)?.parse().ok()
}

impl<'a> Effects<'a> {
    pub(super) fn of(batch: impl IntoIterator<Item = &'a RunCommit>) -> Self {
        let mut effects = Self::default();
        batch.into_iter().for_each(|commit| effects.push(commit));
        effects
    }

    /// Whether the batch writes only entries, and how its runs go on.
    pub(super) fn are_none(&self) -> bool {
        let Self {
            dropped,
            waits,
            waited,
            children,
            silent: _,
            settled,
            cancels,
            restarts,
            attributes,
            beginning,
            at_rest: _,
            ended: _,
            work: _,
        } = self;
        dropped.is_empty()
            && waits.is_empty()
            && waited.is_empty()
            && children.is_empty()
            && settled.is_empty()
            && cancels.is_empty()
            && restarts.is_empty()
            && attributes.is_empty()
            && beginning.is_empty()
    }

    fn push(&mut self, commit: &'a RunCommit) {
        let run = commit.run;
        let ends = matches!(commit.then, Then::End(_));
        if commit.silent {
            self.silent.push(run);
        }
        for (entry, seq) in commit.entries.iter().zip(commit.first_seq..) {
            let key = entry.key.as_str();
            match &entry.change {
                Change::Wait { awaited, described, from_trigger, .. } if !ends => {
                    let (awaited, from_trigger) = (*awaited, *from_trigger);
                    self.waits.push(NewWait { run, key, awaited, described, from_trigger });
                }
                Change::Invoke { child, .. } => {
                    self.children.push((run, child));
                    if ends && !child.detached {
                        self.cancel(run, child.id, "has ended");
                    }
                }
                Change::Carry { replaces: Some(from), .. } => {
                    self.dropped.push(DroppedRows { run, from: *from, before: seq });
                }
                Change::Abandon { cancelled: Some(child) } => {
                    self.cancel(run, *child, "no longer waits for it");
                }
                Change::Fail { cancelled: Some(child), .. } => {
                    self.cancel(run, *child, "has waited long enough");
                }
                Change::Undo { cancelled, .. } => {
                    cancelled
                        .iter()
                        .for_each(|child| self.cancel(run, *child, "does not complete"));
                }
                _ => {}
            }
            let over = matches!(
                entry.change,
                Change::Abandon { .. } | Change::Succeed { .. } | Change::Fail { .. }
            );
            if over && entry.kind == StepKind::WaitForEvent && !ends {
                self.waited.push(Waited { run, key, event: taken_event(&entry.change) });
            }
        }
        // With a run's end its waits and messages are gone in any case.
        if !ends {
            let taken = commit.taken.iter().map(|message| (*message, true));
            let discarded = commit.discarded.iter().map(|message| (*message, false));
            let settled = taken.chain(discarded);
            self.settled.extend(settled.map(|(message, taken)| Settled { run, message, taken }));
        }
        if let Then::Restart { input, cancels, generation } = &commit.then {
            self.restarts.push(Restart { run, cancels, input, generation: *generation });
        }
        let attributes = commit.attributes.iter();
        self.attributes.extend(attributes.map(|(key, value)| Attribute { run, key, value }));
        self.beginning.extend(commit.beginning.iter().map(|steps| (run, &**steps)));
        self.children.extend(commit.handlers.iter().map(|handler| (run, handler)));
        self.work |= match commit.then {
            Then::Park(Some(_)) => Work::TIMERS,
            Then::Release | Then::Restart { .. } => Work::READY,
            Then::Park(None) | Then::Hold(_) | Then::End(_) | Then::Continue => Work::empty(),
        };
        match commit.then {
            Then::Park(_) | Then::Hold(_) => self.at_rest.push(run),
            Then::End(_) => self.ended.push(run),
            Then::Continue | Then::Release | Then::Restart { .. } => {}
        }
    }

    /// What its commit stirs in its app, but for the events that it sends and the runs that it tells
    /// something.
    pub(super) fn stirred(&self, app: &str) -> Stirred {
        // A child that has gates may run under its parent's slot.
        let begun = self.children.iter().map(|(_, child)| match child.gates.is_empty() {
            true => Work::READY,
            false => Work::READY | Work::GATES,
        });
        let begun: Work = begun.collect();
        Stirred::of(app, self.work | begun).ended(self.ended.iter().copied())
    }

    /// The runs that begin, with the events that cancel them.
    pub(super) fn begun(&self) -> impl Iterator<Item = (RunId, &'a [CancelKey])> {
        let children = self.children.iter().map(|(_, child)| (child.id, &*child.cancels));
        children.chain(self.restarts.iter().map(|restart| (restart.run, restart.cancels)))
    }

    fn cancel(&mut self, parent: RunId, child: RunId, why: &str) {
        let reason = format!("its parent run {parent} {why}");
        self.cancels.push(Cancel { child, parent, reason });
    }
}
