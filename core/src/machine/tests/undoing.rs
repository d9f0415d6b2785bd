use super::invoking::child;
use super::waiting::Paid;
use super::*;
use crate::__private::undo;
use crate::journal::{ErrorKind, ErrorRecord, Transition};
use crate::step::Undo;

/// What undoes the steps of these tests, by their ids.
pub(super) const UNDOS: &[Undo] = &[
    undo!("reserve", take_back),
    undo!("charge", take_back),
    undo!("ask", take_back),
    undo!("refuse", refuse),
    undo!("hang", hang),
    undo!("works", take_back_nothing),
];

pub(super) async fn take_back(output: u32) -> Result<(), Failure> {
    effect(format!("take back {output}"), ()).await
}

pub(super) async fn take_back_nothing(_: ()) -> Result<(), Failure> {
    effect("take back nothing", ()).await
}

async fn hang(_: u32) -> Result<(), Failure> {
    std::future::pending().await
}

async fn forget(_: String) -> Result<(), Failure> {
    effect("forget", ()).await
}

async fn refuse(_: u32) -> Result<(), Failure> {
    Err(Failure::msg("it cannot be taken back"))
}

/// An order that fails when it is shipped.
fn order() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        durable(step.run(At("note"), || effect("note", 2))).await?;
        durable(step.run(At("charge"), || effect("charge", 3)).undo(take_back)).await?;
        ship(&step).await
    })
}

async fn ship(step: &Step) -> Result<(), Failure> {
    let ship = || async { Err::<(), _>(Failure::msg("no ship")) };
    Ok(durable(step.run(At("ship"), ship).retries(0)).await?)
}

fn failed(end: End) -> ErrorRecord {
    match end {
        End::Failed(error) => error,
        end => panic!("it did not fail: {end:?}"),
    }
}

fn cancel(reason: &str) -> Message {
    Message { id: Uuid::new_v4().into(), content: Content::Cancel { reason: reason.to_owned() } }
}

fn undone(error: &ErrorRecord) -> Vec<(&str, bool)> {
    error.undone.iter().map(|undone| (undone.step.as_str(), undone.error.is_none())).collect()
}

#[test]
fn a_failed_run_undoes_its_steps_in_reverse_order_of_commit() {
    effects();
    let mut bench = Bench::new(order());
    let error = failed(bench.finish());
    assert_eq!(error.message, "no ship");
    assert_eq!(undone(&error), [("charge", true), ("reserve", true)]);
    assert_eq!(effects(), ["reserve", "note", "charge", "take back 3", "take back 1"]);
    let rows = ["reserve", "note", "charge", "ship", "(undo)", "undo(charge)", "undo(reserve)"];
    assert_eq!(bench.keys(), rows);
}

#[test]
fn undoing_goes_on_wherever_it_was_interrupted() {
    let mut whole = Bench::new(order());
    let end = whole.finish();
    for length in 0..=whole.journal.len() {
        effects();
        let mut resumed = Bench::resumed(order(), whole.journal[..length].to_vec());
        assert_eq!(resumed.finish(), end, "resumed after {length} rows");
        assert_eq!(resumed.keys(), whole.keys());
        // The first rows are those of four steps and of the beginning.
        let undone = length.saturating_sub(5);
        let expected = &["take back 3", "take back 1"][undone..];
        let effects = effects();
        assert!(effects.ends_with(&expected.iter().map(|e| e.to_string()).collect::<Vec<_>>()));
        assert_eq!(effects.iter().filter(|e| e.starts_with("take")).count(), expected.len());
    }
}

/// Once it has begun, the code of the body has no part in it.
#[test]
fn undoing_does_not_need_the_body() {
    let mut whole = Bench::new(order());
    let end = whole.finish();
    let other = workflow!(async |step| {
        if step.now() >= ACCEPTED_AT {
            panic!("the body runs");
        }
        Ok(())
    });
    for length in 5..=whole.journal.len() {
        assert_eq!(Bench::resumed(other, whole.journal[..length].to_vec()).finish(), end);
    }
}

#[test]
fn a_run_that_completes_or_has_done_nothing_undoes_nothing() {
    effects();
    let completes = workflow!(async |step| {
        Ok(durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?)
    });
    assert_eq!(Bench::new(completes).finish(), completed("1"));
    let fails = workflow!(async |step| { ship(&step).await });
    let mut bench = Bench::new(fails);
    assert!(failed(bench.finish()).undone.is_empty());
    assert_eq!(bench.keys(), ["ship"]);
    assert_eq!(effects(), ["reserve"]);
}

