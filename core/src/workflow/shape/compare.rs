//! What changed between two shapes, and whether a run that began under the old one resumes under
//! the new one.
//!
//! A run resumes by replaying its journal against the body from the start. So it resumes if all that
//! it may have recorded comes up again on the way that it took: every step that was there is, of its
//! kind and with its neighbours, and no step has come up before one that may be recorded. What is new
//! may only stand where a run that got so far was over.

use std::collections::{BTreeMap, BTreeSet};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{Change, Flow, Line, Place, Shapes, Subject, UNDO, WorkflowShape, widening};
use crate::workflow::StepKind;

impl Shapes {
    /// What changed from these shapes to new ones, in order of the subjects' names.
    pub fn changes_to(&self, new: &Self) -> Vec<(Subject, Change)> {
        let mut changes = Vec::new();
        if self.app != new.app {
            let (from, to) = (self.app.clone(), new.app.clone());
            changes.push((Subject::App(to.clone()), Change::AppRenamed { from, to }));
        }
        for name in names(&self.events, &new.events) {
            let found = match (self.events.get(&name), new.events.get(&name)) {
                (Some(old), Some(new)) => widening::compare(old, new),
                (Some(_), None) => vec![Change::EventRemoved],
                (None, _) => vec![Change::EventAdded],
            };
            changes.extend(found.into_iter().map(|change| (Subject::Event(name.clone()), change)));
        }
        for id in names(&self.workflows, &new.workflows) {
            let found = match (self.workflows.get(&id), new.workflows.get(&id)) {
                (Some(old), Some(new)) => old.changes_to(new),
                (Some(_), None) => vec![Change::WorkflowRemoved],
                (None, _) => vec![Change::WorkflowAdded],
            };
            changes.extend(found.into_iter().map(|change| (Subject::Workflow(id.clone()), change)));
        }
        changes
    }
}

fn names<T>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> BTreeSet<String> {
    old.keys().chain(new.keys()).cloned().collect()
}

impl WorkflowShape {
    /// What changed from this shape to a new one of the same workflow.
    pub fn changes_to(&self, new: &Self) -> Vec<Change> {
        let removed = self.triggers.difference(&new.triggers);
        let added = new.triggers.difference(&self.triggers);
        let mut changes: Vec<_> =
            removed.map(|event| Change::TriggerRemoved { event: event.clone() }).collect();
        changes.extend(added.map(|event| Change::TriggerAdded { event: event.clone() }));
        if self.form != new.form {
            changes.push(Change::FormChanged { from: self.form, to: new.form });
        }
        changes.extend(widening::compare(&self.input, &new.input));
        let flow = flow(&self.flow, &new.flow);
        let known = self.settings_after(&flow, new);
        let removed = known.difference(&new.settings);
        changes.extend(removed.map(|setting| Change::SettingRemoved { setting: setting.clone() }));
        let added = new.settings.difference(&known);
        changes.extend(added.map(|setting| Change::SettingAdded { setting: setting.clone() }));
        changes.extend(flow);
        changes
    }

    /// The settings, with the undos of renamed steps under the new names: a rename is told once. An undo
    /// that went with the old name keeps it, and is told, too.
    fn settings_after(&self, flow: &[Change], new: &Self) -> BTreeSet<String> {
        let mut settings = self.settings.clone();
        for change in flow {
            let Change::StepRenamed { from, to } = change else { continue };
            let [from, to] = [from, to].map(|step| format!("{UNDO} {step}"));
            if new.settings.contains(&to) && settings.remove(&from) {
                settings.insert(to);
            }
        }
        settings
    }
}

/// What changed in the steps and in the ways between them.
fn flow(old: &Flow, new: &Flow) -> Vec<Change> {
    if old == new {
        return Vec::new();
    }
    let mut changes = kinds(old, new);
    changes.extend(awaited(old, new));
    let steps =
        |flow: &Flow| -> Vec<_> { flow.steps().map(|(id, kind)| (id.to_owned(), kind)).collect() };
    let values = Alignment::of(&steps(old), &steps(new)).renamed;
    let is_value = |id: &String| old.derived().iter().any(|(value, _)| value == id);
    changes.extend(
        values
            .into_iter()
            .filter(|(from, _)| is_value(from))
            .map(|(from, to)| Change::DerivedRenamed { from, to }),
    );

    let Alignment { renamed, mut removed, mut added, moved } =
        Alignment::of(&old.recorded(), &new.recorded());
    // One that began or ceased to record what it does has been named.
    removed.retain(|id| !new.ids().contains(id));
    added.retain(|id| !old.ids().contains(id));

    let mut before = Ways::of(old, &renamed, &new.ids());
    let mut after = Ways::of(new, &BTreeMap::new(), &before.ids);
    let unrecorded = |flow: &Flow| flow.derived().into_iter().map(|(id, _)| id);
    unrecorded(old).chain(removed.iter().cloned()).for_each(|id| before.bypass(&Stop::Step(id)));
    unrecorded(new).for_each(|id| after.bypass(&Stop::Step(id)));

    changes.extend(renamed.into_iter().map(|(from, to)| Change::StepRenamed { from, to }));
    changes.extend(removed.into_iter().map(|id| Change::StepRemoved { id }));
    changes.extend(added.iter().cloned().map(|id| match after.obstacle(&id, &before) {
        None => Change::StepAppended { id },
        Some(before) => Change::StepInserted { id, before },
    }));
    added.into_iter().for_each(|id| after.bypass(&Stop::Step(id)));
    if let Some(rewired) = before.rewired(&after) {
        match moved.is_empty() {
            true => changes.push(rewired),
            false => changes.extend(moved.into_iter().map(|id| {
                let mut rest =
                    new.recorded().into_iter().map(|(id, _)| id).skip_while(|at| *at != id);
                let before = rest.nth(1);
                Change::StepMoved { id, before }
            })),
        }
    }
    if changes.is_empty() {
        changes.push(Change::Redrawn);
    }
    changes
}

