use super::invoking::{Child, child};
use super::*;
use crate::step::try_join;

/// Does something, and begins anew.
fn round() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(undoing::take_back)).await?;
        step.restart::<Child, u32>(21)
    })
}

/// The end of a first generation that nothing cancels.
fn restart(input: &str) -> Then {
    Then::Restart { input: Payload::stored(input), cancels: Vec::new(), generation: 0 }
}

#[test]
fn a_restart_ends_the_generation_and_undoes_nothing() {
    effects();
    let mut bench = Bench::new(round());
    assert_eq!(bench.finally(), restart("21"));
    assert_eq!(bench.keys(), ["reserve"]);
    assert_eq!(effects(), ["reserve"]);
    assert_resumes_at_every_prefix(round());
}

#[test]
fn derived_values_differ_between_generations() {
    let begin = workflow!(async |step| {
        let event = durable(step.invoke(At("ask"), child, 1)).await;
        Ok((step.uuid(At("id")), step.random(At("draw")), event.is_ok()))
    });
    let ids = [0, 1, 2].map(|generation| {
        let mut bench = Bench::generation(begin, generation);
        let _ = bench.rest();
        let Transition::Invoked { child, .. } = bench.journal[0].transition else {
            panic!("{:?}", bench.journal)
        };
        let ended = Content::ChildEnded { child, result: Ok(Payload::stored("1")) };
        bench.machine.receive(Message { id: child.as_uuid().into(), content: ended });
        (child, bench.finish())
    });
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    assert!(ids[0].0 != ids[1].0 && ids[1].0 != ids[2].0);
}

#[test]
fn what_was_handed_in_beside_a_restart_is_committed_with_it() {
    effects();
    let begin = workflow!(async |step| {
        let fails = step.run(At("fails"), || async { Err::<(), _>(Failure::msg("no")) }).retries(0);
        let sends = step.run(At("works"), || effect("works", ()));
        let _ = try_join((durable(fails), durable(sends))).await;
        step.restart::<Child, u32>(1)
    });
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finally(), restart("1"));
    assert_eq!(bench.keys(), ["fails", "works"]);
}

/// While the body asks for the next generation, a commit of the old one is under way.
#[test]
fn a_cancellation_wins_over_a_restart_that_is_not_on_its_way_yet() {
    close_all();
    effects();
    let begin = workflow!(async |step| {
        let works = step.run(At("works"), || effect("works", ())).undo(undoing::take_back_nothing);
        durable(works).await?;
        let fails = step.run(At("fails"), || async { Err::<(), _>(Failure::msg("no")) }).retries(0);
        let held = step.run(At("held"), || gated("held"));
        let _ = crate::step::race((durable(fails), durable(held))).await;
        step.restart::<Child, u32>(1)
    });
    let message = || {
        let content = Content::Cancel { reason: "enough".to_owned() };
        Message { id: MessageId::new(), content }
    };
    for turns in 0.. {
        let mut bench = Bench::new(begin);
        for _ in 0..turns {
            let _ = bench.turn();
        }
        if bench.then != Then::Continue {
            break;
        }
        bench.machine.receive(message());
        let end = bench.finish();
        assert_eq!(end, End::Cancelled("enough".to_owned()), "after {turns} turns");
    }
    // Once it is on its way, the next generation is told.
    let mut bench = Bench::new(round());
    assert!(bench.turn().is_none());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    assert!(matches!(commit.then, Then::Restart { .. }));
    let cancelled = message();
    let id = cancelled.id;
    bench.machine.receive(cancelled);
    let _ = bench.poll();
    assert!(!commit.taken.contains(&id) && bench.taken.is_empty());
}

#[test]
fn an_input_that_is_too_large_fails_the_run() {
    let begin = workflow!(async |step| { step.restart::<Wordy, u32>("x".repeat(1 << 20)) });
    let End::Failed(error) = Bench::new(begin).finish() else { panic!("it did not fail") };
    assert!(error.message.contains("over the limit"), "{error}");
}

/// A workflow with an input that may be long; its body is never run here.
#[derive(Debug, Clone, Copy)]
struct Wordy;

impl crate::workflow::Workflow for Wordy {
    type Input = crate::workflow::Direct<String>;
    type Output = u32;
    type State = At;
    const ID: &'static str = "wordy";
    const PATH: &'static str = "wordy";
    const CONFIG: Config = Config::DEFAULT;
    const GRAPH: Graph = Graph::EMPTY;
}
