//! Waits, invocations, races, loops and cancellations, driven by a worker on both databases.

use std::time::Duration;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    an_event_ends_the_wait_that_matches_it,
    an_event_that_comes_before_the_wait_is_seen,
    a_wait_gives_up_in_time,
    a_parent_gets_its_child_s_output,
    a_cancelled_parent_takes_its_child_along,
    a_race_has_one_winner,
    items_are_worked_on_side_by_side,
    a_carried_loop_keeps_a_short_journal,
    a_child_hears_what_its_parent_sends_with_its_start,
    a_wait_from_now_hears_what_is_sent_beside_it,
);

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "shop/ordered")]
struct Ordered {
    order: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "shop/paid")]
#[serde(rename_all = "camelCase")]
struct Paid {
    order_number: u32,
    cents: u32,
}

/// Waits for the payment of an order, for a while.
#[workflow]
async fn collect(event: Ordered, step: Step) -> Result<Option<u32>, Failure> {
    step.run("remind", async { Ok::<_, Failure>(()) }).await?;
    let paid = step
        .wait_for_event::<Paid>("paid")
        .matching(order_number = event.order)
        .timeout("3s")
        .await;
    Ok(paid.map(|paid| paid.data.cents))
}

/// Doubles, at leisure.
#[workflow(input)]
async fn double(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("think", Duration::from_millis(u64::from(n))).await;
    Ok(n * 2)
}

/// Has another do the work.
#[workflow(input)]
async fn delegate(n: u32, step: Step) -> Result<u32, Failure> {
    Ok(step.invoke("double", double, n).await? + 1)
}

/// Whichever comes first: the payment or the end of patience.
#[workflow]
async fn impatient(event: Ordered, step: Step) -> Result<String, Failure> {
    let end = race! {
        paid = step.wait_for_event::<Paid>("paid").matching(order_number = event.order) => {
            format!("paid {:?}", paid.map(|paid| paid.data.cents))
        },
        () = step.sleep("patience", "300ms") => "gave up".to_owned(),
    };
    Ok(end)
}

async fn square(n: u32) -> Result<u32, Failure> {
    Ok(n * n)
}

/// Squares side by side, three at a time.
#[workflow(input)]
async fn square_all(items: Vec<u32>, step: Step) -> Result<Vec<u32>, Failure> {
    let steps = items.iter().map(|n| step.run("square", square(*n)).key(n));
    let squares = step.join_all(steps).limit(3).await;
    Ok(squares.into_iter().collect::<Result<_, _>>()?)
}

/// Adds up, one number an iteration.
#[workflow(input)]
async fn add_up(to: u32, step: Step) -> Result<u32, Failure> {
    let mut n = 0;
    let mut sum = 0;
    #[carried(n, sum)]
    while n < to {
        n += 1;
        sum += step.run("add", async { Ok::<_, Failure>(n) }).await?;
    }
    Ok(sum)
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "shop/go")]
struct Go {
    id: u32,
}

/// Waits until it may go.
#[workflow(input)]
async fn kid(id: u32, step: Step) -> Result<bool, Failure> {
    let go = step.wait_for_event::<Go>("go").matching(id = id).timeout("20s").await;
    Ok(go.is_some())
}

/// Sends its child off in the commit that starts it.
#[workflow(input)]
async fn send_off(id: u32, step: Step) -> Result<bool, Failure> {
    let (went, sent) = join!(step.invoke("kid", kid, id), step.send_event("send", Go { id }));
    sent?;
    Ok(went?)
}

/// Waits from now on for what it sends at the same time.
#[workflow(input)]
async fn go_alone(id: u32, step: Step) -> Result<bool, Failure> {
    let (go, sent) = join!(
        step.wait_for_event::<Go>("go").matching(id = id).from_now().timeout("20s"),
        step.send_event("send", Go { id }),
    );
    sent?;
    Ok(go.is_some())
}

indelible::app! {
    Shop = "shop";
    events: [Ordered, Paid, Go],
    workflows: [collect, double, delegate, impatient, square_all, add_up, kid, send_off, go_alone],
}

async fn open(database: &Fresh) -> Runtime {
    Runtime::builder(Shop).database(database.url()).start().await.expect("it starts")
}

