//! Two versions of a program side by side on one database, as in a rolling deploy.

use std::sync::Arc;
use std::time::Duration;

use indelible::prelude::*;
use indelible::{App, Client, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases};
use tokio::sync::Semaphore;

on_both_databases!(
    a_canary_that_is_aborted_leaves_the_others_schedule_alone,
    each_version_fires_its_own_schedule,
    what_only_the_newer_version_has_starts_whoever_accepts_the_event,
    what_only_the_newer_version_waits_for_is_found_whoever_accepts_it,
    what_the_older_version_could_not_go_on_with_is_left_to_the_newer_one,
);

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "order/placed")]
struct Placed {
    order: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "order/paid")]
struct Paid {
    order: u32,
}

/// The days of January on which the old version's schedule is due, and the new one's.
const OLD: &str = "1";
const NEW: &str = "2";

fn day(tick: Tick) -> String {
    tick.scheduled_at.to_string()[..10].to_owned()
}

mod old {
    use super::*;

    /// Closes the books.
    #[workflow(cron("0 8 1 1 *", catch_up = all))]
    async fn close_the_books(tick: Tick) -> Result<String, Failure> {
        Ok(day(tick))
    }

    /// Ships an order.
    #[workflow]
    async fn ship(placed: Placed) -> Result<u32, Failure> {
        Ok(placed.order)
    }

    indelible::app! {
        pub Shop = "shop";
        events: [Placed, Paid],
        workflows: [close_the_books, ship],
    }
}

mod new {
    use super::*;

    /// Closes the books, on another day.
    #[workflow(cron("0 8 2 1 *", catch_up = all))]
    async fn close_the_books(tick: Tick) -> Result<String, Failure> {
        Ok(day(tick))
    }

    /// Ships an order.
    #[workflow]
    async fn ship(placed: Placed) -> Result<u32, Failure> {
        Ok(placed.order)
    }

    /// Sends a bill, which the version before did not.
    #[workflow]
    async fn bill(placed: Placed) -> Result<u32, Failure> {
        Ok(placed.order)
    }

    /// Waits until an order is paid.
    #[workflow(input)]
    pub async fn remind(order: u32, step: Step) -> Result<bool, Failure> {
        let paid = step.wait_for_event::<Paid>("paid").matching(order = order).timeout("1h").await;
        Ok(paid.is_some())
    }

    indelible::app! {
        pub Shop = "shop";
        events: [Placed, Paid],
        workflows: [close_the_books, ship, bill, remind],
    }
}

mod older {
    use super::*;

    /// Audits an order once it is paid.
    #[workflow(input)]
    pub async fn audit(order: u32, step: Step) -> Result<u32, Failure> {
        step.wait_for_event::<Paid>("paid").matching(order = order).await;
        step.run("close", async { Ok::<_, Failure>(order) }).await.map_err(Into::into)
    }

    indelible::app! { pub Office = "office"; events: [Paid], workflows: [audit], }
}

mod newer {
    use super::*;

    /// Looks first.
    #[workflow(input)]
    pub async fn audit(order: u32, step: Step) -> Result<u32, Failure> {
        step.run("look", async { Ok::<_, Failure>(()) }).await?;
        step.wait_for_event::<Paid>("paid").matching(order = order).await;
        step.run("close", async { Ok::<_, Failure>(order) }).await.map_err(Into::into)
    }

    /// Keeps a worker busy until its door is open.
    #[workflow(input)]
    pub async fn keep_busy(
        _input: (),
        step: Step,
        Resource(door): Resource<Arc<Semaphore>>,
    ) -> Result<(), Failure> {
        step.run("wait", async { door.acquire().await.map(drop) }).await?;
        Ok(())
    }

    indelible::app! { pub Office = "office"; events: [Paid], workflows: [audit, keep_busy], }
}

async fn start<A: App>(app: A, database: &Fresh) -> Runtime {
    let poll = Duration::from_millis(50);
    let runtime = Runtime::builder(app).database(database.url()).poll_interval(poll);
    runtime.start().await.expect("it starts")
}

/// Makes the schedule of the old or of the new version due since 2024.
async fn make_due(database: &Fresh, day: &str) {
    let since: Timestamp = format!("2024-01-0{day}T08:00:00Z").parse().expect("it is a time");
    let (table, since) = match database {
        Fresh::Postgres(_) => ("indelible.schedules", format!("'{since}'")),
        Fresh::Sqlite(_) => ("indelible_schedules", since.as_microsecond().to_string()),
    };
    let rule = format!("0 8 {day} 1 *%");
    let statement = format!("UPDATE {table} SET due_at = {since} WHERE rule LIKE '{rule}'");
    database.execute(statement).await;
}

