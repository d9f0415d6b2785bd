use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::event::{Event, EventField, Received};
use crate::journal::{Change, Transition};

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Paid {
    order: u32,
    pub(super) cents: u32,
}

/// Its fields, as `#[derive(Event)]` describes them.
pub(super) struct PaidFields {
    order: EventField<Paid, u32>,
}

impl Event for Paid {
    const NAME: &'static str = "order/paid";
    const TYPE: &'static str = "Paid";
    type Fields = PaidFields;
    const FIELDS: PaidFields = PaidFields { order: EventField::new("order", |order| json!(order)) };
}

pub(super) fn paid(order: u32, cents: u32) -> Message {
    let data = json!({"order": order, "cents": cents});
    let id = Uuid::from_u128(u128::from(order) << 32 | u128::from(cents));
    Message {
        id: id.into(),
        content: Content::Event {
            name: Paid::NAME.to_owned(),
            id: id.into(),
            accepted_at: ACCEPTED_AT,
            data: Payload::stored(data.to_string()),
        },
    }
}

fn until_paid() -> Begin {
    workflow!(async |step| {
        let wait = step.wait_for_event::<Paid>(At("paid")).on_field(|paid| paid.order).equals(7u32);
        let received = durable(wait.timeout(Duration::from_secs(60))).await;
        durable(step.run(At("after"), || effect("after", ()))).await?;
        Ok(received.map(|received: Received<Paid>| received.data.cents))
    })
}

#[test]
fn a_wait_asks_for_its_event_and_then_idles() {
    let mut bench = Bench::new(until_paid());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    let Change::Wait { awaited, described, from_trigger, timeout } = &entries[0].change else {
        panic!("not a wait: {entries:?}")
    };
    assert_eq!(*awaited, MatchKey::new("order/paid", &[("order", json!(7))]));
    assert_eq!(described, r#"{"event":"order/paid","fields":[["order",7]],"more":0}"#);
    assert!(from_trigger);
    assert_eq!(*timeout, Some(Duration::from_secs(60)));

    let mut bench = Bench::new(until_paid());
    let turn = bench.rest();
    let due = bench.journal[0].at + Duration::from_secs(60);
    assert_eq!(turn, Poll::Ready(Turn::Idle { until: Some(due) }));
}

#[test]
fn an_event_ends_its_wait_in_the_commit_that_takes_it() {
    let mut bench = Bench::new(until_paid());
    let _ = bench.rest();
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("500"));
    assert_eq!(bench.taken, [paid(7, 500).id]);
    assert_eq!(bench.keys(), ["paid", "paid", "after"]);

    // On a resume the event is in the journal.
    for length in [2, 3] {
        let mut resumed = Bench::resumed(until_paid(), bench.journal[..length].to_vec());
        assert_eq!(resumed.finish(), completed("500"));
    }
}

#[test]
fn an_event_that_was_told_before_the_journal_was_replayed_is_seen() {
    let mut bench = Bench::new(until_paid());
    let _ = bench.rest();
    let mut resumed = Bench::resumed(until_paid(), bench.journal.clone());
    resumed.machine.receive(paid(7, 1));
    assert_eq!(resumed.finish(), completed("1"));
}

#[test]
fn a_wait_that_gets_nothing_gives_up_in_time() {
    assert_eq!(Bench::new(until_paid()).finish(), completed("null"));
    assert_resumes_at_every_prefix(until_paid());
}

/// Of an event and the time-out of its wait, both there at once, the event is taken; the time-out stays
/// once its commit is on its way.
#[test]
fn an_event_wins_over_a_time_out_that_is_not_on_its_way_yet() {
    let overdue = || {
        let mut bench = Bench::new(until_paid());
        let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
            panic!("it does not wait")
        };
        bench.clock = until;
        bench
    };
    let mut bench = overdue();
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("500"));
    assert_eq!(bench.taken, [paid(7, 500).id]);

    let mut bench = overdue();
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.poll(), Poll::Pending);
    bench.commit(commit);
    assert_eq!(bench.finish(), completed("null"));
    // It is there for another wait.
    assert_eq!((bench.taken, bench.discarded), (vec![], vec![paid(7, 500).id]));
}

