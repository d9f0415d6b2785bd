use std::time::Duration;

use super::waiting::{Paid, paid};
use super::*;
use crate::__private::race;
use crate::journal::{Change, ErrorKind, ErrorRecord, Transition};
use crate::step::Race2;
use crate::workflow::{Called, Direct, Workflow};

/// A workflow to be invoked; its body is never run here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child;

impl Workflow for Child {
    type Input = Direct<u32>;
    type Output = u32;
    type State = At;
    const ID: &'static str = "child";
    const PATH: &'static str = "child";
    const CONFIG: Config = Config::DEFAULT;
    const GRAPH: Graph = Graph::EMPTY;
}

pub(super) fn child() -> Called<Child> {
    Called::of()
}

fn invoking() -> Begin {
    workflow!(async |step| {
        let child = step.invoke(At("ask"), child, 20).timeout(Duration::from_secs(60));
        let answer = durable(child).await;
        durable(step.run(At("after"), || effect("after", ()))).await?;
        answer.map_err(Failure::from)
    })
}

fn child_of(bench: &Bench) -> RunId {
    let Transition::Invoked { child, .. } = bench.journal[0].transition else {
        panic!("nothing was invoked: {:?}", bench.journal)
    };
    child
}

fn ended(child: RunId, result: Result<Payload, ErrorRecord>) -> Message {
    let content = Content::ChildEnded { child, result };
    Message { id: child.as_uuid().into(), content }
}

#[test]
fn the_child_is_started_in_the_commit_of_its_step() {
    let mut bench = Bench::new(invoking());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let Change::Invoke { child, .. } = &entries[0].change else { panic!("{entries:?}") };
    assert_eq!((child.workflow, child.input.as_str(), child.detached), ("child", "20", false));
}

#[indelible_macros::workflow(input, concurrency(limit = 1, key = 100 / input), priority = 60)]
async fn limited(_divisor: u32) -> Result<u32, Failure> {
    Ok(0)
}

#[test]
fn the_child_has_what_it_has_to_pass() {
    let begin = workflow!(async |step| { Ok(durable(step.invoke(At("ask"), limited, 20)).await?) });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let Change::Invoke { child, .. } = &entries[0].change else { panic!("{entries:?}") };
    let gates = child.gates.iter().map(|gate| (&*gate.limit, &*gate.key)).collect::<Vec<_>>();
    assert_eq!((gates, child.ahead), (vec![("limited/concurrency", "5")], 60));
}

#[test]
fn a_child_whose_key_fails_is_not_started_and_the_step_not_tried_again() {
    let begin = workflow!(async |step| { Ok(durable(step.invoke(At("ask"), limited, 0)).await?) });
    let mut bench = Bench::new(begin);
    let End::Failed(error) = bench.finish() else { panic!("it completed") };
    assert_eq!(error.kind, ErrorKind::Permanent);
    let message = error.message;
    assert!(
        message.starts_with("no run of `limited` starts: the key `100 / input` panicked"),
        "{message}"
    );
    assert_eq!(bench.journal.len(), 1);
}

#[test]
fn the_child_s_output_is_the_step_s() {
    let mut bench = Bench::new(invoking());
    let _ = bench.rest();
    let child = child_of(&bench);
    bench.machine.receive(ended(child, Ok(Payload::stored("42"))));
    assert_eq!(bench.finish(), completed("42"));
    let resumed = &mut Bench::resumed(invoking(), bench.journal[..2].to_vec());
    assert_eq!(resumed.finish(), completed("42"));
}

/// Whoever looks for the runs since a time looks at their ids.
#[test]
fn the_child_s_id_is_as_young_as_the_child() {
    const HOURS: u64 = 72;
    let mut bench = Bench::new(invoking());
    bench.clock += SignedDuration::from_hours(HOURS as i64);
    let _ = bench.rest();
    let time = child_of(&bench).as_uuid().get_timestamp().expect("it has a time");
    assert_eq!(time.to_unix().0, HOURS * 60 * 60);
}

#[test]
fn the_child_s_failure_is_the_step_s() {
    let mut bench = Bench::new(invoking());
    let _ = bench.rest();
    let error = ErrorRecord::new(ErrorKind::Error, "no answer");
    let message = ended(child_of(&bench), Err(error));
    bench.machine.receive(message);
    let End::Failed(error) = bench.finish() else { panic!("it completed") };
    assert_eq!(
        (&*error.message, error.step.as_ref().map(|s| s.as_str())),
        ("no answer", Some("ask"))
    );
}

#[test]
fn a_child_that_takes_too_long_is_cancelled() {
    let mut bench = Bench::new(invoking());
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
        panic!("it does not wait")
    };
    bench.clock = until;
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let Change::Fail { error, cancelled, .. } = &entries[0].change else { panic!("{entries:?}") };
    assert_eq!((error.kind, *cancelled), (ErrorKind::Timeout, Some(child_of(&bench))));
}

/// Of a child's end and the time-out of its parent's wait, both there at once, the end is taken; the
/// time-out stays once its commit is on its way.
#[test]
fn a_child_s_end_wins_over_a_time_out_that_is_not_on_its_way_yet() {
    let overdue = || {
        let mut bench = Bench::new(invoking());
        let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
            panic!("it does not wait")
        };
        bench.clock = until;
        let end = ended(child_of(&bench), Ok(Payload::stored("42")));
        (bench, end)
    };
    let (mut bench, end) = overdue();
    bench.machine.receive(end);
    assert_eq!(bench.finish(), completed("42"));

    let (mut bench, end) = overdue();
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    bench.machine.receive(end);
    assert_eq!(bench.poll(), Poll::Pending);
    bench.commit(commit);
    let End::Failed(error) = bench.finish() else { panic!("it completed") };
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[test]
fn a_detached_child_is_left_alone() {
    let begin = workflow!(async |step| {
        let child = step.invoke(At("ask"), child, 20).detached();
        Ok(durable(child.timeout(Duration::from_secs(1))).await.is_err())
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
        panic!("it does not wait")
    };
    bench.clock = until;
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    assert!(matches!(entries[0].change, Change::Fail { cancelled: None, .. }), "{entries:?}");
}

#[test]
fn of_an_event_and_a_child_s_end_the_first_to_come_wins() {
    let begin = workflow!(async |step| {
        let paid = durable(step.wait_for_event::<Paid>(At("paid")));
        match race((durable(step.invoke(At("ask"), child, 20)), paid)).await {
            Race2::A(answer) => Ok(answer?),
            Race2::B(paid) => Ok(paid.map_or(0, |paid| paid.data.cents)),
        }
    });
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    let child = child_of(&bench);
    bench.machine.receive(paid(7, 500));
    bench.machine.receive(ended(child, Ok(Payload::stored("42"))));
    assert_eq!(bench.finish(), completed("500"));
}