#[test]
fn a_cancelled_run_undoes_its_steps_once() {
    close_all();
    effects();
    let begin = workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        Ok(durable(step.run(At("charge"), || gated("charge")).undo(forget)).await?)
    });
    let mut bench = Bench::new(begin);
    assert_eq!(bench.rest(), Poll::Pending);
    bench.machine.receive(cancel("enough"));
    assert!(bench.turn().is_none());
    bench.machine.receive(cancel("enough, I said"));
    assert_eq!(bench.finish(), End::Cancelled("enough".to_owned()));
    assert_eq!(effects(), ["reserve", "take back 1"], "the charge was dropped");
    assert_eq!(bench.taken.len(), 2);
    for length in 2..=bench.journal.len() {
        let mut resumed = Bench::resumed(begin, bench.journal[..length].to_vec());
        resumed.machine.receive(cancel("once more"));
        assert_eq!(resumed.finish(), End::Cancelled("enough".to_owned()));
    }
}

/// Its end stands in one commit with the beginning of the undoing.
#[test]
fn a_journal_is_not_replayed_up_to_a_wait_that_was_given_up_with_the_body() {
    let begin = workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        Ok(durable(step.wait_for_event::<Paid>(At("paid"))).await.is_some())
    });
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    bench.machine.receive(cancel("enough"));
    assert_eq!(bench.finish(), End::Cancelled("enough".to_owned()));
    assert_eq!(bench.keys(), ["reserve", "paid", "paid", "(undo)", "undo(reserve)"]);
    assert_eq!(bench.replayed(None), Ok(()));
}

#[test]
fn an_outcome_that_was_handed_in_when_the_body_ended_is_undone() {
    effects();
    let begin = workflow!(async |step| {
        let reserve = durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back));
        let charge = durable(step.run(At("charge"), || effect("charge", 3)).undo(take_back));
        let both = crate::step::try_join((ship(&step), async {
            let _ = crate::step::join((reserve, charge)).await;
            Ok(())
        }));
        both.await.map(drop)
    });
    let mut bench = Bench::new(begin);
    let error = failed(bench.finish());
    assert_eq!(undone(&error), [("charge", true), ("reserve", true)]);
    assert_eq!(bench.keys()[3..], ["(undo)", "undo(charge)", "undo(reserve)"]);
}

#[test]
fn an_undo_is_tried_again_and_one_that_fails_for_good_leaves_the_others_their_turn() {
    effects();
    let begin = workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        durable(step.run(At("refuse"), || effect("refuse", 2)).undo(refuse)).await?;
        ship(&step).await
    });
    let mut bench = Bench::new(begin);
    let error = failed(bench.finish());
    assert_eq!(undone(&error), [("refuse", false), ("reserve", true)]);
    assert_eq!(error.to_string(), "no ship; `refuse` was not undone: it cannot be taken back");
    let attempts = bench.keys().iter().filter(|key| *key == "undo(refuse)").count();
    assert_eq!(attempts, 3, "two retries, as the workflow says");
    assert_eq!(effects(), ["reserve", "refuse", "take back 1"]);
}

#[test]
fn of_many_undos_the_error_keeps_those_that_failed() {
    effects();
    let begin = workflow!(async |step| {
        durable(step.run(At("refuse"), || effect("refuse", 2)).undo(refuse)).await?;
        for no in 0..150 {
            durable(step.run(At("reserve"), || effect("reserve", no)).undo(take_back)).await?;
        }
        ship(&step).await
    });
    let mut bench = Bench::new(begin);
    let error = failed(bench.finish());
    assert_eq!(error.undone.len(), 100);
    assert_eq!(undone(&error)[98..], [("reserve#51", true), ("refuse", false)]);
    assert_eq!(effects().iter().filter(|effect| effect.starts_with("take back")).count(), 150);
}

