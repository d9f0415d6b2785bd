use std::time::Duration;

use super::*;
use crate::__private::race;
use crate::journal::{Change, Transition};
use crate::step::Race2;

fn sleep_or_step() -> Begin {
    workflow!(async |step| {
        let winner = race((
            durable(step.run(At("work"), || gated("work"))),
            durable(step.sleep(At("limit"), Duration::from_secs(60))),
        ))
        .await;
        let winner = match winner {
            Race2::A(work) => work?,
            Race2::B(()) => "too late".to_owned(),
        };
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok(winner)
    })
}

#[test]
fn the_first_to_end_wins_and_wins_again_on_every_resume() {
    close_all();
    open("work");
    let mut bench = Bench::new(sleep_or_step());
    assert_eq!(bench.finish(), completed("\"WORK\""));
    assert_resumes_at_every_prefix(sleep_or_step());

    close_all();
    let mut bench = Bench::new(sleep_or_step());
    let Poll::Pending = bench.rest() else { panic!("the work is in progress") };
    bench.clock += SignedDuration::from_secs(61);
    assert_eq!(bench.finish(), completed("\"too late\""));

    // The work could be done at once now: the race is over all the same.
    let length = bench.keys().iter().rposition(|key| key == "limit").expect("the limit") + 1;
    let mut resumed = Bench::resumed(sleep_or_step(), bench.journal[..length].to_vec());
    open("work");
    effects();
    assert_eq!(resumed.finish(), completed("\"too late\""));
    assert_eq!(effects(), ["after"]);
}

fn child_or_step() -> Begin {
    workflow!(async |step| {
        let winner = race((
            durable(step.run(At("work"), || gated("work"))),
            durable(step.invoke(At("ask"), invoking::child, 1)),
        ))
        .await;
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok(matches!(winner, Race2::A(_)))
    })
}

#[test]
fn what_a_loser_began_in_the_world_is_taken_back() {
    close_all();
    let mut bench = Bench::new(child_or_step());
    let _ = bench.rest();
    let Transition::Invoked { child, .. } = bench.journal[0].transition else { panic!("no child") };
    open("work");
    assert!(bench.turn().is_none());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let changes: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), &entry.change)).collect();
    assert!(changes.contains(&("ask", &Change::Abandon { cancelled: Some(child) })), "{changes:?}");
}

#[test]
fn a_loser_is_taken_back_once_wherever_the_process_dies() {
    close_all();
    let mut bench = Bench::new(child_or_step());
    let _ = bench.rest();
    open("work");
    assert_eq!(bench.finish(), completed("true"));
    let abandoned = |bench: &Bench| {
        let rows = bench.journal.iter();
        rows.filter(|row| row.transition == Transition::Abandoned).count()
    };
    assert_eq!(abandoned(&bench), 1);
    for length in 1..=bench.journal.len() {
        let mut resumed = Bench::resumed(child_or_step(), bench.journal[..length].to_vec());
        assert_eq!(resumed.finish(), completed("true"), "resumed after {length} rows");
        assert_eq!(abandoned(&resumed), 1, "resumed after {length} rows");
    }
}

#[test]
fn as_many_run_side_by_side_as_the_limit_allows() {
    let begin = workflow!(async |step| {
        let names = ["a", "b", "c"];
        let steps = names.iter().map(|name| step.run(At("work"), || gated(name)).key(name));
        let done = durable(step.join_all(steps).limit(2)).await;
        Ok(done.into_iter().collect::<Result<Vec<_>, _>>()?)
    });
    close_all();
    effects();
    open("c");
    let mut bench = Bench::new(begin);
    assert_eq!(bench.rest(), Poll::Pending);
    assert_eq!(effects(), Vec::<String>::new(), "the third has not begun");
    open("b");
    assert_eq!(bench.rest(), Poll::Pending);
    assert_eq!(bench.keys(), ["work[b]", "work[c]"]);
    open("a");
    assert_eq!(bench.finish(), completed(r#"["A","B","C"]"#));
    for length in 0..=bench.journal.len() {
        let mut resumed = Bench::resumed(begin, bench.journal[..length].to_vec());
        assert_eq!(resumed.finish(), completed(r#"["A","B","C"]"#));
    }
}
