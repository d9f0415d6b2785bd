//! What `check` passes resumes, and what it fails does not: held against the machine, with runs that
//! began under one version of a workflow and are resumed by another after each of their commits.

use crate::prelude::*;
use crate::testing::{Bench, RunError};
use crate::workflow::shape::{Change, WorkflowShape};

/// Whether some run of the first version is held by the second.
macro_rules! versions {
    ($($name:ident: $expected:ident, |$step:ident, $urgent:ident| { $($old:tt)* } => { $($new:tt)* })*) => {$(
        #[tokio::test]
        async fn $name() {
            mod before {
                use super::*;

                #[workflow(input)]
                pub(super) async fn work($urgent: bool, $step: Step) -> Result<(), Failure> {
                    let _ = $urgent;
                    $($old)*
                    Ok(())
                }
            }
            mod after {
                use super::*;

                #[workflow(input)]
                pub(super) async fn work($urgent: bool, $step: Step) -> Result<(), Failure> {
                    let _ = $urgent;
                    $($new)*
                    Ok(())
                }
            }

            let mut held = Vec::new();
            for urgent in [false, true] {
                let mut run = Bench::new().start(before::work, urgent);
                run.finish().await.expect("nothing in it fails");
                // Its last commit is that of its last step: until its end is committed it goes on.
                for commits in 0..run.commits() {
                    match run.resume_as(after::work, commits).finish().await {
                        Ok(()) => {}
                        Err(RunError::Held(reason)) => held.push(reason),
                        Err(failed) => panic!("{failed}"),
                    }
                }
            }
            let [old, new] = [before::work::GRAPH, after::work::GRAPH]
                .map(|graph| WorkflowShape::new([], None, &graph));
            $expected(&old.changes_to(&new), &held);
        }
    )*};
}

fn survives(changes: &[Change], held: &[String]) {
    assert!(!changes.iter().any(Change::is_breaking), "{changes:?}");
    assert!(held.is_empty(), "{}", held.join("\n"));
}

fn breaks(changes: &[Change], held: &[String]) {
    assert!(changes.iter().any(Change::is_breaking), "{changes:?}");
    assert!(!held.is_empty(), "every run resumes");
}

async fn unit() -> Result<u32, Failure> {
    Ok(1)
}

versions! {
    a_step_after_the_last: survives, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    }

    a_step_where_an_early_end_was: survives, |step, urgent| {
        step.run("a", unit()).await?;
        if urgent {
            return Ok(());
        }
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        if urgent {
            step.run("d", unit()).await?;
            return Ok(());
        }
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    }

    an_else_before_the_end: survives, |step, urgent| {
        step.run("a", unit()).await?;
        if urgent {
            step.run("b", unit()).await?;
            step.run("c", unit()).await?;
        }
    } => {
        step.run("a", unit()).await?;
        if urgent {
            step.run("b", unit()).await?;
            step.run("c", unit()).await?;
        } else {
            step.run("d", unit()).await?;
        }
    }

    branches_of_an_if_change_places: survives, |step, urgent| {
        if urgent {
            step.run("a", unit()).await?;
        } else {
            step.run("b", unit()).await?;
        }
        step.run("c", unit()).await?;
    } => {
        if !urgent {
            step.run("b", unit()).await?;
        } else {
            step.run("a", unit()).await?;
        }
        step.run("c", unit()).await?;
    }

    branches_of_a_join_change_places: survives, |step, urgent| {
        let _ = join!(step.run("a", unit()), step.run("b", unit()));
        step.run("c", unit()).await?;
    } => {
        let _ = join!(step.run("b", unit()), step.run("a", unit()));
        step.run("c", unit()).await?;
    }

    a_branch_joins_the_last: survives, |step, urgent| {
        step.run("c", unit()).await?;
        let _ = join!(step.run("a", unit()), step.run("b", unit()));
    } => {
        step.run("c", unit()).await?;
        let _ = join!(step.run("d", unit()), step.run("a", unit()), step.run("b", unit()));
    }

    a_join_after_the_last: survives, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        let _ = join!(step.run("d", unit()), step.sleep("c", "1h"));
    }

    values_come_and_go: survives, |step, urgent| {
        let _ = step.uuid("x");
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        let _ = step.uuid("y");
    }

    a_step_renamed: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("d", unit()).await?;
        step.run("c", unit()).await?;
    }

    a_step_removed: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("c", unit()).await?;
    }

    a_step_inserted: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    } => {
        step.run("c", unit()).await?;
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    }

    a_step_in_a_new_early_end: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        if urgent {
            step.run("c", unit()).await?;
        }
    } => {
        step.run("a", unit()).await?;
        if urgent {
            step.run("d", unit()).await?;
            return Ok(());
        }
        step.run("b", unit()).await?;
        if urgent {
            step.run("c", unit()).await?;
        }
    }

    a_step_at_the_end_of_a_loop: breaks, |step, urgent| {
        for _ in 0..3 {
            step.run("a", unit()).await?;
        }
    } => {
        for _ in 0..3 {
            step.run("a", unit()).await?;
            step.run("b", unit()).await?;
        }
    }

    a_branch_that_joins_in_the_middle: breaks, |step, urgent| {
        let _ = join!(step.run("a", unit()), step.run("b", unit()));
        step.run("c", unit()).await?;
        step.run("e", unit()).await?;
    } => {
        let _ = join!(step.run("a", unit()), step.run("b", unit()), step.run("d", unit()));
        step.run("c", unit()).await?;
        step.run("e", unit()).await?;
    }

    steps_reordered: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("b", unit()).await?;
        step.run("a", unit()).await?;
        step.run("c", unit()).await?;
    }

    a_step_of_another_kind: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
    } => {
        step.sleep("a", "1h").await;
        step.run("b", unit()).await?;
    }

    a_value_becomes_a_step: breaks, |step, urgent| {
        let _ = step.uuid("a");
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    }

    a_step_behind_an_if: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        if urgent {
            step.run("b", unit()).await?;
        }
        step.run("c", unit()).await?;
    }

    a_new_early_end: breaks, |step, urgent| {
        step.run("a", unit()).await?;
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    } => {
        step.run("a", unit()).await?;
        if urgent {
            return Ok(());
        }
        step.run("b", unit()).await?;
        step.run("c", unit()).await?;
    }

    an_if_becomes_a_join: breaks, |step, urgent| {
        if urgent {
            step.run("a", unit()).await?;
        } else {
            step.run("b", unit()).await?;
        }
        step.run("c", unit()).await?;
        step.run("d", unit()).await?;
    } => {
        let _ = (urgent, join!(step.run("a", unit()), step.run("b", unit())));
        step.run("c", unit()).await?;
        step.run("d", unit()).await?;
    }
}