#[test]
fn a_cancelled_run_with_something_that_cannot_be_undone_has_failed() {
    let begin = workflow!(async |step| {
        durable(step.run(At("refuse"), || effect("refuse", 2)).undo(refuse)).await?;
        Ok(durable(step.run(At("wait"), || gated("wait"))).await?)
    });
    close_all();
    let mut bench = Bench::new(begin);
    assert_eq!(bench.rest(), Poll::Pending);
    bench.machine.receive(cancel("enough"));
    let error = failed(bench.finish());
    assert_eq!(error.message, "the run was cancelled: enough");
    assert_eq!(undone(&error), [("refuse", false)]);
}

/// Reserves something in each of three iterations.
fn rounds() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("charge"), || effect("charge", 0)).undo(take_back)).await?;
        let mut n = 0;
        loop {
            (n,) = durable(step.carried(At("loop"), (n,))).await;
            if n == 3 {
                break;
            }
            n += 1;
            durable(step.run(At("note"), || effect("note", ()))).await?;
            let reserve = step.run(At("reserve"), || async move { effect("reserve", n).await });
            durable(reserve.undo(take_back)).await?;
        }
        ship(&step).await
    })
}

#[test]
fn a_carried_loop_keeps_what_an_undo_needs() {
    effects();
    let mut whole = Bench::new(rounds());
    let mut journals = vec![Vec::new()];
    while whole.turn().is_none() {
        journals.push(whole.journal.clone());
    }
    let end = whole.end.clone().expect("it has ended");
    let rows = ["charge", "reserve", "reserve", "reserve", "loop", "ship", "(undo)"];
    assert_eq!(whole.keys()[..7], rows);
    let taken_back = ["take back 3", "take back 2", "take back 1", "take back 0"];
    assert!(effects().ends_with(&taken_back.map(str::to_owned)));

    for journal in journals {
        let mut resumed = Bench::resumed(rounds(), journal);
        assert_eq!(resumed.finish(), end);
        assert_eq!(resumed.keys(), whole.keys());
    }
}

/// What a retry has cut leaves gaps, also right before a loop.
#[test]
fn a_loop_after_a_gap_keeps_what_an_undo_needs() {
    let mut bench = Bench::new(rounds());
    assert_eq!(bench.turn(), None);
    let mut first = bench.journal;
    assert_eq!(first.len(), 1);
    first[0].seq = 4;
    let mut whole = Bench::resumed(rounds(), first.clone());
    let mut journals = vec![first];
    while whole.turn().is_none() {
        journals.push(whole.journal.clone());
    }
    let end = whole.end.clone().expect("it has ended");
    assert_eq!(failed(end.clone()).undone.len(), 4);
    for journal in journals {
        let mut resumed = Bench::resumed(rounds(), journal);
        assert_eq!(resumed.finish(), end);
        assert_eq!(resumed.keys(), whole.keys());
    }
}

#[test]
fn loops_one_after_the_other_keep_their_own() {
    let begin = workflow!(async |step| {
        for at in ["first", "second"] {
            let mut n = 0;
            loop {
                (n,) = durable(step.carried(At(at), (n,))).await;
                if n == 3 {
                    break;
                }
                n += 1;
                let reserve = step.run(At("reserve"), || async move { effect("reserve", n).await });
                durable(reserve.key(at).undo(take_back)).await?;
            }
            durable(step.run(At("charge"), || effect("charge", 0)).undo(take_back)).await?;
        }
        ship(&step).await
    });
    let mut whole = Bench::new(begin);
    let mut journals = vec![Vec::new()];
    while whole.turn().is_none() {
        journals.push(whole.journal.clone());
    }
    effects();
    for journal in journals {
        let mut resumed = Bench::resumed(begin, journal);
        assert_eq!(resumed.finish(), whole.end.clone().expect("it has ended"));
        assert_eq!(resumed.keys(), whole.keys());
    }
}

/// Reserves, and then asks a child.
fn asking() -> Begin {
    workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        Ok(durable(step.invoke(At("ask"), child, 20).undo(take_back)).await?)
    })
}

fn child_of(bench: &Bench) -> RunId {
    let child = bench.journal.iter().find_map(|row| match row.transition {
        Transition::Invoked { child, .. } => Some(child),
        _ => None,
    });
    child.expect("one was invoked")
}

fn ended(child: RunId, result: Result<Payload, ErrorRecord>) -> Message {
    let content = Content::ChildEnded { child, result };
    Message { id: child.as_uuid().into(), content }
}

