use std::time::Duration;

use super::*;
use crate::__private::join;

#[test]
fn a_sleep_ends_no_earlier_than_due() {
    let begin = workflow!(async |step| {
        durable(step.sleep(At("nap"), Duration::from_secs(60))).await;
        Ok(())
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
        panic!("it does not sleep")
    };
    bench.clock = until - Duration::from_nanos(1);
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: Some(until) }));
    bench.clock = until;
    assert_eq!(bench.rest(), Poll::Ready(Turn::Ended));
}

#[test]
fn a_sleep_until_a_time_that_has_passed_ends_at_once() {
    let begin = workflow!(async |step| {
        durable(step.sleep_until(At("then"), ACCEPTED_AT - Duration::from_secs(1))).await;
        Ok(())
    });
    assert_eq!(Bench::new(begin).rest(), Poll::Ready(Turn::Ended));
}

#[test]
fn a_sleep_of_ages_is_bounded_by_the_calendar() {
    let begin = workflow!(async |step| {
        durable(step.sleep(At("ages"), Duration::MAX)).await;
        Ok(())
    });
    let until = "9999-12-30T22:00:00Z".parse().expect("it is the calendar's last second");
    assert_eq!(Bench::new(begin).rest(), Poll::Ready(Turn::Idle { until: Some(until) }));
}

#[test]
fn now_is_the_commit_time_of_the_outcome_seen_last() {
    let begin = workflow!(async |step| {
        let before = step.now();
        durable(step.run(At("one"), || effect("one", ()))).await?;
        let between = step.now();
        durable(step.sleep(At("hour"), Duration::from_secs(3600))).await;
        Ok([before, between, step.now()])
    });
    let mut bench = Bench::new(begin);
    let End::Completed(output) = bench.finish() else { panic!("it failed") };
    let times: [Timestamp; 3] = output.decode().expect("three times");
    assert_eq!(times, [ACCEPTED_AT, bench.journal[0].at, bench.journal[2].at]);
    let mut resumed = Bench::resumed(begin, bench.journal.clone());
    assert_eq!(resumed.finish(), End::Completed(output));
}

#[test]
fn sleeps_side_by_side_end_in_order_of_their_times() {
    let begin = workflow!(async |step| {
        join((
            durable(step.sleep(At("long"), Duration::from_secs(20))),
            durable(step.sleep(At("short"), Duration::from_secs(10))),
        ))
        .await;
        Ok(())
    });
    let mut bench = Bench::new(begin);
    bench.finish();
    assert_eq!(bench.keys(), ["long", "short", "short", "long"]);

    // Both have passed when the run is taken up again: the order is still that of their times.
    let mut late = Bench::resumed(begin, bench.journal[..2].to_vec());
    late.clock += Duration::from_secs(60);
    late.finish();
    assert_eq!(late.keys(), ["long", "short", "short", "long"]);
}

fn sleeper() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(undoing::take_back)).await?;
        durable(step.sleep(At("rest"), Duration::from_secs(3600))).await;
        Ok(())
    })
}

#[test]
fn a_run_that_takes_too_long_is_cancelled_and_undone() {
    effects();
    let config = Config::DEFAULT.finish_timeout(Duration::from_secs(60));
    let mut bench = Bench::configured(sleeper(), Vec::new(), config, ACCEPTED_AT);
    let deadline = ACCEPTED_AT + Duration::from_secs(60);
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: Some(deadline) }));
    bench.clock = deadline;
    let End::Cancelled(reason) = bench.finish() else { panic!("it is not cancelled") };
    assert_eq!(reason, "it had not ended 60s after it had begun");
    assert_eq!(effects(), ["reserve", "take back 1"]);
    // The time is that of the first claim, whoever takes the run up again.
    let mut again = Bench::configured(sleeper(), bench.journal[..2].to_vec(), config, ACCEPTED_AT);
    again.clock = deadline;
    assert!(matches!(again.finish(), End::Cancelled(_)));
}

#[test]
fn a_run_that_begins_too_late_does_nothing() {
    effects();
    let config = Config::DEFAULT.start_timeout(Duration::from_secs(60));
    let late = ACCEPTED_AT + Duration::from_millis(60_001);
    let mut bench = Bench::configured(sleeper(), Vec::new(), config, late);
    bench.clock = late;
    let End::Cancelled(reason) = bench.finish() else { panic!("it is not cancelled") };
    assert_eq!(reason, "it had not begun 60s after it was accepted");
    assert_eq!(effects(), Vec::<String>::new());
    let in_time = ACCEPTED_AT + Duration::from_secs(60);
    let mut bench = Bench::configured(sleeper(), Vec::new(), config, in_time);
    assert_eq!(bench.finish(), completed("null"));
}