async fn an_event_ends_the_wait_that_matches_it(database: Fresh) {
    let runtime = open(&database).await;
    let mut runs = Vec::new();
    for order in 1..=20 {
        runs.push(runtime.start(collect, Ordered { order }).await.expect("it starts"));
    }
    eventually("all wait", async || {
        let query = RunQuery { status: Some(RunStatus::Waiting), ..RunQuery::default() };
        runtime.runs(&query).await.expect("the runs").len() == 20
    })
    .await;
    for order in (1..=20).rev() {
        runtime.send(Paid { order_number: order, cents: order * 100 }).await.expect("accepted");
    }
    for (order, run) in (1..).zip(runs) {
        assert_eq!(run.result().await.expect("it completes"), Some(order * 100));
    }
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn an_event_that_comes_before_the_wait_is_seen(database: Fresh) {
    let client = Runtime::builder(Shop).database(database.url()).connect().await.expect("a client");
    // Whoever waits has to have registered that it will.
    open(&database).await.shutdown().await;
    let early = client.start(collect, Ordered { order: 1 }).await.expect("it starts");
    client.send(Paid { order_number: 1, cents: 5 }).await.expect("it is accepted");
    let late = client.start(collect, Ordered { order: 1 }).await.expect("it starts");

    let runtime = open(&database).await;
    assert_eq!(early.result().await.expect("it completes"), Some(5));
    assert_eq!(late.result().await.expect("it completes"), None, "it was paid before it began");
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_wait_gives_up_in_time(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(collect, Ordered { order: 9 }).await.expect("it starts");
    runtime.send(Paid { order_number: 8, cents: 1 }).await.expect("it is accepted");
    assert_eq!(run.result().await.expect("it completes"), None);
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_parent_gets_its_child_s_output(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(delegate, 20).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), 41);
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    let children = runtime.runs(&query).await.expect("the runs");
    assert_eq!(children.len(), 1);
    assert_eq!((&*children[0].workflow, children[0].parent), ("double", Some(run.id())));
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_cancelled_parent_takes_its_child_along(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(delegate, 3_600_000).await.expect("it starts");
    let query = RunQuery { parent: Some(run.id()), ..RunQuery::default() };
    let child = async || runtime.runs(&query).await.expect("the runs").pop();
    eventually("the child sleeps", async || {
        child().await.is_some_and(|child| child.status == RunStatus::Waiting)
    })
    .await;
    assert!(run.cancel("no longer wanted").await.expect("it can be asked"));
    let error = run.result().await.expect_err("it is cancelled");
    assert!(matches!(error, Error::RunCancelled { .. }), "{error}");
    eventually("the child is cancelled", async || {
        child().await.is_some_and(|child| child.status == RunStatus::Cancelled)
    })
    .await;
    assert!(!run.cancel("again").await.expect("it can be asked"), "it is over");
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_race_has_one_winner(database: Fresh) {
    let runtime = open(&database).await;
    let unpaid = runtime.start(impatient, Ordered { order: 1 }).await.expect("it starts");
    let paid = runtime.start(impatient, Ordered { order: 2 }).await.expect("it starts");
    runtime.send(Paid { order_number: 2, cents: 7 }).await.expect("it is accepted");
    assert_eq!(paid.result().await.expect("it completes"), "paid Some(7)");
    assert_eq!(unpaid.result().await.expect("it completes"), "gave up");
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn items_are_worked_on_side_by_side(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(square_all, (0..10).collect()).await.expect("it starts");
    let expected: Vec<_> = (0..10).map(|n| n * n).collect();
    assert_eq!(run.result().await.expect("it completes"), expected);
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_carried_loop_keeps_a_short_journal(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(add_up, 100).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), 5050);
    assert!(run.journal().await.expect("its journal").len() <= 3);
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_child_hears_what_its_parent_sends_with_its_start(database: Fresh) {
    let runtime = open(&database).await;
    let runs = runtime.start_all(send_off, 0..500).await.expect("they start");
    assert_all_went(runs).await;
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn a_wait_from_now_hears_what_is_sent_beside_it(database: Fresh) {
    let runtime = open(&database).await;
    let runs = runtime.start_all(go_alone, 0..500).await.expect("they start");
    assert_all_went(runs).await;
    shut_down(Shop, Bench::new(), runtime).await;
}

async fn assert_all_went(runs: Vec<RunHandle<bool>>) {
    let mut missed = 0;
    for run in &runs {
        missed += usize::from(!run.result().await.expect("it completes"));
    }
    assert_eq!(missed, 0, "so many of {} have missed their event", runs.len());
}