/// What was told comes before what falls due: of a wait and a sleep in a race, too.
#[test]
fn an_event_wins_over_a_sleep_that_is_over_as_well() {
    let begin = workflow!(async |step| {
        let wait = step.wait_for_event::<Paid>(At("paid")).on_field(|paid| paid.order).equals(7u32);
        let sleep = step.sleep(At("patience"), Duration::from_secs(60));
        let first = crate::step::race((durable(sleep), durable(wait))).await;
        Ok(matches!(first, crate::step::Race2::B(_)))
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else {
        panic!("it does not wait")
    };
    bench.clock = until;
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("true"));
}

/// A run that is asked to cancel does so, unless all that its body waits for has come by then.
#[test]
fn a_cancellation_wins_until_the_body_has_all_that_it_waits_for() {
    let content = Content::Cancel { reason: "enough".to_owned() };
    let message = Message { id: MessageId::new(), content };
    let begin = workflow!(async |step| {
        durable(step.run(At("first"), || effect("first", ()))).await?;
        durable(step.run(At("second"), || effect("second", ()))).await?;
        Ok(7)
    });
    // It comes while one of the commits is under way: of the first step, of the second, of the end.
    let cancelled = End::Cancelled("enough".to_owned());
    for (turns, end) in [cancelled, completed("7"), completed("7")].into_iter().enumerate() {
        let mut bench = Bench::new(begin);
        for _ in 0..turns {
            assert!(bench.turn().is_none());
        }
        let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
        bench.machine.receive(message.clone());
        bench.commit(commit);
        assert_eq!(bench.finish(), end, "after {turns} turns");
    }
}

#[test]
fn what_nothing_waits_for_is_discarded_and_may_come_again() {
    let begin = workflow!(async |step| {
        durable(step.run(At("slow"), || gated("slow"))).await?;
        let wait = step.wait_for_event::<Paid>(At("paid")).on_field(|paid| paid.order).equals(7u32);
        Ok(durable(wait).await.map(|received| received.data.cents))
    });
    close_all();
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    bench.machine.receive(paid(7, 5));
    let _ = bench.rest();
    assert_eq!(bench.discarded, [paid(7, 5).id]);
    open("slow");
    assert_eq!(bench.rest(), Poll::Ready(Turn::Idle { until: None }));
    bench.machine.receive(paid(7, 5));
    assert_eq!(bench.finish(), completed("5"));
}

#[test]
fn a_message_is_told_once() {
    let begin = workflow!(async |step| {
        let mut cents = Vec::new();
        for _ in 0..2 {
            let wait =
                step.wait_for_event::<Paid>(At("paid")).on_field(|paid| paid.order).equals(7u32);
            cents.push(durable(wait).await.map(|received| received.data.cents));
        }
        Ok(cents)
    });
    let mut bench = Bench::new(begin);
    for message in [paid(7, 1), paid(7, 1), paid(7, 2)] {
        let _ = bench.rest();
        bench.machine.receive(message);
    }
    assert_eq!(bench.finish(), completed("[1,2]"));
}

#[test]
fn an_event_satisfies_one_wait_the_one_entered_first_that_wants_it() {
    let begin = workflow!(async |step| {
        let wait =
            |id| step.wait_for_event::<Paid>(At(id)).on_field(|paid| paid.order).equals(7u32);
        let (large, any) = crate::__private::join((
            durable(wait("large").filter(|paid| paid.cents > 100)),
            durable(wait("any")),
        ))
        .await;
        Ok([large, any].map(|received| received.map(|received| received.data.cents)))
    });
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    // The first declines it, so the second has it; the next goes to the first.
    bench.machine.receive(paid(7, 50));
    let _ = bench.rest();
    assert_eq!(bench.keys(), ["large", "any", "any"]);
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("[500,50]"));
    assert_eq!(bench.discarded, []);
}

/// The second is offered to the waits after the first has been declined by all that do not want it.
#[test]
fn events_that_come_together_are_considered_one_after_the_other() {
    let begin = workflow!(async |step| {
        let wait =
            |id| step.wait_for_event::<Paid>(At(id)).on_field(|paid| paid.order).equals(7u32);
        let large = wait("large").filter(|paid| paid.cents > 100).timeout(Duration::from_secs(1));
        let fair = wait("fair").filter(|paid| paid.cents > 10).timeout(Duration::from_secs(1));
        let (large, fair) = crate::__private::join((durable(large), durable(fair))).await;
        Ok([large, fair].map(|received| received.map(|received| received.data.cents)))
    });
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    bench.machine.receive(paid(7, 50));
    bench.machine.receive(paid(7, 5));
    assert_eq!(bench.finish(), completed("[null,50]"));
    assert_eq!(bench.taken, [paid(7, 50).id]);
}

