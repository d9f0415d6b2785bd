use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serialize;

use crate::journal::{Attempt, Row, RunId, StateKey, Transition};
use crate::store::{Intervention, RunRecord};
use crate::workflow::StepKind;

/// What happened to a run. See [`Client::timeline`](crate::Client::timeline).
///
/// Print it with `{}`: one fact a line, in columns, with times in UTC.
///
/// ```text
/// run          01980f3e-0000-7000-8000-000000000001
/// workflow     on-order-placed
/// status       waiting
/// accepted     2026-03-01T09:00:00.000Z
/// started      2026-03-01T09:00:00.004Z  after 4ms
/// states
///   2026-03-01T09:00:00.010Z  charge    run    attempt 1 failed after 31ms: the bank does not answer
///   2026-03-01T09:00:00.010Z  charge    run    succeeded after 1s 120ms, in attempt 2
///   2026-03-01T09:00:01.140Z  cool-off  sleep  waits until 2026-03-02T09:00:01.140Z
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The run itself.
    pub run: RunRecord,
    /// The states that the run has recorded, in the order of their first records. A step in its first
    /// attempt has recorded nothing yet. A carried loop keeps only its last iteration.
    pub states: Vec<StateSpan>,
    /// What operators did to the run, oldest first.
    pub interventions: Vec<Intervention>,
}

/// A state that a run was in, or is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StateSpan {
    /// Where it stands in the run.
    pub key: StateKey,
    /// What it does.
    pub kind: StepKind,
    /// When the run entered it. For a step, when its first attempt began.
    pub entered_at: Timestamp,
    /// When it was over, if it is.
    pub ended_at: Option<Timestamp>,
    /// The attempts that failed.
    pub failures: Vec<Attempt>,
    /// The run that it has started.
    pub child: Option<RunId>,
    /// The last thing that happened to it: its outcome, or what it waits for.
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
                self.failures.push(Attempt::new(*attempt, started_at, at, error));
            }
            _ => {}
        }
        self.last = transition;
    }
}

/// Times in columns are of one width.
struct At(Timestamp);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// How long something took; of what took a second or more no more than milliseconds.
struct Took(SignedDuration);

impl Took {
    fn between(from: Timestamp, to: Timestamp) -> Self {
        let took = to.duration_since(from);
        match took.as_secs() {
            0 => Self(took),
            _ => Self(took.round(Unit::Millisecond).unwrap_or(took)),
        }
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, states, interventions } = self;
        /// Before a fact of the run.
        const NAMES: usize = 11;
        let mut fact = |name: &str, fact: &dyn fmt::Display| {
            let fact = indented(fact, NAMES + 2);
            writeln!(f, "{name:NAMES$}  {fact}")
        };
        fact("run", &run.id)?;
        fact("workflow", &run.workflow)?;
        fact("status", &run.status)?;
        run.event.iter().try_for_each(|event| fact("event", event))?;
        run.parent.iter().try_for_each(|parent| fact("invoked by", parent))?;
        run.trace_context.iter().try_for_each(|trace| fact("trace", &trace.trace_id()))?;
        if run.generation > 0 {
            fact("generation", &run.generation)?;
        }
        run.scheduled_at.iter().try_for_each(|due| fact("scheduled", &At(*due)))?;
        fact("accepted", &At(run.accepted_at))?;
        if let Some(started) = run.started_at {
            let waited = Took::between(run.accepted_at, started);
            fact("started", &format_args!("{}  after {waited}", At(started)))?;
        }
        if let Some(ended) = run.ended_at {
            let took = Took::between(run.started_at.unwrap_or(run.accepted_at), ended);
            fact("ended", &format_args!("{}  after {took}", At(ended)))?;
        }
        run.error.iter().try_for_each(|error| {
            error.step.iter().try_for_each(|step| fact("failed step", step))?;
            fact("error", error)
        })?;
        run.cancelled.iter().try_for_each(|reason| fact("cancelled", reason))?;
        run.held.iter().try_for_each(|reason| fact("held", reason))?;
        if !states.is_empty() {
            writeln!(f, "states")?;
        }
        let width = |text: &dyn Fn(&StateSpan) -> String| {
            states.iter().map(|state| text(state).chars().count()).max().unwrap_or(0)
        };
        let keys = width(&|state| state.key.to_string());
        let kinds = width(&|state| state.kind.to_string());
        for state in states {
            let StateSpan { key, kind, .. } = state;
            for (at, fact) in state.facts() {
                let place = format!("  {}  {key:keys$}  {kind:kinds$}  ", At(at));
                let fact = indented(&fact, place.chars().count());
                writeln!(f, "{place}{fact}")?;
            }
        }
        if !interventions.is_empty() {
            writeln!(f, "interventions")?;
        }
        interventions.iter().try_for_each(|it| writeln!(f, "  {}  {}", At(it.at), it.verb))
    }
}