#[test]
fn attached_children_stop_before_anything_is_undone() {
    effects();
    let mut bench = Bench::new(asking());
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: None }));
    let child = child_of(&bench);
    bench.machine.receive(cancel("enough"));
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let Change::Undo { cancelled, .. } = &commit.entries[0].change else { panic!("{commit:?}") };
    assert_eq!(*cancelled, [child]);
    // As if the process had died: the next one is asked once more.
    let mut bench = Bench::resumed(asking(), bench.journal);
    bench.machine.receive(cancel("enough"));
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: None }));
    assert_eq!(effects(), ["reserve"]);

    let mut bench = Bench::resumed(asking(), bench.journal);
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: None }));
    let stopped = ErrorRecord::new(ErrorKind::Cancelled, "its parent has ended");
    bench.machine.receive(ended(child, Err(stopped)));
    assert_eq!(bench.finish(), End::Cancelled("enough".to_owned()));
    assert_eq!(effects(), ["take back 1"]);
    assert_eq!(bench.keys(), ["reserve", "ask", "(undo)", "ask", "undo(reserve)"]);
}

#[test]
fn a_child_that_completes_after_all_is_undone() {
    effects();
    let mut bench = Bench::new(asking());
    let _ = bench.rest();
    bench.machine.receive(cancel("enough"));
    let _ = bench.rest();
    bench.machine.receive(ended(child_of(&bench), Ok(Payload::stored("42"))));
    assert_eq!(bench.finish(), End::Cancelled("enough".to_owned()));
    assert_eq!(effects(), ["reserve", "take back 42", "take back 1"]);
    for length in 3..=bench.journal.len() {
        let mut resumed = Bench::resumed(asking(), bench.journal[..length].to_vec());
        resumed.machine.receive(ended(child_of(&bench), Ok(Payload::stored("42"))));
        assert_eq!(resumed.finish(), End::Cancelled("enough".to_owned()));
        assert_eq!(resumed.keys(), bench.keys());
    }
}

/// It was on its way while the machine had ended the body and not yet said so.
#[test]
fn a_child_that_ends_before_the_undoing_is_committed_is_not_waited_for() {
    for early in [true, false] {
        effects();
        let mut bench = Bench::new(asking());
        let _ = bench.rest();
        let child = ended(child_of(&bench), Ok(Payload::stored("42")));
        if !early {
            bench.machine.receive(cancel("enough"));
            let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
            bench.machine.receive(child);
            bench.commit(commit);
        } else {
            bench.machine.receive(cancel("enough"));
            bench.machine.receive(child);
        }
        assert_eq!(bench.finish(), End::Cancelled("enough".to_owned()));
        assert_eq!(effects(), ["reserve", "take back 42", "take back 1"]);
    }
}

/// An outcome that the store refuses, in the commit that begins the undoing.
#[test]
fn a_refused_outcome_keeps_nothing_from_being_undone() {
    effects();
    let begin = workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        let note = async {
            durable(step.run(At("note"), || effect("note", 2))).await?;
            Ok::<_, Failure>(())
        };
        let mut polls = 0;
        // Not before the step has run.
        let failure = poll_fn(move |_| {
            polls += 1;
            if polls < 2 {
                Poll::Pending
            } else {
                Poll::Ready(Err::<(), _>(Failure::msg("no ship")))
            }
        });
        crate::step::try_join((note, failure)).await.map(drop)
    });
    let mut bench = Bench::new(begin);
    assert!(bench.turn().is_none());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let changes: Vec<_> = commit.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(changes, ["note", "(undo)"]);
    assert!(bench.machine.refused(ErrorRecord::new(ErrorKind::Unstorable, "it has no form")));
    let error = failed(bench.finish());
    assert_eq!(
        (error.message.as_str(), undone(&error)),
        ("it has no form", vec![("reserve", true)])
    );
}

/// As it is done to a run that has taken too many workers down.
#[test]
fn a_run_that_is_given_up_undoes_what_its_journal_says() {
    let mut whole = Bench::new(order());
    whole.finish();
    for length in 0..=whole.journal.len() {
        effects();
        let mut bench = Bench::resumed(order(), whole.journal[..length].to_vec());
        let error = ErrorRecord::new(ErrorKind::CrashLoop, "it takes its workers down");
        bench.machine.give_up(End::Failed(error), "it takes its workers down");
        let error = failed(bench.finish());
        let expected = if length < 5 { "it takes its workers down" } else { "no ship" };
        assert_eq!(error.message, expected);
        let effects = effects();
        let undone: &[&str] = match length {
            0 => &[],
            1 | 2 => &["take back 1"],
            3 | 4 => &["take back 3", "take back 1"],
            // It has taken them down in what undoes it.
            _ => &[],
        };
        assert_eq!(effects, undone);
    }
}

