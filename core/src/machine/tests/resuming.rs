use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;
use std::time::Duration;

use serde::Deserialize;

use super::*;
use crate::__private::join;

fn three_steps() -> Begin {
    workflow!(async |step| {
        let first = durable(step.run(At("first"), || effect("first", 20))).await?;
        let second =
            durable(step.run(At("second"), || async { effect("second", first + 1).await })).await?;
        durable(step.sleep(At("rest"), Duration::from_secs(3600))).await;
        let last = durable(step.run(At("last"), || async { effect("last", second * 2).await }));
        Ok(last.await?)
    })
}

#[test]
fn a_fresh_run_commits_each_step_before_the_next_begins() {
    let mut bench = Bench::new(three_steps());
    assert!(bench.turn().is_none());
    assert_eq!(effects(), ["first"]);
    assert!(bench.turn().is_none());
    assert_eq!(effects(), ["second"]);
    assert_eq!(bench.finish(), completed("42"));
    assert_eq!(bench.keys(), ["first", "second", "rest", "rest", "last"]);
}

#[test]
fn nothing_proceeds_past_a_commit_that_is_not_known_to_have_succeeded() {
    let mut bench = Bench::new(three_steps());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    assert_eq!(entries.len(), 1);
    effects();
    for _ in 0..3 {
        assert_eq!(bench.poll(), Poll::Pending);
    }
    assert_eq!(effects(), Vec::<String>::new());
}

#[test]
fn a_run_resumes_at_every_prefix() {
    assert_resumes_at_every_prefix(three_steps());
}

#[test]
fn a_step_in_a_loop_has_a_key_for_each_iteration() {
    let begin = workflow!(async |step| {
        let mut sum = 0;
        for (n, name) in ["add", "add#1", "add#2"].into_iter().enumerate() {
            sum += durable(step.run(At("add"), || async { effect(name, n).await })).await?;
        }
        Ok(sum)
    });
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed("3"));
    assert_eq!(bench.keys(), ["add", "add#1", "add#2"]);
    assert_resumes_at_every_prefix(begin);
}

/// A value that is not the same once it has been written and read.
#[derive(Serialize, Deserialize)]
struct Forgetful {
    kept: u32,
    #[serde(skip)]
    lost: u32,
}

#[test]
fn the_body_sees_the_decoded_committed_bytes_the_first_time_too() {
    let begin = workflow!(async |step| {
        let value =
            durable(step.run(At("make"), || effect("make", Forgetful { kept: 1, lost: 2 })))
                .await?;
        Ok((value.kept, value.lost))
    });
    assert_eq!(Bench::new(begin).finish(), completed("[1,0]"));
}

#[test]
fn derived_values_are_the_same_on_every_resume_and_differ_by_occurrence() {
    let begin = workflow!(async |step| {
        let ids = [step.uuid(At("id")), step.uuid(At("id")), step.uuid(At("other"))];
        let draw = step.random(At("draw"));
        assert!((0.0..1.0).contains(&draw));
        durable(step.run(At("pause"), || effect("pause", ()))).await?;
        Ok((ids, draw))
    });
    let mut bench = Bench::new(begin);
    let End::Completed(output) = bench.finish() else { panic!("it failed") };
    let (ids, _): (HashSet<Uuid>, f64) = output.decode().expect("three ids and a number");
    assert_eq!(ids.len(), 3);
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn an_event_is_handed_in_with_its_checkpoint() {
    #[derive(Serialize, Deserialize, schemars::JsonSchema)]
    struct Told {
        what: String,
    }
    impl crate::event::Event for Told {
        const NAME: &'static str = "test/told";
        const TYPE: &'static str = "Told";
        type Fields = ();
        const FIELDS: () = ();
    }
    let begin = workflow!(async |step| {
        Ok(durable(step.send_event(At("tell"), Told { what: "all".to_owned() })).await?)
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let crate::journal::Change::Succeed { outcome, events, .. } = &entries[0].change else {
        panic!("not a success")
    };
    assert_eq!(events[0].name, "test/told");
    assert_eq!(events[0].data.as_str(), r#"{"what":"all"}"#);
    assert_eq!(outcome.as_str(), format!("\"{}\"", events[0].id));
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn an_idle_machine_says_until_when() {
    let mut bench = Bench::new(three_steps());
    let turn = bench.rest();
    let slept_at = bench.journal.last().expect("the sleep").at;
    assert_eq!(turn, Poll::Ready(Turn::Idle { until: Some(slept_at + Duration::from_secs(3600)) }));
}

#[test]
fn a_draining_machine_ends_what_is_in_progress_and_begins_nothing() {
    let begin = workflow!(async |step| {
        durable(step.run(At("slow"), || gated("slow"))).await?;
        durable(step.run(At("next"), || effect("next", ()))).await?;
        Ok(())
    });
    close_all();
    let mut bench = Bench::new(begin);
    assert_eq!(bench.rest(), Poll::Pending);
    bench.machine.drain();
    assert_eq!(bench.rest(), Poll::Pending);
    open("slow");
    assert_eq!(bench.rest(), Poll::Ready(Turn::Drained));
    assert_eq!(effects(), ["slow"]);
    assert_eq!(bench.keys(), ["slow"]);
}

/// Whoever drives it would poll it again and again.
#[test]
fn a_draining_machine_is_not_woken_by_a_step_that_may_not_begin() {
    #[derive(Default)]
    struct Wakes(AtomicU32);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let begin = workflow!(async |step| {
        let slow = durable(step.run(At("slow"), || gated("slow")));
        let others = async {
            durable(step.run(At("quick"), || effect("quick", ()))).await?;
            durable(step.run(At("next"), || effect("next", ()))).await
        };
        let (_, _) = join((slow, others)).await;
        Ok(())
    });
    close_all();
    let mut bench = Bench::new(begin);
    assert!(bench.turn().is_none());
    bench.machine.drain();
    assert_eq!(bench.rest(), Poll::Pending);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    for _ in 0..2 {
        let turn = bench.machine.poll(bench.clock, &mut TaskContext::from_waker(&waker));
        assert_eq!(turn, Poll::Pending);
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    assert_eq!(bench.keys(), ["quick"]);
}