/// A fact that has lines of its own, all of them in its column.
fn indented(fact: &dyn fmt::Display, margin: usize) -> String {
    fact.to_string().trim_end().replace('\n', &format!("\n{:margin$}", ""))
}

impl StateSpan {
    /// What happened in it, each with when that began.
    fn facts(&self) -> Vec<(Timestamp, String)> {
        let child = self.child.map(|child| (self.entered_at, format!("invoked the run {child}")));
        let mut facts: Vec<_> = child.into_iter().collect();
        facts.extend(self.failures.iter().map(
            |Attempt { number, started_at, failed_at, error, .. }| match started_at {
                Some(started) => {
                    let took = Took::between(*started, *failed_at);
                    (*started, format!("attempt {number} failed after {took}: {error}"))
                }
                None => (*failed_at, format!("attempt {number} failed: {error}")),
            },
        ));
        let took = Took::between(self.entered_at, self.ended_at.unwrap_or(self.entered_at));
        let until = |what: &str, due: &Option<Timestamp>| match due {
            Some(due) => format!("{what} until {}", At(*due)),
            None => format!("{what}, without a time limit"),
        };
        let last = match &self.last {
            Transition::Succeeded { .. } if self.failures.is_empty() => {
                format!("succeeded after {took}")
            }
            Transition::Succeeded { attempt, .. } => {
                format!("succeeded after {took}, in attempt {attempt}")
            }
            Transition::Failed { .. } => format!("failed after {took}"),
            Transition::Retrying { attempt, due, .. } => {
                format!("attempt {} is due at {}", attempt + 1, At(*due))
            }
            Transition::Sleeping { due } => until("waits", &Some(*due)),
            Transition::Waiting { due } => until("waits for an event", due),
            Transition::Invoked { due, .. } => until("waits for its end", due),
            Transition::Abandoned => format!("abandoned after {took}"),
            Transition::Carried { iteration, .. } => format!("begins iteration {iteration}"),
            Transition::Undoing { error } => format!("begins to undo what was done: {error}"),
        };
        facts.push((self.entered_at, last));
        facts
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::journal::{ErrorKind, ErrorRecord};
    use crate::payload::Payload;
    use crate::store::{RunStatus, Verb};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_772_355_600_000 + millis).expect("a time of this century")
    }

    fn run(n: u128) -> RunId {
        RunId::from(Uuid::from_u128(n))
    }

    fn row(key: &str, kind: StepKind, transition: Transition, began: i64, ended: i64) -> Row {
        let (key, started_at) = (key.into(), Some(at(began)));
        Row { seq: 0, key, kind, transition, started_at, at: at(ended) }
    }

    fn record(status: RunStatus, error: Option<ErrorRecord>) -> RunRecord {
        RunRecord {
            id: run(1),
            workflow: "on-order-placed".to_owned(),
            status,
            event: None,
            parent: Some(run(9)),
            input: Payload::stored("null"),
            scheduled_at: None,
            trace_context: None,
            accepted_at: at(0),
            started_at: Some(at(4)),
            ended_at: error.as_ref().map(|_| at(90_061_500)),
            output: None,
            error,
            cancelled: None,
            held: None,
            generation: 0,
            began_at: None,
            seed: Uuid::nil(),
            retries: 0,
        }
    }

    fn error(message: &str) -> ErrorRecord {
        ErrorRecord::new(ErrorKind::Error, message)
    }

    #[test]
    fn a_timeline_is_a_text_for_people() {
        let retrying =
            Transition::Retrying { attempt: 1, due: at(1_000), error: error("no answer") };
        let charged =
            Transition::Succeeded { attempt: 2, outcome: Payload::stored("null"), undo: false };
        let failed = Transition::Failed { attempt: 1, error: error("out of stock:\nno shoes") };
        let journal = vec![
            row("charge", StepKind::Run, retrying, 10, 41),
            row("charge", StepKind::Run, charged, 1_002, 1_030),
            row("cool-off", StepKind::Sleep, Transition::Sleeping { due: at(5_000) }, 1_031, 1_032),
            row(
                "ship",
                StepKind::Invoke,
                Transition::Invoked { child: run(2), due: None },
                5_001,
                5_002,
            ),
            row("ship", StepKind::Invoke, failed, 5_001, 6_003),
        ];
        let mut failed = error("out of stock");
        failed.step = Some("ship".into());
        let verb = Verb::Forked { source: run(3), state: "charge".to_owned() };
        let interventions = vec![Intervention { at: at(1), verb }];
        let timeline =
            Timeline::new(record(RunStatus::Failed, Some(failed)), journal, interventions);
        let expected = "\
run          00000000-0000-0000-0000-000000000001
workflow     on-order-placed
status       failed
invoked by   00000000-0000-0000-0000-000000000009
accepted     2026-03-01T09:00:00.000Z
started      2026-03-01T09:00:00.004Z  after 4ms
ended        2026-03-02T10:01:01.500Z  after 25h 1m 1s 496ms
failed step  ship
error        out of stock
states
  2026-03-01T09:00:00.010Z  charge    run     attempt 1 failed after 31ms: no answer
  2026-03-01T09:00:00.010Z  charge    run     succeeded after 1s 20ms, in attempt 2
  2026-03-01T09:00:01.031Z  cool-off  sleep   waits until 2026-03-01T09:00:05.000Z
  2026-03-01T09:00:05.001Z  ship      invoke  invoked the run 00000000-0000-0000-0000-000000000002
  2026-03-01T09:00:05.001Z  ship      invoke  attempt 1 failed after 1s 2ms: out of stock:
                                              no shoes
  2026-03-01T09:00:05.001Z  ship      invoke  failed after 1s 2ms
interventions
  2026-03-01T09:00:00.001Z  forked from 00000000-0000-0000-0000-000000000003 before `charge`
";
        assert_eq!(timeline.to_string(), expected);
    }

    #[test]
    fn a_run_that_waits_says_for_what() {
        let waiting = Transition::Waiting { due: None };
        let retrying =
            Transition::Retrying { attempt: 1, due: at(1_000), error: error("no answer") };
        let journal = vec![
            row("approval", StepKind::WaitForEvent, waiting, 10, 10),
            row("charge", StepKind::Run, retrying, 10, 41),
        ];
        let timeline = Timeline::new(record(RunStatus::Waiting, None), journal, Vec::new());
        let expected = "\
run          00000000-0000-0000-0000-000000000001
workflow     on-order-placed
status       waiting
invoked by   00000000-0000-0000-0000-000000000009
accepted     2026-03-01T09:00:00.000Z
started      2026-03-01T09:00:00.004Z  after 4ms
states
  2026-03-01T09:00:00.010Z  approval  wait_for_event  waits for an event, without a time limit
  2026-03-01T09:00:00.010Z  charge    run             attempt 1 failed after 31ms: no answer
  2026-03-01T09:00:00.010Z  charge    run             attempt 2 is due at 2026-03-01T09:00:01.000Z
";
        assert_eq!(timeline.to_string(), expected);
    }
}
