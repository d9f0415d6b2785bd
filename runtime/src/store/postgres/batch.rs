//! What a flush writes, as one array a column.

use uuid::Uuid;

use super::value::Time;
use crate::journal::{Change, Due, round_up};
use crate::machine::RunCommit;
use crate::store::columns::{EntryColumns, LeaveColumns};

/// The journal's new lines, one array a column.
#[derive(Default)]
pub(super) struct Lines<'a> {
    pub(super) runs: Vec<Uuid>,
    pub(super) seqs: Vec<i32>,
    pub(super) keys: Vec<&'a str>,
    pub(super) kinds: Vec<String>,
    pub(super) transitions: Vec<&'a str>,
    pub(super) attempts: Vec<Option<i64>>,
    pub(super) dues: Vec<Option<Time>>,
    /// Microseconds from the commit.
    pub(super) waits: Vec<Option<f64>>,
    pub(super) children: Vec<Option<Uuid>>,
    pub(super) outcomes: Vec<Option<&'a str>>,
    pub(super) errors: Vec<Option<String>>,
    pub(super) firsts: Vec<Option<i32>>,
    pub(super) started: Vec<Option<Time>>,
}

impl<'a> Lines<'a> {
    pub(super) fn push(&mut self, commit: &'a RunCommit) {
        for (entry, seq) in commit.entries.iter().zip(commit.first_seq..) {
            let columns = EntryColumns::of(entry);
            let (due, wait) = match columns.due.map(Due::bounded) {
                Some(Due::At(due)) => (Some(Time(due)), None),
                Some(Due::After(wait)) => (None, Some(wait.as_micros() as f64)),
                None => (None, None),
            };
            self.runs.push(commit.run.as_uuid());
            self.seqs.push(seq as i32);
            self.keys.push(columns.key);
            self.kinds.push(columns.kind);
            self.transitions.push(columns.transition);
            self.attempts.push(columns.attempt.map(i64::from));
            self.dues.push(due);
            self.waits.push(wait);
            self.children.push(columns.child);
            self.outcomes.push(columns.outcome);
            self.errors.push(columns.error);
            self.firsts.push(columns.first.map(|seq| seq as i32));
            self.started.push(columns.started_at.map(Time));
        }
    }
}

/// The events that its steps send.
#[derive(Default)]
pub(super) struct Events<'a> {
    pub(super) runs: Vec<Uuid>,
    pub(super) ids: Vec<Uuid>,
    pub(super) names: Vec<&'a str>,
    pub(super) data: Vec<&'a str>,
}

impl<'a> Events<'a> {
    pub(super) fn push(&mut self, commit: &'a RunCommit) {
        for entry in &commit.entries {
            let Change::Succeed { events, .. } = &entry.change else { continue };
            for event in events {
                self.runs.push(commit.run.as_uuid());
                self.ids.push(event.id.as_uuid());
                self.names.push(event.name);
                self.data.push(event.data.as_str());
            }
        }
    }
}

/// The runs that its worker does not keep.
#[derive(Default)]
pub(super) struct Leaving<'a> {
    pub(super) runs: Vec<Uuid>,
    pub(super) statuses: Vec<&'a str>,
    pub(super) dues: Vec<Option<Time>>,
    pub(super) over: Vec<bool>,
    pub(super) outputs: Vec<Option<&'a str>>,
    pub(super) errors: Vec<Option<String>>,
    pub(super) cancelled: Vec<Option<String>>,
    pub(super) held: Vec<Option<String>>,
}

impl<'a> Leaving<'a> {
    pub(super) fn push(&mut self, commit: &'a RunCommit) {
        let Some(columns) = LeaveColumns::of(&commit.then) else { return };
        self.runs.push(commit.run.as_uuid());
        self.statuses.push(columns.status);
        self.dues.push(columns.due.map(|due| Time(round_up(due))));
        self.over.push(columns.over);
        self.outputs.push(columns.output);
        self.errors.push(columns.error);
        self.cancelled.push(columns.cancelled);
        self.held.push(columns.held);
    }
}
