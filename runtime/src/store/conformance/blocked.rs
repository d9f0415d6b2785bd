//! Events that are blocked: listed, sent again, discarded.

use futures_util::future::join_all;

use super::world::{
    APP, HOUR, ORDER, PLACED, PLACED_STARTS_ORDER, World, deliveries, event, json, program,
};
use crate::event::EventId;
use crate::flow::{Admission, NewRun};
use crate::store::{
    BlockedFor, BlockedQuery, Deliveries, Registration, Resent, Routing, StoredEvent, Subscription,
};

const BILL: &str = "order/placed starts bill";

/// A program in which an order starts two workflows.
fn placed_starts_two() -> Registration {
    let mut program = program(&[PLACED]);
    program.subscriptions.push(Subscription::start(PLACED, ORDER));
    program.subscriptions.push(Subscription::start(PLACED, "bill"));
    program
}

/// Neither workflow can tell what to make of any event.
fn failing(event: &StoredEvent) -> Routing {
    let block = |workflow: &str| Admission::Block {
        workflow: workflow.to_owned(),
        reason: format!("{workflow} fails"),
    };
    let asked = |workflow: &&&str| {
        event.part == PLACED || event.part == Subscription::start(PLACED, workflow).part
    };
    let admissions = [ORDER, "bill"].iter().filter(asked).map(|workflow| block(workflow)).collect();
    Routing { admissions, ..Routing::default() }
}

/// Accepts events that both workflows are blocked by.
async fn blocked(world: &World, count: usize) -> Vec<EventId> {
    world.store.register_app(&placed_starts_two()).await.expect("it registers");
    let mut ids = Vec::new();
    for number in 0..count {
        let event = event(PLACED, &format!(r#"{{"no":{number}}}"#));
        ids.extend(world.store.accept_events(None, &[event]).await.expect("it is accepted"));
    }
    let parts = placed_starts_two().parts();
    let deliveries = Deliveries { parts: &parts, ..deliveries(APP, 10) };
    let routed = world.store.route_deliveries(deliveries, &failing).await;
    assert_eq!(routed.expect("it routes"), count);
    ids
}

fn resent(data: &str) -> Resent {
    Resent { id: EventId::new(), data: json(data) }
}

/// What is delivered next: the event, its data and the part that is asked.
async fn delivered(world: &World) -> Vec<(EventId, String, String)> {
    let seen = std::sync::Mutex::new(Vec::new());
    let router = |event: &StoredEvent| {
        let told = (event.id, event.data.as_str().to_owned(), event.part.clone());
        seen.lock().expect("no router panics here").push(told);
        let run = NewRun::new(ORDER, Some(event.id), event.data.clone());
        Routing { admissions: vec![Admission::Start(run)], ..Routing::default() }
    };
    let parts = placed_starts_two().parts();
    let deliveries = Deliveries { parts: &parts, ..deliveries(APP, 10) };
    while world.store.route_deliveries(deliveries, &router).await.expect("it routes") > 0 {}
    seen.into_inner().expect("no router panics here")
}

pub(super) async fn blocked_events_are_listed_in_pages(world: World) {
    let ids = blocked(&world, 3).await;
    let query = BlockedQuery { after: None, limit: Some(2) };
    let page = world.store.blocked_events(APP, &query).await.expect("it answers");
    assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), ids[..2]);
    let of = |workflow: &str| BlockedFor {
        workflow: workflow.to_owned(),
        reason: format!("{workflow} fails"),
    };
    assert_eq!(page[0].blocked, [of("bill"), of(ORDER)]);
    assert_eq!((&*page[0].name, page[0].data.as_str()), (PLACED, r#"{"no":0}"#));
    let query = BlockedQuery { after: Some(ids[1]), limit: Some(2) };
    let page = world.store.blocked_events(APP, &query).await.expect("it answers");
    assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), ids[2..]);
    let all = world.store.blocked_events("bank", &BlockedQuery::default()).await;
    assert!(all.expect("it answers").is_empty(), "they are another app's");
    let one = world.store.blocked_event(APP, ids[1]).await.expect("it answers");
    assert_eq!(one.expect("it is blocked").id, ids[1]);
}

pub(super) async fn a_blocked_event_is_sent_again_to_those_that_it_is_blocked_for(world: World) {
    let ids = blocked(&world, 2).await;
    world.rung();
    let new = resent(r#"{"no":7}"#);
    assert!(world.store.resend_event(APP, ids[0], &new).await.expect("it answers"));
    assert!(world.rung().contains(crate::store::hints::Work::DELIVERIES));
    let told = |part: &str| (new.id, r#"{"no":7}"#.to_owned(), part.to_owned());
    assert_eq!(delivered(&world).await, [told(BILL), told(PLACED_STARTS_ORDER)]);
    let left = world.store.blocked_events(APP, &BlockedQuery::default()).await.expect("it answers");
    assert_eq!(left.iter().map(|event| event.id).collect::<Vec<_>>(), ids[1..]);
    // A program that registers tries what is still blocked, and nothing else.
    world.store.register_app(&placed_starts_two()).await.expect("it registers");
    let again = delivered(&world).await;
    assert!(again.iter().all(|(id, ..)| *id == ids[1]), "{again:?}");
    assert_eq!(again.len(), 2);
}

pub(super) async fn a_blocked_event_is_sent_again_once(world: World) {
    let ids = blocked(&world, 1).await;
    let others = [world.another().await, world.another().await];
    let new: Vec<_> = (0..2).map(|number| resent(&format!(r#"{{"no":{number}}}"#))).collect();
    let sent = others.iter().zip(&new).map(|(store, new)| store.resend_event(APP, ids[0], new));
    let sent = join_all(sent).await;
    let sent: Vec<_> = sent.into_iter().map(|sent| sent.expect("it answers")).collect();
    assert_eq!(sent.iter().filter(|sent| **sent).count(), 1, "{sent:?}");
    assert_eq!(delivered(&world).await.len(), 2);
    let unknown = world.store.resend_event(APP, EventId::new(), &resent("{}")).await;
    assert!(!unknown.expect("it answers"));
    let elsewhere = world.store.resend_event("bank", ids[0], &resent("{}")).await;
    assert!(!elsewhere.expect("it answers"));
    for store in others {
        store.close().await;
    }
}

pub(super) async fn a_discarded_event_is_not_tried_again(world: World) {
    let ids = blocked(&world, 1).await;
    assert!(!world.store.discard_event("bank", ids[0]).await.expect("it answers"));
    assert!(world.store.discard_event(APP, ids[0]).await.expect("it answers"));
    assert!(!world.store.discard_event(APP, ids[0]).await.expect("it answers"));
    world.store.register_app(&placed_starts_two()).await.expect("it registers");
    assert_eq!(delivered(&world).await, []);
    let worker = world.worker(HOUR).await;
    assert!(world.claim(worker, 10).await.is_empty());
}
