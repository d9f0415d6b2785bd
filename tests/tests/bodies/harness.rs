//! Holds a workflow against the plain function of the same body.

use std::error::Error;
use std::future::Future;

use indelible::step::{BoxError, StepError};
use indelible::testing::{Bench, RunError, TestRun};
use indelible::workflow::Direct;
use indelible::{Workflow, WorkflowFn};
use serde::Serialize;

use crate::{plain, work};

/// Makes of one body a workflow, a plain async function, and the test that compares them on each of
/// the inputs.
macro_rules! body {
    (
        on [$($input:expr),+ $(,)?]
        $(#[$attribute:meta])*
        async fn $name:ident $parameters:tt -> $($rest:tt)*
    ) => {
        mod $name {
            #[allow(unused_imports, reason = "not every body uses all")]
            mod durable {
                use super::super::*;
                use indelible::prelude::Step;

                #[indelible::workflow(input, retries = 4)]
                $(#[$attribute])*
                pub(super) async fn $name $parameters -> $($rest)*
            }

            #[allow(unused_imports, reason = "not every body uses all")]
            mod plain {
                use super::super::*;
                use crate::plain::{Step, join, race, try_join};

                $(#[$attribute])*
                pub(super) async fn $name $parameters -> $($rest)*
            }

            #[test]
            fn runs_as_the_plain_function_and_resumes_after_each_commit() {
                #[allow(unused_imports, reason = "inputs are written where the bodies stand")]
                use super::*;
                $(crate::harness::check(durable::$name, plain::$name, $input);)+
            }
        }
    };
}

/// Runs both on one input, compares them, and resumes the workflow after each of its commits.
pub(crate) fn check<W, I, F, T, E>(
    workflow: impl WorkflowFn<W>,
    function: impl FnOnce(I, plain::Step) -> F,
    input: I,
) where
    W: Workflow<Input = Direct<I>> + indelible::step::Body,
    I: Serialize + serde::de::DeserializeOwned + Clone + Send + 'static,
    F: Future<Output = Result<T, E>>,
    T: Serialize,
    E: Into<BoxError>,
{
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("an executor without I/O needs nothing");
    executor.block_on(async {
        work::restore(&[]);
        let expected = function(input.clone(), plain::Step::default()).await;
        let mut expected_log = work::log();

        work::restore(&[]);
        let mut run = Bench::new().start(workflow, input);
        let logs = finish(&mut run).await;
        assert_same_result(run.finish().await, expected);
        // Branches side by side may take turns otherwise.
        let mut log = work::log();
        log.sort();
        expected_log.sort();
        assert_eq!(log, expected_log, "the steps did something else than in the plain function");

        let whole = work::log();
        for (commits, log) in logs.iter().enumerate() {
            let how = format!("resumed after {commits} commits");
            work::restore(log);
            let mut resumed = run.resume_after(commits);
            finish(&mut resumed).await;
            run.assert_same(&resumed, &how);
            assert_eq!(work::log(), whole, "{how}, its steps did not do what was left to do");
        }
    });
}

/// Runs to the end; what had been done before the first commit, and at each.
async fn finish<W: indelible::step::Body>(run: &mut TestRun<W>) -> Vec<Vec<String>> {
    let mut logs = vec![work::log()];
    while run.commit().await {
        // The commit of the end alone is none to resume after.
        if logs.len() == run.commits() {
            logs.push(work::log());
        }
    }
    logs
}

fn assert_same_result<T: Serialize, U: Serialize, E: Into<BoxError>>(
    found: Result<T, RunError>,
    expected: Result<U, E>,
) {
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            let [found, expected] = [json(&found), json(&expected)];
            assert_eq!(found, expected, "the workflow and the plain function differ");
        }
        (Err(RunError::Failed(found)), Err(expected)) => {
            let expected: BoxError = expected.into();
            match step_error(&*expected) {
                Some(step) => {
                    assert_eq!(found.step.as_ref(), Some(step.step()));
                    assert_eq!(found.kind, step.kind());
                    assert_eq!(found.message, step.message());
                    assert_eq!(found.causes, step.causes());
                }
                None => assert_eq!(found.message, expected.to_string()),
            }
        }
        (Ok(found), Err(expected)) => {
            panic!(
                "the workflow gave {}, the plain function failed: {}",
                json(&found),
                expected.into()
            );
        }
        (Err(found), Ok(expected)) => {
            panic!("{found}; the plain function gave {}", json(&expected));
        }
        (Err(found), Err(_)) => panic!("{found}"),
    }
}

/// The failure of a step in a chain of causes.
fn step_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e StepError> {
    error.downcast_ref().or_else(|| step_error(error.source()?))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("it was stored as JSON")
}
