use std::sync::Mutex;

use super::*;
use crate::__private::{Branch, join, try_join};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn three_branches() -> Begin {
    workflow!(async |step| {
        Ok(join((
            durable(step.run(At("a"), || gated("a"))),
            durable(Branch(async {
                let b = durable(step.run(At("b"), || gated("b"))).await?;
                durable(step.run(At("after-b"), || effect("after-b", b.clone()))).await
            })),
            durable(step.run(At("c"), || gated("c"))),
        ))
        .await)
    })
}

/// Every order of three.
fn orders() -> impl Iterator<Item = [&'static str; 3]> {
    let picks = (0..3).flat_map(|a| (0..3).flat_map(move |b| (0..3).map(move |c| [a, b, c])));
    picks
        .filter(|[a, b, c]| a != b && b != c && a != c)
        .map(|picks: [usize; 3]| picks.map(|pick| NAMES[pick]))
}

#[test]
fn branches_may_finish_in_every_order() {
    for order in orders() {
        close_all();
        effects();
        let mut bench = Bench::new(three_branches());
        assert_eq!(bench.rest(), Poll::Pending);
        for name in order {
            open(name);
            let _ = bench.rest();
        }
        let end = bench.finish();
        assert_eq!(end, completed(r#"[{"Ok":"A"},{"Ok":"B"},{"Ok":"C"}]"#));
        let expected: Vec<_> = order
            .iter()
            .flat_map(|name| if *name == "b" { vec!["b", "after-b"] } else { vec![*name] })
            .collect();
        assert_eq!(bench.keys(), expected);

        // Whatever the order was, every prefix of it resumes to the same end.
        for length in 0..=bench.journal.len() {
            effects();
            let mut resumed = Bench::resumed(three_branches(), bench.journal[..length].to_vec());
            assert_eq!(resumed.finish(), end);
            assert_eq!(resumed.journal[..length].len(), length);
            let ran: HashSet<_> = effects().into_iter().collect();
            let over: HashSet<_> = bench.keys().into_iter().take(length).collect();
            assert!(ran.is_disjoint(&over), "{ran:?} ran again");
        }
    }
}

#[test]
fn outcomes_committed_together_reach_the_body_one_at_a_time_in_journal_order() {
    let begin = workflow!(async |step| {
        let seen = Mutex::new(Vec::new());
        let _ = join((
            durable(Branch(async {
                durable(step.run(At("left"), || effect("left", ()))).await?;
                seen.lock().expect("never poisoned").push("left");
                durable(step.run(At("left-2"), || effect("left-2", ()))).await
            })),
            durable(Branch(async {
                durable(step.run(At("right"), || effect("right", ()))).await?;
                seen.lock().expect("never poisoned").push("right");
                durable(step.run(At("right-2"), || effect("right-2", ()))).await
            })),
        ))
        .await;
        Ok(seen.into_inner().expect("never poisoned"))
    });
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed(r#"["left","right"]"#));

    // The journal decides, not the source: with the first two rows exchanged, so is the order.
    let mut journal = bench.journal[..2].to_vec();
    journal.swap(0, 1);
    (0..).zip(&mut journal).for_each(|(seq, row)| row.seq = seq);
    assert_eq!(Bench::resumed(begin, journal).finish(), completed(r#"["right","left"]"#));
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn the_first_error_of_a_try_join_drops_the_others() {
    let begin = workflow!(async |step| {
        let refused = || async { Err::<(), _>(crate::step::Permanent("no".into())) };
        let both = try_join((
            durable(step.run(At("a"), || gated("a"))),
            durable(step.run(At("refused"), refused)),
        ))
        .await;
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok(both.is_err())
    });
    close_all();
    effects();
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed("true"));
    assert_eq!(bench.keys(), ["refused", "after"]);
    assert_eq!(effects(), ["after"]);

    // With the other one's outcome in the same commit, the journal's order decides what the body
    // sees first; the refusal still ends the wait.
    open("a");
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed("true"));
    assert_eq!(bench.keys(), ["a", "refused", "after"]);
    assert_resumes_at_every_prefix(begin);
}

#[test]
fn an_outcome_that_nobody_waits_for_any_more_is_kept_on_record() {
    let begin = workflow!(async |step| {
        let refused = || async { Err::<(), _>(crate::step::Permanent("no".into())) };
        let both = try_join((
            durable(step.run(At("refused"), refused)),
            durable(step.run(At("a"), || gated("a"))),
        ))
        .await;
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok(both.is_err())
    });
    close_all();
    open("a");
    let mut bench = Bench::new(begin);
    assert_eq!(bench.finish(), completed("true"));
    assert_eq!(bench.keys(), ["refused", "a", "after"]);
    assert_resumes_at_every_prefix(begin);
}
