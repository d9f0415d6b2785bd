use super::*;
use crate::journal::{Change, Transition};

/// Adds up numbers in a loop that carries where it is.
fn sum() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("before"), || effect("before", ()))).await?;
        let (mut n, mut sum) = (0, 0);
        loop {
            (n, sum) = durable(step.carried(At("loop"), (n, sum))).await;
            if n == 5 {
                break;
            }
            sum +=
                durable(step.run(At("add"), || async move { effect(format!("add {n}"), n).await }))
                    .await?;
            n += 1;
        }
        durable(step.run(At("after"), || async move { effect("after", sum).await })).await?;
        Ok(sum)
    })
}

/// Every journal that the store holds on the way to the end.
fn journals(begin: Begin) -> (Vec<Vec<Row>>, End) {
    let mut bench = Bench::new(begin);
    let mut journals = vec![Vec::new()];
    while bench.turn().is_none() {
        journals.push(bench.journal.clone());
    }
    (journals, bench.end.expect("it has ended"))
}

#[test]
fn the_journal_of_a_carried_loop_stays_as_long_as_one_iteration() {
    let (journals, end) = journals(sum());
    assert_eq!(end, completed("10"));
    assert!(journals.iter().all(|journal| journal.len() <= 4));
    let keys: Vec<_> = journals[9].iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["before", "loop", "add"]);
    let Transition::Carried { iteration, outcome, first } = &journals[9][1].transition else {
        panic!("{:?}", journals[9])
    };
    assert_eq!((*iteration, outcome.as_str(), *first), (4, "[3,3]", Some(1)));
}

#[test]
fn a_carried_loop_resumes_in_its_last_iteration() {
    let (journals, end) = journals(sum());
    for journal in journals {
        effects();
        let iteration = journal.iter().rev().find_map(|row| match row.transition {
            Transition::Carried { iteration, .. } => Some(iteration - 1),
            _ => None,
        });
        let mut resumed = Bench::resumed(sum(), journal);
        assert_eq!(resumed.finish(), end);
        let earlier = 0..iteration.unwrap_or(0);
        let again = effects()
            .into_iter()
            .any(|effect| earlier.clone().any(|n| effect == format!("add {n}")));
        assert!(!again, "an iteration that is over ran again");
    }
}

#[test]
fn values_derived_in_different_iterations_differ() {
    let begin = workflow!(async |step| {
        let mut ids: Vec<Uuid> = Vec::new();
        while ids.len() < 4 {
            ids = durable(step.carried(At("loop"), ids)).await;
            let id = step.uuid(At("letter"));
            durable(step.run(At("send"), || effect("send", ()))).await?;
            ids.push(id);
        }
        Ok(ids)
    });
    let End::Completed(output) = Bench::new(begin).finish() else { panic!("it failed") };
    let ids: HashSet<Uuid> = output.decode().expect("ids");
    assert_eq!(ids.len(), 4);
    let (journals, end) = journals(begin);
    for journal in journals {
        assert_eq!(Bench::resumed(begin, journal).finish(), end);
    }
}

#[test]
fn two_loops_follow_one_another() {
    let begin = workflow!(async |step| {
        let mut n = 0;
        while n < 3 {
            n = durable(step.carried(At("first"), n)).await;
            n += durable(step.run(At("one"), || effect("one", 1))).await?;
        }
        let mut m = n;
        while m < 6 {
            m = durable(step.carried(At("second"), m)).await;
            m += durable(step.run(At("two"), || effect("two", 1))).await?;
        }
        Ok((n, m))
    });
    let (journals, end) = journals(begin);
    assert_eq!(end, completed("[3,6]"));
    for journal in journals {
        assert_eq!(Bench::resumed(begin, journal).finish(), end);
    }
}

/// A row that begins an iteration names the one that it takes the place of, and the loop's first.
#[test]
fn the_first_iteration_replaces_nothing() {
    let mut bench = Bench::new(sum());
    let mut replaced = Vec::new();
    loop {
        match bench.poll() {
            Poll::Ready(Turn::Commit(commit)) => {
                replaced.extend(commit.entries.iter().filter_map(|entry| match entry.change {
                    Change::Carry { replaces, first, .. } => Some((replaces, first)),
                    _ => None,
                }));
                bench.clock += SignedDuration::from_millis(10);
                bench.machine.committed(bench.clock);
            }
            turn => break assert_eq!(turn, Poll::Ready(Turn::Ended)),
        }
    }
    assert_eq!(replaced[0], (None, None));
    let (replaced, first): (Vec<_>, HashSet<_>) = replaced[1..].iter().copied().unzip();
    assert_eq!(replaced, [1, 3, 5, 7, 9].map(Some));
    assert_eq!(first, HashSet::from([Some(1)]));
}

/// What a retry has cut leaves gaps, also right before a loop.
#[test]
fn a_loop_begins_after_a_gap() {
    let mut bench = Bench::new(sum());
    while bench.journal.is_empty() {
        assert_eq!(bench.turn(), None);
    }
    let mut journal = bench.journal;
    journal[0].seq = 3;
    let mut whole = Bench::resumed(sum(), journal.clone());
    let mut journals = vec![journal];
    while whole.turn().is_none() {
        journals.push(whole.journal.clone());
    }
    assert_eq!(whole.end, Some(completed("10")));
    assert_eq!(whole.journal[0].seq, 3);
    for journal in journals {
        assert_eq!(Bench::resumed(sum(), journal).finish(), completed("10"));
    }
}