#[test]
fn an_undo_that_the_program_no_longer_has_holds_the_run_until_it_is_cancelled() {
    let mut whole = Bench::new(order());
    whole.finish();
    let begun: Vec<_> = whole.journal[..6].to_vec();
    let mut held = Bench::without_undos(order(), begun.clone());
    let fault = held.fault();
    assert!(fault.starts_with("step `reserve` was committed with an undo"), "{fault}");

    let mut held = Bench::without_undos(order(), begun);
    held.machine.receive(cancel("give up"));
    let error = failed(held.finish());
    assert_eq!(undone(&error), [("charge", true), ("reserve", false)]);
    assert!(error.to_string().contains("the run was held, and then cancelled: give up"));
}

/// The store tells of a cancellation again whoever takes the run over while it is being undone.
#[test]
fn a_run_that_was_cancelled_while_it_was_being_undone_is_not_held_later() {
    let mut whole = Bench::new(order());
    whole.finish();
    let begun: Vec<_> = whole.journal[..6].to_vec();
    let mut bench = Bench::resumed(order(), begun.clone());
    let message = cancel("give up");
    bench.machine.receive(message.clone());
    let error = failed(bench.finish());
    // What can be undone is, and the run ends as it would have.
    assert_eq!(error.message, "no ship");
    assert_eq!(undone(&error), [("charge", true), ("reserve", true)]);
    assert_eq!(bench.taken, [message.id]);

    let mut later = Bench::without_undos(order(), begun);
    later.machine.receive(message);
    let error = failed(later.finish());
    assert_eq!(undone(&error), [("charge", true), ("reserve", false)]);
}

#[test]
fn an_undo_that_hangs_is_out_of_time() {
    let begin = workflow!(async |step| {
        durable(step.run(At("reserve"), || effect("reserve", 1)).undo(take_back)).await?;
        durable(step.run(At("hang"), || effect("hang", 2)).undo(hang)).await?;
        ship(&step).await
    });
    let mut bench = Bench::new(begin);
    loop {
        match bench.rest() {
            Poll::Ready(Turn::Idle { until: Some(until) }) => bench.clock = until,
            Poll::Pending => {
                bench.clock = bench.machine.next_due().expect("the attempt is limited")
            }
            _ => break,
        }
    }
    let error = failed(bench.end.expect("it has ended"));
    assert_eq!(undone(&error), [("hang", false), ("reserve", true)]);
    let why = error.undone[0].error.as_ref().expect("it was not undone");
    assert_eq!(why.kind, ErrorKind::Timeout);
    assert!(bench.clock.duration_since(ACCEPTED_AT) >= SignedDuration::from_mins(15));
}

#[test]
fn a_held_run_that_is_cancelled_undoes_what_its_journal_says() {
    effects();
    let mut whole = Bench::new(order());
    whole.finish();
    effects();
    let other = workflow!(async |step| {
        durable(step.run(At("another"), || effect("another", ()))).await?;
        Ok(())
    });
    let mut held = Bench::resumed(other, whole.journal[..3].to_vec());
    held.machine.receive(cancel("give up"));
    assert_eq!(held.finish(), End::Cancelled("give up".to_owned()));
    assert_eq!(effects(), ["take back 3", "take back 1"]);
}

#[test]
fn a_refused_commit_fails_the_run_and_what_it_did_is_undone() {
    effects();
    let mut bench = Bench::new(order());
    assert!(bench.turn().is_none());
    let Poll::Ready(Turn::Commit(_)) = bench.poll() else { panic!("no commit") };
    let refusal = ErrorRecord::new(ErrorKind::Unstorable, "it has no form");
    assert!(bench.machine.refused(refusal.clone()));
    let error = failed(bench.finish());
    assert_eq!(
        (error.message.as_str(), undone(&error)),
        ("it has no form", vec![("reserve", true)])
    );
    assert_eq!(effects(), ["reserve", "note", "take back 1"]);
    assert!(!bench.machine.refused(refusal), "nothing is under way");
}
