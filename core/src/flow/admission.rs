use std::time::Duration;

use super::{Draw, NewRun};
use crate::event::{EventId, pointer};
use crate::journal::CancelKey;
use crate::payload::Payload;
use crate::step::Definition;
use crate::trace::TraceContext;
use crate::workflow::{Debounce, Form, listed};

/// What one workflow makes of one event that is among its triggers.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most events start a run")]
pub enum Admission {
    /// It starts a run with it.
    Start(NewRun),
    /// It gathers it with others, which start a run together.
    Gather(Gathering),
    /// It cannot tell, as a condition or a key of its fails, or as the data does not fit the event's type.
    /// The event is kept for it until a program registers or this worker leaves.
    Block {
        /// The workflow.
        workflow: String,
        /// Why.
        reason: String,
    },
    /// It starts nothing.
    Skip(Skip),
}

/// The batch, or the window of a `debounce`, that an event is added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathering {
    /// The workflow that gathers it.
    pub workflow: String,
    /// The events of a batch have it in common.
    pub key: String,
    /// With so many events it is complete.
    pub max: u32,
    /// It is complete before it would be a longer list than this, in bytes of JSON. An event that is
    /// longer by itself is a batch of its own.
    pub limit: usize,
    /// How long it waits for others.
    pub window: Window,
    /// Which of its events the run gets.
    pub keep: Keep,
}

/// How long events that are gathered wait for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So long after the first of them.
    Fixed(Duration),
    /// So long after the last of them.
    Sliding {
        /// How long.
        period: Duration,
        /// At the latest so long after the first.
        max: Option<Duration>,
    },
}

/// Which of the events that were gathered a run gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All, as a list.
    All,
    /// The one that was accepted last, in the [form](Form) of its workflow.
    Last,
}

/// Why an event starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It does not pass this condition, as it stands in the source.
    Condition(&'static str),
}

/// An event, as the workflows that it may start are asked about it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Its id.
    pub id: EventId,
    /// Its name.
    pub name: &'a str,
    /// Its data.
    pub data: &'a Payload,
    /// The trace that it belongs to.
    pub trace: Option<&'a TraceContext>,
}

impl Admission {
    /// What a workflow makes of an event; `limit` is the most bytes of a run's input.
    pub fn of(workflow: &Definition, event: Arrival<'_>, limit: usize, draw: Draw) -> Self {
        Self::decide(workflow, event, limit, draw)
            .unwrap_or_else(|reason| Self::Block { workflow: workflow.id.to_owned(), reason })
    }

    /// The same for an event that was stored before: by another version of the program, or by hand. If its
    /// data does not fit the type that the workflow has of it, it is blocked.
    pub fn of_stored(workflow: &Definition, event: Arrival<'_>, limit: usize, draw: Draw) -> Self {
        match misfit(workflow, event.name, event.data) {
            Some(reason) => Self::Block { workflow: workflow.id.to_owned(), reason },
            None => Self::of(workflow, event, limit, draw),
        }
    }

    /// # Errors
    ///
    /// When a condition or a key fails: why.
    fn decide(
        workflow: &Definition,
        event: Arrival<'_>,
        limit: usize,
        draw: Draw,
    ) -> Result<Self, String> {
        let Arrival { id, name, data, trace } = event;
        let flow = workflow.config.flow;
        for filter in flow.filters.iter().filter(|filter| filter.event == name) {
            if !filter.passes(data)? {
                return Ok(Self::Skip(Skip::Condition(filter.condition)));
            }
        }
        let input = workflow.form.data(name, data);
        let gathering = match (flow.batch, flow.debounce) {
            (Some(batch), _) => {
                let (key, window) = (batch.key_of(data)?, Window::Fixed(batch.timeout()));
                Some((key, batch.max(), window, Keep::All))
            }
            (None, Some(debounce)) => {
                let (subject, max, keep) = match workflow.form {
                    Form::Listed => (data, Debounce::MOST, Keep::All),
                    Form::Bare | Form::Named => (&input, u32::MAX, Keep::Last),
                };
                let window = Window::Sliding { period: debounce.period(), max: debounce.max() };
                debounce.key_of(subject)?.map(|key| (key, max, window, keep))
            }
            (None, None) => None,
        };
        if let Some((key, max, window, keep)) = gathering {
            let workflow = workflow.id.to_owned();
            return Ok(Self::Gather(Gathering { workflow, key, max, limit, window, keep }));
        }
        let passage = flow.passage_of_event(workflow.id, &input)?;
        let cancels = CancelKey::all(workflow.cancels, &input);
        let trace = trace.cloned();
        let run = NewRun { cancels, trace, ..draw(workflow.id, Some(id), input) };
        Ok(Self::Start(run.passing(passage)))
    }
}

