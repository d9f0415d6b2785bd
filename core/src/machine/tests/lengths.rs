use super::*;
use crate::journal::ErrorKind;

const LIMITS: Limits = Limits { rows: 10, ..Limits::DEFAULT };

/// As many steps as the driver cares to poll for.
const LONG: Begin = workflow!(async |step| {
    for n in 0..100 {
        durable(step.run(At("count"), || effect("count", n))).await?;
    }
    Ok(())
});

fn assert_too_long(end: &End) {
    let End::Failed(error) = end else { panic!("it has not failed: {end:?}") };
    assert_eq!(error.kind, ErrorKind::JournalTooLong);
    assert!(error.message.contains("more than 10 entries"), "{error}");
}

#[test]
fn a_journal_that_grows_without_bounds_fails_its_run() {
    effects();
    let mut bench = Bench::limited(LONG, Vec::new(), LIMITS);
    assert_too_long(&bench.finish());
    assert_eq!(effects().len(), 11, "nothing was begun beyond the limit");
    assert_eq!(bench.journal.len(), 11, "what had ended is on record");
    assert_eq!(bench.machine.rows(), 11);
}

#[test]
fn a_resumed_run_counts_what_its_journal_has() {
    let mut bench = Bench::limited(LONG, Vec::new(), LIMITS);
    bench.finish();
    effects();
    let mut resumed = Bench::limited(LONG, bench.journal[..8].to_vec(), LIMITS);
    assert_too_long(&resumed.finish());
    assert_eq!(effects().len(), 3);
}

#[test]
fn steps_in_progress_are_dropped_when_the_journal_is_too_long() {
    let begin = workflow!(async |step| {
        let forever = durable(step.run(At("forever"), std::future::pending::<Result<(), Failure>>));
        let count = async {
            for n in 0..100 {
                durable(step.run(At("count"), || effect("count", n))).await?;
            }
            Ok::<_, Failure>(())
        };
        futures_util::future::try_join(async { Ok(forever.await?) }, count).await?;
        Ok(())
    });
    assert_too_long(&Bench::limited(begin, Vec::new(), LIMITS).finish());
}

#[test]
fn a_carried_loop_stays_within_the_limit() {
    let begin = workflow!(async |step| {
        let mut n = 0;
        while n < 100 {
            (n,) = durable(step.carried(At("loop"), (n,))).await;
            durable(step.run(At("count"), || effect("count", n))).await?;
            n += 1;
        }
        Ok(n)
    });
    let mut bench = Bench::limited(begin, Vec::new(), LIMITS);
    assert_eq!(bench.finish(), completed("100"));
    assert_eq!(bench.machine.rows() as usize, bench.journal.len());
}