/// The steps that have become steps of another kind.
fn kinds(old: &Flow, new: &Flow) -> Vec<Change> {
    let new: BTreeMap<_, _> = new.steps().collect();
    old.steps()
        .filter_map(|(id, from)| {
            let to = *new.get(id)?;
            (from != to).then(|| Change::KindChanged { id: id.to_owned(), from, to })
        })
        .collect()
}

/// The waits that have become waits for another event.
fn awaited(old: &Flow, new: &Flow) -> Vec<Change> {
    let new: BTreeMap<_, _> = new.awaited().collect();
    old.awaited()
        .filter_map(|(id, from)| {
            let to = *new.get(id)?;
            let (id, from, to) = (id.to_owned(), from.to_owned(), to.to_owned());
            (from != to).then_some(Change::AwaitedChanged { id, from, to })
        })
        .collect()
}

impl Flow {
    /// The steps that wait for an event, and for which.
    fn awaited(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|line| match (&line.place, &line.event) {
            (Place::Step(id, _), Some(event)) => Some((id.as_str(), event.as_str())),
            _ => None,
        })
    }

    fn steps(&self) -> impl Iterator<Item = (&str, StepKind)> {
        self.0.iter().filter_map(|line| match &line.place {
            Place::Step(id, kind) => Some((id.as_str(), *kind)),
            _ => None,
        })
    }

    fn ids(&self) -> BTreeSet<String> {
        self.steps().map(|(id, _)| id.to_owned()).collect()
    }

    /// The steps whose outcomes are in the journal, in the order of the source.
    fn recorded(&self) -> Vec<(String, StepKind)> {
        let recorded = self.steps().filter(|(_, kind)| *kind != StepKind::Derive);
        recorded.map(|(id, kind)| (id.to_owned(), kind)).collect()
    }

    /// The steps that leave nothing in the journal.
    fn derived(&self) -> Vec<(String, StepKind)> {
        let derived = self.steps().filter(|(_, kind)| *kind == StepKind::Derive);
        derived.map(|(id, kind)| (id.to_owned(), kind)).collect()
    }
}

/// Which step of one list is which of another.
#[derive(Default)]
struct Alignment {
    renamed: BTreeMap<String, String>,
    removed: Vec<String>,
    added: Vec<String>,
    moved: Vec<String>,
}

impl Alignment {
    /// One that stands where another of its kind stood is that one, renamed.
    fn of(old: &[(String, StepKind)], new: &[(String, StepKind)]) -> Self {
        let has =
            |steps: &[(String, StepKind)], id: &str| steps.iter().any(|(other, _)| other == id);
        let ids = |steps: &[(String, StepKind)]| -> Vec<String> {
            steps.iter().map(|(id, _)| id.clone()).collect()
        };
        let mut alignment = Self::default();
        for op in capture_diff_slices(Algorithm::Myers, &ids(old), &ids(new)) {
            if matches!(op, DiffOp::Equal { .. }) {
                continue;
            }
            let (gone, come) = (&old[op.old_range()], &new[op.new_range()]);
            alignment
                .moved
                .extend(come.iter().filter(|(id, _)| has(old, id)).map(|(id, _)| id.clone()));
            let mut come: Vec<_> = come.iter().filter(|(id, _)| !has(old, id)).collect();
            for (id, kind) in gone.iter().filter(|(id, _)| !has(new, id)) {
                match come.iter().position(|(_, other)| other == kind) {
                    Some(index) => {
                        alignment.renamed.insert(id.clone(), come.remove(index).0.clone());
                    }
                    None => alignment.removed.push(id.clone()),
                }
            }
            alignment.added.extend(come.into_iter().map(|(id, _)| id.clone()));
        }
        alignment
    }
}

/// A place by a name that is the same before and after: a step by its id, a fork by a step that begins
/// a branch of it before and after, and by how many forks stand between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Start,
    Step(String),
    Fork(Option<(String, usize)>),
    Join(Option<(String, usize)>),
    Over,
}

/// What may follow what.
struct Ways {
    ids: BTreeSet<String>,
    next: BTreeMap<Stop, BTreeSet<Stop>>,
}