/// Why a workflow cannot read the data of an event, and where in it; `None` if it can.
pub fn misfit(workflow: &Definition, name: &str, data: &Payload) -> Option<String> {
    let error = (workflow.check_input)(&workflow.form.data(name, data)).err()?;
    let mut place = pointer(error.path());
    if workflow.form == Form::Listed {
        // It was the first of a list.
        place = place.strip_prefix("/0").unwrap_or_default().to_owned();
    }
    Some(format!("its data does not fit the event: at `{place}`: {}", error.inner()))
}

/// The run that a workflow starts with events that it has gathered, in order. It goes on with the trace of the
/// last one. Gives also why it has no gates, if a key or the priority fails: a run of several events is never
/// kept back by one of them.
pub fn gathered(
    workflow: &Definition,
    events: &[Arrival<'_>],
    draw: Draw,
) -> (NewRun, Option<String>) {
    let flow = workflow.config.flow;
    let (event, input) = match (workflow.form, events.last()) {
        (Form::Bare | Form::Named, Some(last)) => {
            (Some(last.id), workflow.form.data(last.name, last.data))
        }
        _ => (None, listed(events.iter().map(|event| event.data))),
    };
    let passage = flow.passage(workflow.id, &input);
    let cancels = CancelKey::all(workflow.cancels, &input);
    let trace = events.last().and_then(|event| event.trace).cloned();
    let run = NewRun { cancels, trace, ..draw(workflow.id, event, input) };
    match passage {
        Ok(passage) => (run.passing(passage), None),
        Err(reason) => (run, Some(reason)),
    }
}

/// The runs of admissions that do nothing but start some, so that they can be started in the commit
/// that accepts their event. `None` if there is more to do: that takes the order of acceptance, the
/// limits that a run has to pass, or the worker that is blocked.
pub fn at_once(admissions: Vec<Admission>) -> Option<Vec<NewRun>> {
    let runs = admissions.into_iter().filter_map(|admission| match admission {
        Admission::Start(run) => Some(Some(run).filter(NewRun::is_free)),
        Admission::Skip(_) => None,
        Admission::Gather(_) | Admission::Block { .. } => Some(None),
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::drawn;
    use super::*;
    use crate::prelude::*;
    use crate::workflow::key_text;

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/paid")]
    struct Paid {
        order: u32,
        cents: u32,
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/refunded")]
    struct Refunded {
        order: u32,
    }

    #[derive(Triggers)]
    enum Settled {
        Paid(Paid),
        Refunded(Refunded),
    }

    #[workflow(cancel_on(Refunded, matching = order))]
    async fn ship(_paid: Paid) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(on(Paid, if = 100 / event.cents < 2))]
    async fn report(_settled: Settled) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(batch(max = 10, timeout = "5s", key = 100 / event.cents))]
    async fn book(_paid: Vec<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(on(Paid, if = event.cents > 50), batch(max = 10, timeout = "5s"))]
    async fn celebrate(_paid: Vec<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(debounce(period = "30s", max = "5m", key = event.order.checked_sub(1)))]
    async fn settle(_paid: Received<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(debounce(period = "30s", key = matches!(event, Settled::Paid(_))))]
    async fn settle_any(_settled: Settled) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(debounce(period = "30s", key = 100 / event.cents))]
    async fn settle_all(_paid: Vec<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        concurrency(limit = 5, key = 100 / event.cents),
        rate_limit(limit = 1, per = "1h"),
        priority = 60
    )]
    async fn thank(_paid: Paid) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(idempotency(key = event.order))]
    async fn greet(_paid: Paid) -> Result<(), Failure> {
        Ok(())
    }

    const LIMIT: usize = 1_000;

    /// The event.
    fn id() -> EventId {
        Uuid::from_u128(7).into()
    }

    fn admitted<W: crate::step::Body>(name: &str, data: &str) -> Admission {
        let data = Payload::stored(data);
        let event = Arrival { id: id(), name, data: &data, trace: None };
        Admission::of(&Definition::of::<W>(), event, LIMIT, drawn)
    }

    fn started(admission: Admission) -> NewRun {
        let Admission::Start(run) = admission else { panic!("no run: {admission:?}") };
        run
    }

    fn blocked(admission: Admission) -> (String, String) {
        let Admission::Block { workflow, reason } = admission else {
            panic!("not blocked: {admission:?}")
        };
        (workflow, reason)
    }

    #[test]
    fn an_event_starts_a_run_that_others_may_cancel() {
        let data = r#"{"order":7,"cents":50}"#;
        let run = started(admitted::<ship>(Paid::NAME, data));
        assert_eq!(run.cancels.len(), 1);
        assert_eq!(run.cancels[0].event, Refunded::NAME);
        let bare = drawn("ship", Some(id()), Payload::stored(data));
        assert_eq!(run, NewRun { cancels: run.cancels.clone(), ..bare });
    }

    #[test]
    fn one_of_several_triggers_is_named_in_the_input() {
        let run = started(admitted::<report>(Paid::NAME, r#"{"order":7,"cents":100}"#));
        let named = r#"{"order/paid":{"order":7,"cents":100}}"#;
        assert_eq!(run, drawn("report", Some(id()), Payload::stored(named)));
    }

    #[test]
    fn an_event_that_does_not_pass_its_condition_is_skipped() {
        let skipped = Admission::Skip(Skip::Condition("100 / event.cents < 2"));
        assert_eq!(admitted::<report>(Paid::NAME, r#"{"order":7,"cents":50}"#), skipped);
        let skipped = Admission::Skip(Skip::Condition("event.cents > 50"));
        assert_eq!(admitted::<celebrate>(Paid::NAME, r#"{"order":7,"cents":50}"#), skipped);
    }

    #[test]
    fn the_condition_of_one_event_does_not_concern_another() {
        started(admitted::<report>(Refunded::NAME, r#"{"order":7}"#));
    }

    #[test]
    fn an_event_is_gathered_with_those_of_its_key() {
        let gathered = |workflow: &str, key: String| {
            let (workflow, window) = (workflow.to_owned(), Window::Fixed(Duration::from_secs(5)));
            let (max, limit, keep) = (10, LIMIT, Keep::All);
            Admission::Gather(Gathering { workflow, key, max, limit, window, keep })
        };
        let data = r#"{"order":7,"cents":100}"#;
        assert_eq!(admitted::<book>(Paid::NAME, data), gathered("book", key_text(&1)));
        assert_eq!(admitted::<celebrate>(Paid::NAME, data), gathered("celebrate", String::new()));
    }

    #[test]
    fn an_event_that_is_debounced_waits_for_the_next_of_its_key() {
        let (period, max) = (Duration::from_secs(30), Some(Duration::from_secs(300)));
        let gathered = |workflow: &str, key: &str, max, keep, most| {
            let (workflow, key) = (workflow.to_owned(), key.to_owned());
            let window = Window::Sliding { period, max };
            Admission::Gather(Gathering { workflow, key, max: most, limit: LIMIT, window, keep })
        };
        let data = r#"{"order":7,"cents":100}"#;
        let last = gathered("settle", "6", max, Keep::Last, u32::MAX);
        assert_eq!(admitted::<settle>(Paid::NAME, data), last);
        let any = gathered("settle-any", "true", None, Keep::Last, u32::MAX);
        assert_eq!(admitted::<settle_any>(Paid::NAME, data), any);
        let all = gathered("settle-all", "1", None, Keep::All, 1_000);
        assert_eq!(admitted::<settle_all>(Paid::NAME, data), all);
    }

    #[test]
    fn a_run_goes_on_with_the_trace_of_its_last_event() {
        let [first, last] = [1, 2].map(|no| {
            let parent = format!("00-{no:032x}-{no:016x}-01");
            TraceContext::new(&parent).expect("it is a traceparent")
        });
        let data = Payload::stored(r#"{"order":7,"cents":50}"#);
        let arrival = |trace| Arrival { id: id(), name: Paid::NAME, data: &data, trace };
        let ship = Definition::of::<ship>();
        let run = started(Admission::of(&ship, arrival(Some(&first)), LIMIT, drawn));
        assert_eq!(run.trace.as_ref(), Some(&first));
        for workflow in [Definition::of::<book>(), Definition::of::<settle>()] {
            let events = [arrival(Some(&first)), arrival(Some(&last))];
            assert_eq!(gathered(&workflow, &events, drawn).0.trace.as_ref(), Some(&last));
            let events = [arrival(Some(&first)), arrival(None)];
            assert_eq!(gathered(&workflow, &events, drawn).0.trace, None);
        }
    }

    #[test]
    fn an_event_without_a_key_is_not_debounced() {
        let data = r#"{"order":0,"cents":100}"#;
        let run = started(admitted::<settle>(Paid::NAME, data));
        assert_eq!(run, drawn("settle", Some(id()), Payload::stored(data)));
    }

    #[test]
    fn a_run_has_what_it_has_to_pass() {
        let data = r#"{"order":7,"cents":50}"#;
        let run = started(admitted::<thank>(Paid::NAME, data));
        let passage = thank::CONFIG.flow.passage_of_event("thank", &Payload::stored(data));
        let passage = passage.expect("it has one");
        assert_eq!((passage.gates.len(), passage.ahead), (1, 60));
        assert!(passage.checks.rate.is_some());
        assert_eq!(run, drawn("thank", Some(id()), Payload::stored(data)).passing(passage));
    }

    #[test]
    fn a_condition_or_a_key_that_fails_blocks_its_workflow() {
        let free = r#"{"order":7,"cents":0}"#;
        let (workflow, reason) = blocked(admitted::<report>(Paid::NAME, free));
        assert_eq!(workflow, "report");
        assert!(reason.contains("the condition `100 / event.cents < 2` panicked"), "{reason}");
        let (workflow, reason) = blocked(admitted::<book>(Paid::NAME, free));
        assert_eq!(workflow, "book");
        assert!(reason.contains("the key `100 / event.cents` panicked"), "{reason}");
        let (workflow, reason) = blocked(admitted::<settle_all>(Paid::NAME, free));
        assert_eq!(workflow, "settle-all");
        assert!(reason.contains("the key `100 / event.cents` panicked"), "{reason}");
        let (workflow, reason) = blocked(admitted::<thank>(Paid::NAME, free));
        assert_eq!(workflow, "thank");
        assert!(reason.contains("the key `100 / event.cents` panicked"), "{reason}");
        let (_, reason) = blocked(admitted::<book>(Paid::NAME, r#"{"order":7}"#));
        assert!(reason.contains("cannot read its data"), "{reason}");
    }

    #[test]
    fn a_stored_event_that_does_not_fit_blocks_its_workflow() {
        fn stored<W: crate::step::Body>(data: &str) -> Admission {
            let data = Payload::stored(data);
            let event = Arrival { id: id(), name: Paid::NAME, data: &data, trace: None };
            Admission::of_stored(&Definition::of::<W>(), event, LIMIT, drawn)
        }
        let fits = r#"{"order":7,"cents":50}"#;
        assert_eq!(stored::<ship>(fits), admitted::<ship>(Paid::NAME, fits));
        let misfit = r#"{"order":7,"cents":"50"}"#;
        for admission in [stored::<ship>(misfit), stored::<report>(misfit), stored::<book>(misfit)]
        {
            let (workflow, reason) = blocked(admission);
            let expected = "its data does not fit the event: at `/cents`: invalid type: string";
            assert!(reason.starts_with(expected), "{workflow}: {reason}");
        }
    }

    #[test]
    fn only_what_starts_runs_or_nothing_is_done_at_once() {
        let paid = r#"{"order":7,"cents":50}"#;
        let start = || admitted::<ship>(Paid::NAME, paid);
        let skip = || admitted::<report>(Paid::NAME, paid);
        assert_eq!(at_once(vec![skip(), start()]), Some(vec![started(start())]));
        assert_eq!(at_once(vec![skip()]), Some(Vec::new()));
        assert_eq!(at_once(vec![start(), admitted::<book>(Paid::NAME, paid)]), None);
        let block = admitted::<report>(Paid::NAME, r#"{"order":7,"cents":0}"#);
        assert_eq!(at_once(vec![start(), block]), None);
        assert_eq!(at_once(vec![start(), admitted::<thank>(Paid::NAME, paid)]), None);
        assert_eq!(at_once(vec![start(), admitted::<greet>(Paid::NAME, paid)]), None);
        assert_eq!(at_once(vec![start(), admitted::<settle>(Paid::NAME, paid)]), None);
    }
}
