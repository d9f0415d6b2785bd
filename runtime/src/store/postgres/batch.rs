//! What a flush writes, as one array a column: what each list is called in the statement, and how it is
//! bound.
//!
//! The numbers go on from list to list. What becomes of runs is the last one, so that one more of its
//! columns moves no others.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;

use super::value::Time;
use crate::journal::{Due, RunCommit, round_up};
use crate::store::columns::{EntryColumns, LeaveColumns};

pub(super) type Flush<'q> = Query<'q, Postgres, PgArguments>;

/// As [`Entries::bind`] binds them.
macro_rules! entries {
    () => {
        "unnest($5::uuid[], $6::integer[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                    $11::timestamptz[], $12::float8[], $13::uuid[], $14::text[], $15::text[],
                    $16::integer[], $17::timestamptz[])
                 AS entry (run_id, seq, key, kind, transition, attempt, due_at, wait, child, outcome,
                          error, first_seq, started_at)"
    };
}
pub(super) use entries;

/// The journal's new entries.
#[derive(Default)]
pub(super) struct Entries<'a> {
    runs: Vec<Uuid>,
    seqs: Vec<i32>,
    keys: Vec<&'a str>,
    kinds: Vec<String>,
    transitions: Vec<&'a str>,
    attempts: Vec<Option<i64>>,
    dues: Vec<Option<Time>>,
    /// Microseconds from the commit.
    waits: Vec<Option<f64>>,
    children: Vec<Option<Uuid>>,
    outcomes: Vec<Option<&'a str>>,
    errors: Vec<Option<String>>,
    firsts: Vec<Option<i32>>,
    started: Vec<Option<Time>>,
}

impl<'a> Entries<'a> {
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

    pub(super) fn bind(self, flush: Flush<'a>) -> Flush<'a> {
        flush
            .bind(self.runs)
            .bind(self.seqs)
            .bind(self.keys)
            .bind(self.kinds)
            .bind(self.transitions)
            .bind(self.attempts)
            .bind(self.dues)
            .bind(self.waits)
            .bind(self.children)
            .bind(self.outcomes)
            .bind(self.errors)
            .bind(self.firsts)
            .bind(self.started)
    }
}

/// As [`Events::bind`] binds them.
macro_rules! events {
    () => {
        "unnest($18::uuid[], $19::uuid[], $20::text[], $21::text[]) WITH ORDINALITY
                 AS event (run_id, id, name, data, place)"
    };
}
pub(super) use events;

/// The events that its steps send, and those that ends make.
#[derive(Default)]
pub(super) struct Events<'a> {
    runs: Vec<Uuid>,
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    data: Vec<&'a str>,
}

impl<'a> Events<'a> {
    pub(super) fn push(&mut self, commit: &'a RunCommit) {
        for event in commit.outgoing() {
            self.runs.push(commit.run.as_uuid());
            self.ids.push(event.id.as_uuid());
            self.names.push(event.name);
            self.data.push(event.data.as_str());
        }
    }

    pub(super) fn bind(self, flush: Flush<'a>) -> Flush<'a> {
        flush.bind(self.runs).bind(self.ids).bind(self.names).bind(self.data)
    }
}

/// As [`Leaving::bind`] binds them.
macro_rules! leaving {
    () => {
        "unnest($22::uuid[], $23::text[], $24::timestamptz[], $25::boolean[], $26::text[],
                    $27::text[], $28::text[], $29::text[])
                 AS leaving (run_id, status, due_at, over, output, error, cancelled, held)"
    };
}
pub(super) use leaving;

/// The runs that its worker does not keep.
#[derive(Default)]
pub(super) struct Leaving<'a> {
    runs: Vec<Uuid>,
    statuses: Vec<&'a str>,
    dues: Vec<Option<Time>>,
    over: Vec<bool>,
    outputs: Vec<Option<&'a str>>,
    errors: Vec<Option<String>>,
    cancelled: Vec<Option<String>>,
    held: Vec<Option<String>>,
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

    /// Whether some of them are over.
    pub(super) fn ends(&self) -> bool {
        self.over.contains(&true)
    }

    pub(super) fn bind(self, flush: Flush<'a>) -> Flush<'a> {
        flush
            .bind(self.runs)
            .bind(self.statuses)
            .bind(self.dues)
            .bind(self.over)
            .bind(self.outputs)
            .bind(self.errors)
            .bind(self.cancelled)
            .bind(self.held)
    }
}
