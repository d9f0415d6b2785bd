use std::collections::HashMap;

use jiff::Timestamp;

use crate::journal::{Attempt, Row, RunId, StateKey, Transition};
use crate::store::{Intervention, RunRecord};
use crate::workflow::StepKind;

/// What happened to a run. See [`Client::timeline`](crate::Client::timeline).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Timeline {
    /// The run itself.
    pub run: RunRecord,
    /// The states that it has recorded, in the order in which it did so first. A step that is in its
    /// first attempt has recorded nothing yet; of a carried loop only the last iteration is left.
    pub states: Vec<StateSpan>,
    /// What operators did to it, oldest first.
    pub interventions: Vec<Intervention>,
}

/// A state that a run was in, or is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StateSpan {
    /// Where it stands in the run.
    pub key: StateKey,
    /// What it does.
    pub kind: StepKind,
    /// When it was entered: of a step the beginning of its first attempt.
    pub entered_at: Timestamp,
    /// When it was over, if it is.
    pub ended_at: Option<Timestamp>,
    /// The attempts that failed.
    pub failures: Vec<Attempt>,
    /// The run that it has started.
    pub child: Option<RunId>,
    /// What happened to it last: its outcome, or what it waits for.
    pub last: Transition,
}

impl Timeline {
    pub(super) fn new(run: RunRecord, journal: Vec<Row>, interventions: Vec<Intervention>) -> Self {
        let mut states: Vec<StateSpan> = Vec::new();
        let mut places = HashMap::new();
        for row in journal {
            let place = *places.entry(row.key.clone()).or_insert(states.len());
            match states.get_mut(place) {
                Some(state) => state.goes_on(row),
                None => states.push(StateSpan::begun(row)),
            }
        }
        Self { run, states, interventions }
    }
}

impl StateSpan {
    fn begun(row: Row) -> Self {
        let mut state = Self {
            key: row.key.clone(),
            kind: row.kind,
            entered_at: row.started_at.unwrap_or(row.at),
            ended_at: None,
            failures: Vec::new(),
            child: None,
            last: row.transition.clone(),
        };
        state.goes_on(row);
        state
    }

    fn goes_on(&mut self, row: Row) {
        let Row { transition, started_at, at, .. } = row;
        let is_over = transition.is_outcome() || transition == Transition::Abandoned;
        self.ended_at = is_over.then_some(at);
        match &transition {
            Transition::Invoked { child, .. } => self.child = Some(*child),
            Transition::Retrying { attempt, error, .. } | Transition::Failed { attempt, error } => {
                let error = error.clone();
                self.failures.push(Attempt { number: *attempt, started_at, failed_at: at, error });
            }
            _ => {}
        }
        self.last = transition;
    }
}
