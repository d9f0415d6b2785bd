use super::*;

fn original() -> Begin {
    workflow!(async |step| {
        let ticket = durable(step.run(At("fetch-ticket"), || effect("fetch-ticket", 7))).await?;
        durable(step.run(At("assign"), || async { effect("assign", ticket).await })).await?;
        Ok(())
    })
}

fn journal() -> Vec<Row> {
    let mut bench = Bench::new(original());
    bench.finish();
    effects();
    bench.journal
}

/// Resumes the original's journal with other code: it is held, and nothing is run or written.
fn held(begin: Begin) -> String {
    let mut bench = Bench::resumed(begin, journal());
    let fault = bench.fault();
    assert_eq!(effects(), Vec::<String>::new());
    assert_eq!(bench.journal.len(), 2);
    fault
}

#[test]
fn a_renamed_step_holds_the_run_and_shows_both_orders() {
    let fault = held(workflow!(async |step| {
        durable(step.run(At("fetch-ticket"), || effect("fetch-ticket", 7))).await?;
        durable(step.run(At("hand-over"), || effect("hand-over", ()))).await?;
        Ok(())
    }));
    assert_eq!(
        fault,
        "the body no longer does what its journal says that it did\n  \
         journal: `fetch-ticket` → `assign` (run, row 1)\n  \
         body:    `fetch-ticket` → `hand-over` (run)"
    );
}

#[test]
fn a_step_of_another_kind_holds_the_run() {
    let fault = held(workflow!(async |step| {
        durable(step.run(At("fetch-ticket"), || effect("fetch-ticket", 7))).await?;
        durable(step.sleep(At("assign"), std::time::Duration::from_secs(1))).await;
        Ok(())
    }));
    assert!(fault.ends_with("body:    `fetch-ticket` → `assign` (sleep)"), "{fault}");
}

#[test]
fn lines_left_over_at_the_body_s_end_hold_the_run() {
    let fault = held(workflow!(async |step| {
        Ok(durable(step.run(At("fetch-ticket"), || effect("fetch-ticket", 7))).await?)
    }));
    assert!(fault.ends_with("body:    `fetch-ticket` → its end"), "{fault}");
}

#[test]
fn an_outcome_that_no_longer_decodes_holds_the_run() {
    let fault = held(workflow!(async |step| {
        let make = || effect("fetch-ticket", vec![String::new()]);
        durable(step.run(At("fetch-ticket"), make)).await?;
        Ok(())
    }));
    assert!(fault.starts_with("the committed outcome of step `fetch-ticket` no longer fits"));
    assert!(fault.contains("alloc::vec::Vec<alloc::string::String>"), "{fault}");
    assert!(fault.ends_with("stored:  7"), "{fault}");
}

#[test]
fn a_fixed_program_resumes_a_held_run() {
    let mut bench = Bench::resumed(original(), journal());
    assert_eq!(bench.finish(), completed("null"));
    assert_eq!(effects(), Vec::<String>::new());
}