impl Ways {
    /// The ways of a flow, with its steps renamed; forks go by the steps that are in `known`.
    fn of(flow: &Flow, renamed: &BTreeMap<String, String>, known: &BTreeSet<String>) -> Self {
        let id = |id: &String| renamed.get(id).unwrap_or(id).clone();
        let name = |step: &String| Some(id(step)).filter(|id| known.contains(id));
        let stop = |place: &Place| match place {
            Place::Start => Stop::Start,
            Place::Step(step, _) => Stop::Step(id(step)),
            Place::Fork(number) => Stop::Fork(anchor(flow, *number, &name)),
            Place::Join(number) => Stop::Join(anchor(flow, *number, &name)),
            Place::End | Place::Failed | Place::Restarted => Stop::Over,
        };
        let mut next = BTreeMap::<_, BTreeSet<_>>::new();
        for Line { place, next: following, .. } in &flow.0 {
            next.entry(stop(place)).or_default().extend(following.iter().map(stop));
        }
        let ids = flow.steps().map(|(step, _)| id(&step.to_owned())).collect();
        let mut ways = Self { ids, next };
        let nameless = |stop: &&Stop| matches!(stop, Stop::Fork(None) | Stop::Join(None));
        for stop in ways.next.keys().filter(nameless).cloned().collect::<Vec<_>>() {
            ways.bypass(&stop);
        }
        ways
    }

    fn after(&self, stop: &Stop) -> impl Iterator<Item = &Stop> {
        self.next.get(stop).into_iter().flatten()
    }

    /// Takes a stop out: what led to it leads to what followed it.
    fn bypass(&mut self, stop: &Stop) {
        let mut following = self.next.remove(stop).unwrap_or_default();
        following.remove(stop);
        for next in self.next.values_mut() {
            if next.remove(stop) {
                next.extend(following.iter().cloned());
            }
        }
        if let Stop::Step(id) = stop {
            self.ids.remove(id);
        }
    }

    /// What makes a new step one that a run may have gone past: a step of old that it stands before,
    /// or else none that could be named.
    fn obstacle(&self, id: &str, old: &Ways) -> Option<Option<String>> {
        let new = Stop::Step(id.to_owned());
        let mut seen = BTreeSet::new();
        let mut ahead = vec![&new];
        while let Some(stop) = ahead.pop() {
            for next in self.after(stop).filter(|next| seen.insert(*next)) {
                match next {
                    Stop::Step(id) if old.ids.contains(id) => return Some(Some(id.clone())),
                    _ => ahead.push(next),
                }
            }
        }
        // Beside others it takes nobody's place; else it may only take that of an end.
        let beside_an_end =
            self.next.iter().filter(|(_, next)| next.contains(&new)).all(|(stop, _)| {
                let is_old = old.next.contains_key(stop);
                matches!(stop, Stop::Fork(..)) || !is_old || old.next[stop].contains(&Stop::Over)
            });
        (!beside_an_end).then_some(None)
    }

    /// The ways that are gone or new.
    fn rewired(&self, new: &Ways) -> Option<Change> {
        let stops: BTreeSet<_> = self.next.keys().chain(new.next.keys()).collect();
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for from in stops {
            // A branch without a step is none that could be taken back.
            let matters = |to: &&&Stop| match (from, **to) {
                (Stop::Fork(fork), Stop::Join(join)) => fork != join,
                _ => true,
            };
            let before: BTreeSet<_> = self.after(from).collect();
            let after: BTreeSet<_> = new.after(from).collect();
            let way = |to: &&Stop| (from.to_string(), to.to_string());
            // Whoever took a way to the end is over.
            let lost = before.difference(&after).filter(|to| ***to != Stop::Over);
            gone.extend(lost.filter(matters).map(way));
            come.extend(after.difference(&before).filter(matters).map(way));
        }
        (!gone.is_empty() || !come.is_empty()).then_some(Change::Rewired { gone, come })
    }
}

/// Of the steps that begin a branch of a fork and have a name, that with the least, and how many forks
/// stand between.
fn anchor(
    flow: &Flow,
    fork: u32,
    name: &dyn Fn(&String) -> Option<String>,
) -> Option<(String, usize)> {
    let line = flow.0.iter().find(|line| line.place == Place::Fork(fork))?;
    let named = line.next.iter().filter_map(|next| match next {
        Place::Step(id, _) => Some((name(id)?, 0)),
        Place::Fork(inner) if *inner != fork => {
            anchor(flow, *inner, name).map(|(id, depth)| (id, depth + 1))
        }
        _ => None,
    });
    named.min()
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("the start"),
            Self::Step(id) => write!(f, "`{id}`"),
            Self::Fork(Some((id, _))) => write!(f, "the branches from `{id}`"),
            Self::Join(Some((id, _))) => write!(f, "the end of the branches from `{id}`"),
            Self::Fork(None) => f.write_str("a branching"),
            Self::Join(None) => f.write_str("the end of a branching"),
            Self::Over => f.write_str("the end"),
        }
    }
}
