use std::time::Duration;

use super::*;
use crate::journal::{ErrorKind, Transition};
use crate::step::{Permanent, RetryAfter};

#[derive(Debug, thiserror::Error)]
#[error("the desk is closed")]
struct Closed(#[source] std::io::Error);

fn closed() -> Closed {
    Closed(std::io::Error::other("nobody is there"))
}

/// Fails as often as `times`, then gives how often it was called.
async fn flaky(name: &'static str, times: usize) -> Result<usize, Closed> {
    let calls = EFFECTS.with_borrow_mut(|effects| {
        effects.push(name.to_owned());
        effects.iter().filter(|effect| *effect == name).count()
    });
    if calls <= times { Err(closed()) } else { Ok(calls) }
}

fn attempts(bench: &Bench) -> Vec<String> {
    bench
        .journal
        .iter()
        .map(|row| match &row.transition {
            Transition::Retrying { attempt, .. } => format!("retrying {attempt}"),
            Transition::Succeeded { attempt, .. } => format!("succeeded {attempt}"),
            Transition::Failed { attempt, .. } => format!("failed {attempt}"),
            other => format!("{:?}", other.kind()),
        })
        .collect()
}

#[test]
fn a_failed_step_is_tried_again_after_its_backoff() {
    let begin =
        workflow!(async |step| { Ok(durable(step.run(At("flaky"), || flaky("flaky", 2))).await?) });
    effects();
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed("3"));
    assert_eq!(attempts(&bench), ["retrying 1", "retrying 2", "succeeded 3"]);
    let waits: Vec<_> = bench
        .journal
        .iter()
        .filter_map(|row| match row.transition {
            Transition::Retrying { due, .. } => Some(due.duration_since(row.at).as_millis()),
            _ => None,
        })
        .collect();
    assert!((500..=1000).contains(&waits[0]), "{waits:?}");
    assert!((1000..=2000).contains(&waits[1]), "{waits:?}");
}

#[test]
fn a_resumed_run_remembers_its_attempts() {
    let begin = workflow!(async |step| {
        Ok(durable(step.run(At("flaky"), || flaky("flaky", 99))).await.unwrap_err().attempts())
    });
    effects();
    let mut bench = Bench::new(begin);
    bench.finish();
    effects();
    let mut resumed = Bench::resumed(begin, bench.journal[..2].to_vec());
    assert_eq!(resumed.finish(), completed("3"));
    assert_eq!(effects().len(), 1, "one attempt of three was left");
}

#[test]
fn an_error_is_the_same_on_the_first_run_and_on_a_resume() {
    let begin = workflow!(async |step| {
        let error = durable(step.run(At("closed"), || async { Err::<(), _>(closed()) }))
            .await
            .expect_err("it always fails");
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok((error.to_string(), error.causes().to_vec(), error.attempts()))
    });
    let text = "step `closed` failed after 3 attempts: the desk is closed: nobody is there";
    let expected = format!(r#"["{text}",["nobody is there"],3]"#);
    assert_eq!(Bench::new(begin).finish(), completed(&expected));
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn a_permanent_error_is_not_tried_again() {
    let begin = workflow!(async |step| {
        let gone = || async { Err::<(), _>(Permanent("the ticket is gone".into())) };
        durable(step.run(At("fetch"), gone)).await?;
        Ok(())
    });
    let mut bench = Bench::new(begin);
    let End::Failed(error) = bench.finish() else { panic!("it completed") };
    assert_eq!(attempts(&bench), ["failed 1"]);
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert_eq!(error.message, "the ticket is gone");
    assert_eq!(error.step.expect("a step failed").as_str(), "fetch");
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn an_error_may_say_when_to_try_again() {
    let begin = workflow!(async |step| {
        let busy = || async { Err::<(), _>(RetryAfter("busy".into(), Duration::from_secs(90))) };
        durable(step.run(At("busy"), busy)).await?;
        Ok(())
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
        panic!("it does not wait")
    };
    assert_eq!(until, bench.clock + Duration::from_secs(90));
}

#[test]
fn retry_if_decides_which_errors_are_worth_another_attempt() {
    let begin = workflow!(async |step| {
        let step = step
            .run(At("closed"), || async { Err::<(), _>(closed()) })
            .retry_if(|Closed(cause)| cause.kind() != std::io::ErrorKind::Other);
        Ok(durable(step).await.unwrap_err().attempts())
    });
    assert_eq!(Bench::new(begin).finish(), completed("1"));
}

#[test]
fn an_attempt_that_takes_too_long_counts_as_failed() {
    let begin = workflow!(async |step| {
        let slow = step.run(At("slow"), || gated("slow")).timeout(Duration::from_secs(30));
        Ok(durable(slow.retries(0)).await.unwrap_err().to_string())
    });
    close_all();
    let mut bench = Bench::new(begin);
    assert_eq!(bench.rest(), Poll::Pending);
    assert_eq!(bench.machine.next_due(), Some(ACCEPTED_AT + Duration::from_secs(30)));
    bench.clock = ACCEPTED_AT + Duration::from_millis(29_999);
    assert_eq!(bench.rest(), Poll::Pending);
    bench.clock = ACCEPTED_AT + Duration::from_secs(30);
    let message = "step `slow` failed: the attempt took longer than its timeout of 30s";
    assert_eq!(bench.finish(), completed(&format!("\"{message}\"")));
    assert_eq!(effects(), Vec::<String>::new(), "the attempt was dropped");
}

#[test]
fn a_panic_in_a_step_is_an_error_that_says_where() {
    let begin = workflow!(async |step| {
        let panics = step.run(At("panics"), || async {
            if step.now() >= ACCEPTED_AT {
                panic!("out of {}", "paper");
            }
            Ok::<_, Failure>(())
        });
        let error = durable(panics.retries(0)).await.expect_err("it panics");
        Ok((error.kind(), error.message().to_owned(), error.to_string().contains("failures.rs:")))
    });
    assert_eq!(Bench::new(begin).finish(), completed(r#"["panic","out of paper",true]"#));
}

#[test]
fn a_panic_in_the_body_fails_the_run() {
    let begin = workflow!(async |step| {
        durable(step.run(At("one"), || effect("one", ()))).await?;
        if step.now() > ACCEPTED_AT {
            panic!("the body gave up");
        }
        Ok(())
    });
    let End::Failed(error) = Bench::new(begin).finish() else { panic!("it completed") };
    assert_eq!((error.kind, &*error.message), (ErrorKind::Panic, "the body gave up"));
    assert!(error.location.expect("a place").contains("failures.rs:"));
}

#[test]
fn an_outcome_over_the_limit_fails_its_step_with_the_size() {
    let begin = workflow!(async |step| {
        let large = || async { Ok::<_, Failure>("x".repeat(5 << 20)) };
        durable(step.run(At("large"), large)).await?;
        Ok(())
    });
    let mut bench = Bench::new(begin);
    let End::Failed(error) = bench.finish() else { panic!("it completed") };
    assert_eq!(error.kind, ErrorKind::Unstorable);
    assert_eq!(
        error.message,
        "the step's outcome cannot be stored: it is 5242882 bytes as JSON, over the limit of \
         4194304 bytes"
    );
    assert_eq!(attempts(&bench), ["failed 1"]);
}
