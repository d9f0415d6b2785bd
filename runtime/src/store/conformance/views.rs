use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::world::{APP, HOUR, ORDER, PLACED, event, json, only, route, step};
use crate::event::EventId;
use crate::flow::NewRun;
use crate::journal::{End, ErrorKind, ErrorRecord, RunCommit, RunId, Then};
use crate::store::{EventQuery, EventSummary, Page, RunQuery, RunStatus};

async fn listed(world: &World, query: RunQuery) -> Vec<RunId> {
    let runs = world.store.run_summaries(APP, &query).await.expect("the store answers");
    runs.iter().map(|run| run.id).collect()
}

pub(super) async fn runs_are_listed_from_the_newest_page_by_page(world: World) {
    let mut runs = world.start(5).await;
    world
        .store
        .start_runs("bank", &[NewRun::new(ORDER, None, json("1"))])
        .await
        .expect("it starts");
    runs.reverse();
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        let page = listed(&world, RunQuery { after, limit: Some(2), ..RunQuery::default() }).await;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        pages.push(page);
    }
    assert_eq!(pages, [&runs[..2], &runs[2..4], &runs[4..]]);
}

pub(super) async fn lists_of_runs_are_narrowed_down(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let sent = world.send(PLACED, 7).await;
    let other = NewRun::new("on-refund", None, json("2"));
    world.store.start_runs(APP, std::slice::from_ref(&other)).await.expect("it starts");
    let mut all = listed(&world, RunQuery::default()).await;
    all.sort();
    let of_event = listed(&world, RunQuery { event: Some(sent), ..RunQuery::default() }).await;
    assert_eq!(of_event.len(), 1);
    let of_workflow = RunQuery { workflow: Some("on-refund".to_owned()), ..RunQuery::default() };
    assert_eq!(listed(&world, of_workflow).await, [other.id]);
    assert_eq!(all.len(), 2);

    let worker = world.worker(HOUR).await;
    assert_eq!(world.claim(worker, 10).await.len(), 1);
    let attributes = vec![("order".to_owned(), "7".to_owned())];
    let named = RunCommit { attributes, ..step(of_event[0], 0, "charge") };
    world.flush(worker, &[named]).await.expect("it commits");
    let attribute = Some(("order".to_owned(), "7".to_owned()));
    let with_attribute = RunQuery { attribute, ..RunQuery::default() };
    assert_eq!(listed(&world, with_attribute).await, of_event);
    let running = RunQuery { status: Some(RunStatus::Running), ..RunQuery::default() };
    assert_eq!(listed(&world, running).await, of_event);
    let attributes = world.store.attributes(of_event[0]).await.expect("the store answers");
    assert_eq!(attributes, BTreeMap::from([("order".to_owned(), "7".to_owned())]));

    let accepted = world.store.run(other.id).await.expect("it answers").expect("it is there");
    let accepted = accepted.accepted_at;
    let before = RunQuery { before: Some(accepted), ..RunQuery::default() };
    assert_eq!(listed(&world, before).await, of_event);
    let since = RunQuery { since: Some(accepted), ..RunQuery::default() };
    assert_eq!(listed(&world, since).await, [other.id]);
}