#[test]
fn an_event_that_no_longer_fits_its_type_holds_the_run() {
    let mut bench = Bench::new(until_paid());
    let _ = bench.rest();
    let mut message = paid(7, 1);
    if let Content::Event { data, .. } = &mut message.content {
        *data = Payload::stored(r#"{"order":7}"#);
    }
    bench.machine.receive(message);
    let fault = bench.fault();
    assert!(fault.starts_with("an event that step `paid` waits for no longer fits"), "{fault}");
    assert!(matches!(bench.journal[0].transition, Transition::Waiting { .. }));
    assert_eq!(bench.journal.len(), 1);
}

#[test]
fn a_cancelled_run_ends_where_it_is() {
    let mut bench = Bench::new(until_paid());
    let _ = bench.rest();
    let content = Content::Cancel { reason: "changed my mind".to_owned() };
    let message = Message { id: MessageId::new(), content };
    bench.machine.receive(message.clone());
    assert_eq!(bench.finish(), End::Cancelled("changed my mind".to_owned()));
    assert_eq!(bench.taken, [message.id]);
    assert_eq!(bench.keys(), ["paid"]);
    assert_eq!(effects(), Vec::<String>::new());
}

#[test]
fn a_run_that_is_held_can_be_cancelled() {
    let mut bench = Bench::new(until_paid());
    bench.finish();
    let other = workflow!(async |step| {
        Ok(durable(step.run(At("other"), || effect("other", ()))).await?)
    });
    let mut held = Bench::resumed(other, bench.journal.clone());
    assert!(matches!(held.rest(), Poll::Ready(Turn::Held(_))));
    let content = Content::Cancel { reason: "beyond repair".to_owned() };
    held.machine.receive(Message { id: MessageId::new(), content });
    assert_eq!(held.finish(), End::Cancelled("beyond repair".to_owned()));
    assert_eq!(held.journal.len(), bench.journal.len());
}

#[test]
fn an_event_that_overtakes_the_reply_to_its_wait_is_kept() {
    let mut bench = Bench::new(until_paid());
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let entries = commit.entries;
    // The wait is committed, and its event is told before the driver hears of that.
    bench.machine.receive(paid(7, 300));
    assert_eq!(bench.poll(), Poll::Pending);
    bench.clock += SignedDuration::from_millis(10);
    let at = bench.clock;
    bench.journal.extend(entries.into_iter().map(|entry| entry.committed(0, at)));
    bench.machine.committed(at);
    assert_eq!(bench.finish(), completed("300"));
    assert_eq!(bench.discarded, []);
}

#[test]
fn a_held_run_whose_body_has_ended_is_cancelled_all_the_same() {
    let mut bench = Bench::new(until_paid());
    bench.finish();
    let other = workflow!(async |_step| { Ok("something else") });
    let mut held = Bench::resumed(other, bench.journal.clone());
    assert!(matches!(held.rest(), Poll::Ready(Turn::Held(_))));
    let content = Content::Cancel { reason: "beyond repair".to_owned() };
    held.machine.receive(Message { id: MessageId::new(), content });
    assert_eq!(held.finish(), End::Cancelled("beyond repair".to_owned()));
}

/// An event is for every wait that it matches, by whatever fields they tell it.
#[test]
fn an_event_that_fits_two_waits_by_other_fields_ends_the_first() {
    let begin = workflow!(async |step| {
        let by_order =
            step.wait_for_event::<Paid>(At("by-order")).on_field(|paid| paid.order).equals(7u32);
        let any = step.wait_for_event::<Paid>(At("any"));
        let by_order = by_order.filter(|paid| paid.cents > 100);
        let (one, other) = crate::step::join((durable(by_order), durable(any))).await;
        Ok([one, other].map(|paid: Option<Received<Paid>>| paid.map(|paid| paid.data.cents)))
    });
    let mut bench = Bench::new(begin);
    let _ = bench.rest();
    // The first wait declines it, and the second is told of it, too.
    bench.machine.receive(paid(7, 50));
    let _ = bench.rest();
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("[500,50]"));
}

/// The branches of a `join!` are polled in the order of the source, whichever has begun to wait first.
#[test]
fn an_event_that_a_later_branch_declines_is_for_an_earlier_one() {
    let begin = workflow!(async |step| {
        let late = async {
            durable(step.sleep(At("rest"), Duration::from_secs(1))).await;
            durable(step.wait_for_event::<Paid>(At("late"))).await
        };
        let early = step.wait_for_event::<Paid>(At("early")).filter(|paid| paid.cents > 100);
        let (one, other) = crate::step::join((late, durable(early))).await;
        Ok([one, other].map(|paid: Option<Received<Paid>>| paid.map(|paid| paid.data.cents)))
    });
    let mut bench = Bench::new(begin);
    let Poll::Ready(Turn::Idle { until: Some(until) }) = bench.rest() else { panic!("no sleep") };
    bench.clock = until;
    let _ = bench.rest();
    bench.machine.receive(paid(7, 50));
    let _ = bench.rest();
    bench.machine.receive(paid(7, 500));
    assert_eq!(bench.finish(), completed("[50,500]"));
}