/// What the completed runs of a workflow gave.
async fn outputs(client: &Client, workflow: &str) -> Vec<String> {
    let query = RunQuery {
        workflow: Some(workflow.to_owned()),
        status: Some(RunStatus::Completed),
        ..RunQuery::default()
    };
    let runs = client.runs(&query).await.expect("the runs");
    let outputs = runs.into_iter().filter_map(|run| run.output);
    let mut outputs: Vec<_> = outputs.map(|output| output.as_str().to_owned()).collect();
    outputs.sort();
    outputs
}

/// What the first ticks give since 2024; later years add theirs.
fn ticks(day: &str) -> Vec<String> {
    [2024, 2025, 2026].map(|year| format!("\"{year}-01-0{day}\"")).into()
}

async fn a_canary_that_is_aborted_leaves_the_others_schedule_alone(database: Fresh) {
    let old = start(old::Shop, &database).await;
    let canary = start(new::Shop, &database).await;
    canary.shutdown().await;
    make_due(&database, OLD).await;
    make_due(&database, NEW).await;

    let fired = async || outputs(&old, "close-the-books").await.starts_with(&ticks(OLD));
    eventually("the old schedule fires", fired).await;
    // A worker more changes nothing.
    let another = start(old::Shop, &database).await;
    old.send(Placed { order: 1 }).await.expect("accepted");
    eventually("it goes on", async || outputs(&old, "ship").await.len() == 1).await;
    let fired = outputs(&old, "close-the-books").await;
    let mut once = fired.clone();
    once.dedup();
    assert_eq!(fired, once, "each tick starts one run");
    assert!(fired.iter().all(|day| day.ends_with("-01-01\"")), "{fired:?}");
    another.shutdown().await;
    old.shutdown().await;
}

async fn each_version_fires_its_own_schedule(database: Fresh) {
    let old = start(old::Shop, &database).await;
    let new = start(new::Shop, &database).await;
    for (day, both) in [(NEW, ticks(NEW)), (OLD, [ticks(NEW), ticks(OLD)].concat())] {
        make_due(&database, day).await;
        let fired = async || {
            let fired = outputs(&old, "close-the-books").await;
            both.iter().all(|tick| fired.contains(tick))
        };
        eventually("the schedule fires", fired).await;
    }
    old.shutdown().await;
    new.shutdown().await;
}

async fn what_only_the_newer_version_has_starts_whoever_accepts_the_event(database: Fresh) {
    let old = start(old::Shop, &database).await;
    let new = start(new::Shop, &database).await;
    for order in 1..=4 {
        let accepting = if order % 2 == 0 { &new } else { &old };
        accepting.send(Placed { order }).await.expect("accepted");
    }
    let all =
        async || outputs(&old, "ship").await.len() == 4 && outputs(&old, "bill").await.len() == 4;
    eventually("both workflows have a run for each order", all).await;
    for workflow in ["ship", "bill"] {
        assert_eq!(outputs(&new, workflow).await, ["1", "2", "3", "4"]);
    }
    old.shutdown().await;
    new.shutdown().await;
}

async fn what_only_the_newer_version_waits_for_is_found_whoever_accepts_it(database: Fresh) {
    let old = start(old::Shop, &database).await;
    let new = start(new::Shop, &database).await;
    let run = new.start(new::remind, 7).await.expect("it starts");
    old.send(Paid { order: 7 }).await.expect("accepted");
    assert!(run.result().await.expect("it completes"));
    old.shutdown().await;
    new.shutdown().await;
}

async fn what_the_older_version_could_not_go_on_with_is_left_to_the_newer_one(database: Fresh) {
    let door = Arc::new(Semaphore::new(0));
    let newer = Runtime::builder(newer::Office).database(database.url()).max_active_runs(1);
    let newer = newer.resource(door.clone()).start().await.expect("it starts");
    let audit = newer.start(newer::audit, 7).await.expect("it starts");
    let stands = async |status| audit.status().await.expect("it is there") == status;
    eventually("it waits", async || stands(RunStatus::Waiting).await).await;

    // The older version takes it up, as the newer one is busy.
    let busy = newer.start(newer::keep_busy, ()).await.expect("it starts");
    let begun = async || busy.status().await.expect("it is there") == RunStatus::Running;
    eventually("the newer version is busy", begun).await;
    let older = start(older::Office, &database).await;
    older.send(Paid { order: 7 }).await.expect("accepted");
    eventually("it is held", async || stands(RunStatus::Held).await).await;
    door.add_permits(1);
    busy.result().await.expect("it completes");

    older.shutdown().await;
    eventually("it goes on", async || stands(RunStatus::Completed).await).await;
    assert_eq!(audit.result().await.expect("it has completed"), 7);
    newer.shutdown().await;
}