pub(super) async fn a_run_that_starts_days_after_its_event_is_found_by_its_time(world: World) {
    world.subscribe(APP, &[PLACED]).await;
    let event = event(PLACED, r#"{"no":7}"#);
    world.store.accept_events(None, std::slice::from_ref(&event)).await.expect("it is accepted");
    let three_days_before = match world.store.name() {
        "sqlite" => "accepted_at = accepted_at - 259200000000",
        _ => "accepted_at = accepted_at - interval '3 days'",
    };
    world.database.update("events", three_days_before).await;
    route(&*world.store).await;
    let two_days_ago = Timestamp::now() - SignedDuration::from_hours(48);
    let before = RunQuery { before: Some(two_days_ago), ..RunQuery::default() };
    let newest = listed(&world, before.clone()).await;
    assert_eq!(newest.len(), 1);
    let oldest = world.store.runs(APP, &before).await.expect("the store answers");
    assert_eq!(oldest.iter().map(|run| run.id).collect::<Vec<_>>(), newest);
}

pub(super) async fn runs_are_found_by_the_text_of_their_errors(world: World) {
    let worker = world.worker(HOUR).await;
    let [failed, other] = [world.claimed(worker).await, world.claimed(worker).await];
    world.start(1).await;
    let end = |message: &str, cause: &str| {
        let mut error = ErrorRecord::new(ErrorKind::Error, message);
        error.causes.push(cause.to_owned());
        Then::End(End::Failed(error))
    };
    let commits = [
        only(failed, 0, end("the Bank is closed", "it is \"Sunday\"")),
        only(other, 0, end("no shoes", "the shelf is empty")),
    ];
    world.flush(worker, &commits).await.expect("they commit");
    let found = async |text: &str| {
        let error = Some(text.to_owned());
        // A page of one shows that others do not fill it.
        listed(&world, RunQuery { error, limit: Some(1), ..RunQuery::default() }).await
    };
    assert_eq!(found("bank").await, [failed]);
    assert_eq!(found("SHELF").await, [other]);
    assert_eq!(found("sunday").await, [failed]);
    // What is around the texts is none of them, and `%` means itself.
    for text in ["message", "causes", "%", "weather"] {
        assert_eq!(found(text).await, [], "{text}");
    }
}

async fn events(world: &World, query: EventQuery) -> Page<EventSummary> {
    world.store.event_summaries(&query).await.expect("the store answers")
}

fn ids(page: &Page<EventSummary>) -> Vec<EventId> {
    page.items.iter().map(|event| event.id).collect()
}

pub(super) async fn events_are_listed_from_the_newest_page_by_page(world: World) {
    let mut sent = Vec::new();
    for no in 0..5 {
        let name = if no == 1 { "order/rare" } else { "order/heard" };
        let event = event(name, &format!(r#"{{"no":{no}}}"#));
        world.store.accept_events(None, std::slice::from_ref(&event)).await.expect("accepted");
        sent.insert(0, event.id);
    }
    let page = |after, name: Option<&str>| EventQuery {
        name: name.map(ToOwned::to_owned),
        after,
        limit: Some(2),
    };
    let first = events(&world, page(None, None)).await;
    assert_eq!((ids(&first), first.next), (sent[..2].to_vec(), Some(sent[1])));
    assert_eq!(first.items[0].data.as_str(), r#"{"no":4}"#);
    let last = events(&world, page(Some(sent[3]), None)).await;
    assert_eq!((ids(&last), last.next), (sent[4..].to_vec(), None));
    let rare = events(&world, page(None, Some("order/rare"))).await;
    assert_eq!((ids(&rare), rare.next), (vec![sent[3]], None));
}

pub(super) async fn workflows_show_how_many_runs_they_have(world: World) {
    world.subscribe(APP, &[]).await;
    let worker = world.worker(HOUR).await;
    world.claimed(worker).await;
    world.start(2).await;
    world.store.pause_workflow(APP, ORDER).await.expect("it pauses");
    let workflows = world.store.workflow_summaries(APP).await.expect("the store answers");
    let [order] = &workflows[..] else { panic!("{workflows:?}") };
    let counts: Vec<_> =
        order.runs.iter().map(|(status, runs)| (*status, runs.count, runs.more)).collect();
    assert_eq!(counts, [(RunStatus::Queued, 2, false), (RunStatus::Running, 1, false)]);
    assert_eq!(order.id, ORDER);
    assert!(order.paused_since.is_some());

    world.start(1_001).await;
    let workflows = world.store.workflow_summaries(APP).await.expect("the store answers");
    let queued = workflows[0].runs[&RunStatus::Queued];
    assert_eq!((queued.count, queued.more, queued.to_string()), (1_000, true, "1,000+".to_owned()));
}

pub(super) async fn workers_show_what_they_drive(world: World) {
    let [busy, idle] = [world.worker(HOUR).await, world.worker(HOUR).await];
    world.claimed(busy).await;
    let workers = world.store.worker_records(APP).await.expect("the store answers");
    let told: Vec<_> = workers
        .iter()
        .map(|worker| (worker.id, worker.runs.count, worker.pid, worker.is_late))
        .collect();
    assert_eq!(told, [(busy.as_uuid(), 1, 1, false), (idle.as_uuid(), 0, 1, false)]);
    assert_eq!(workers[0].workflows, [ORDER]);
    assert!(world.store.worker_records("bank").await.expect("the store answers").is_empty());
}

pub(super) async fn a_database_says_how_it_is_doing(world: World) {
    let health = world.store.health().await.expect("the store answers");
    assert_eq!(health.kind, world.store.name());
    assert!(health.version.starts_with(|digit: char| digit.is_ascii_digit()), "{health:?}");
    assert!(health.tables.iter().all(|table| table.bytes > 0), "{health:?}");
    assert!(!health.settings.is_empty());
}
