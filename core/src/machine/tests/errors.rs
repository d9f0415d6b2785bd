use indelible_macros::workflow;
use serde::Deserialize;

use super::*;
use crate::step::{BoxError, Permanent};

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum PaymentError {
    #[error("declined: {code}")]
    Declined { code: f64 },
    #[error("the bank is away")]
    Away(
        #[source]
        #[serde(skip, default = "away")]
        std::fmt::Error,
    ),
}

fn away() -> std::fmt::Error {
    std::fmt::Error
}

/// Fails in another way each time.
async fn charge() -> Result<(), PaymentError> {
    let calls = EFFECTS.with_borrow_mut(|effects| {
        effects.push("charge".to_owned());
        effects.len()
    });
    Err(if calls == 1 { PaymentError::Away(away()) } else { PaymentError::Declined { code: 0.1 } })
}

fn pay() -> Begin {
    workflow!(async |step| {
        let step_run = step.run(At("charge"), charge).retries(1).keep_error();
        let error = durable(step_run).await.expect_err("it always fails");
        let history: Vec<_> = error
            .history()
            .iter()
            .map(|attempt| {
                let kept = attempt.error.downcast::<PaymentError>();
                (attempt.number, attempt.started_at, attempt.failed_at, format!("{kept:?}"))
            })
            .collect();
        let kept = error.downcast::<PaymentError>();
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok((format!("{kept:?}"), error.downcast::<u32>(), history))
    })
}

#[test]
fn a_kept_error_is_the_same_on_the_first_run_and_on_a_resume() {
    effects();
    let mut bench = Bench::new(pay());
    let end = bench.finish();
    let End::Completed(output) = &end else { panic!("{end:?}") };
    let output = output.as_str();
    assert!(output.starts_with(r#"["Some(Declined { code: 0.1 })",null,[[1,"1970-"#), "{output}");
    assert!(output.contains(r#""Some(Away(Error))"],[2,"#), "{output}");
    for length in 0..bench.journal.len() {
        effects();
        let mut resumed = Bench::resumed(pay(), bench.journal[..length].to_vec());
        if length >= 2 {
            assert_eq!(resumed.finish(), end, "resumed after {length} rows");
        }
    }
}

#[test]
fn attempts_have_their_times() {
    effects();
    let mut bench = Bench::new(pay());
    bench.finish();
    let [first, second] = &bench.journal[..2] else { panic!("two attempts were made") };
    let started = |row: &Row| row.started_at.expect("an attempt has begun");
    assert_eq!(started(first), ACCEPTED_AT);
    assert!(started(second) > first.at && started(second) < second.at);
}

#[test]
fn a_kept_error_that_code_no_longer_knows_holds_the_run() {
    effects();
    let mut bench = Bench::new(pay());
    bench.finish();
    let changed = workflow!(async |step| {
        let charged = step.run(At("charge"), || async { Err::<(), _>(Changed { code: 1 }) });
        durable(charged.keep_error()).await?;
        Ok(())
    });
    let fault = Bench::resumed(changed, bench.journal.clone()).fault();
    assert!(fault.contains("the error of step `charge`"), "{fault}");
    assert!(fault.contains(r#"{"Declined":{"code":0.1}}"#), "{fault}");
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("changed")]
struct Changed {
    code: u32,
}

#[test]
fn an_error_that_is_not_kept_is_a_message() {
    let begin = workflow!(async |step| {
        let error = durable(step.run(At("charge"), charge).retries(0)).await.expect_err("it fails");
        Ok((error.downcast::<PaymentError>().is_none(), error.causes().to_vec()))
    });
    effects();
    let expected = completed(r#"[true,["an error occurred when formatting an argument"]]"#);
    assert_eq!(Bench::new(begin).finish(), expected);
}

async fn look_up(order: u32) -> Result<u32, BoxError> {
    match order {
        0 => Err(Permanent("there is no order 0".into()).into()),
        _ => Ok("a lot".parse()?),
    }
}

#[workflow(input)]
async fn looks_up(_input: (), step: Step) -> Result<Vec<(u32, String)>, Failure> {
    let mut failures = Vec::new();
    for order in [0, 1] {
        let found = step.run("look-up", async { Ok(look_up(order).await? + 1) }).retries(2).await;
        let error = found.expect_err("it always fails");
        failures.push((error.attempts(), error.message().to_owned()));
    }
    Ok(failures)
}

#[test]
fn an_error_that_is_caught_in_a_step_is_what_it_was() {
    let expected = completed(r#"[[1,"there is no order 0"],[3,"invalid digit found in string"]]"#);
    assert_eq!(Bench::new(Definition::of::<looks_up>().begin).finish(), expected);
}
