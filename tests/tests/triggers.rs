//! What starts workflows, driven by a worker on both databases.

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    each_of_several_events_starts_a_run_of_its_variant,
    a_workflow_of_several_triggers_is_started_and_invoked_directly,
    only_events_that_pass_the_condition_start_a_run,
    a_condition_that_panics_blocks_only_its_workflow,
    a_key_that_fails_starts_no_run,
    a_schedule_starts_what_was_missed,
    a_schedule_starts_a_variant_of_several_triggers,
    schedules_are_listed_with_their_ticks,
    a_schedule_of_seconds_goes_on_with_its_jitter,
    events_are_gathered_by_key_until_the_batch_is_full,
    a_batch_is_no_larger_than_an_input_may_be,
    a_batch_that_does_not_fill_starts_in_time,
    a_batch_survives_its_worker,
);

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/opened")]
struct Opened {
    account: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/closed")]
struct Closed {
    account: u32,
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/audited")]
struct Audited {
    account: u32,
}

#[derive(Debug, Triggers)]
enum OnAccount {
    Opened(Opened),
    Closed(Received<Closed>),
}

/// Says what happened, at first and when it is resumed.
#[workflow]
async fn describe(account: OnAccount, step: Step) -> Result<String, Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    let word = match account {
        OnAccount::Opened(opened) => format!("opened {}", opened.account),
        OnAccount::Closed(closed) => {
            step.wait_for_event::<Audited>("audited").matching(account = closed.data.account).await;
            format!("closed {}", closed.data.account)
        }
    };
    Ok(word)
}

/// Greets whoever opens an account of some size.
#[workflow(on(Opened, if = event.account > 1_000))]
async fn greet(event: Opened) -> Result<u32, Failure> {
    Ok(event.account)
}

/// Has a condition that fails for an account of nothing.
#[workflow(on(Opened, if = 100_000 / event.account < 10_000))]
async fn divide(event: Opened) -> Result<u32, Failure> {
    Ok(event.account)
}

/// Says when it was due, and when before that.
#[workflow(cron("0 8 1 1 *", catch_up = all))]
async fn every_year(tick: Tick, step: Step) -> Result<String, Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    let year = |time: Timestamp| time.to_string()[..4].to_owned();
    Ok(format!("{} after {:?}", year(tick.scheduled_at), tick.previous.map(year)))
}

#[derive(Triggers)]
enum Closing {
    Asked(Closed),
    Yearly(Tick),
}

/// Closes the books.
#[workflow(cron("30 8 1 1 *", tz = "Europe/Paris"), on(Closed, if = event.account == 0))]
async fn close_the_books(closing: Closing) -> Result<String, Failure> {
    Ok(match closing {
        Closing::Asked(asked) => format!("asked {}", asked.account),
        Closing::Yearly(tick) => tick.scheduled_at.to_string()[4..].to_owned(),
    })
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "account/booked")]
struct Booked {
    account: u32,
    cents: u32,
}

/// Adds up what is booked on an account, five at a time.
#[workflow(
    batch(max = 5, timeout = "1h", key = event.account),
    on(Booked, if = event.cents > 0),
)]
async fn add_up(bookings: Vec<Booked>, step: Step) -> Result<(u32, Vec<u32>), Failure> {
    step.run("look", async { Ok::<_, Failure>(()) }).await?;
    let account = bookings.first().map_or(0, |booked| booked.account);
    Ok((account, bookings.into_iter().map(|booked| booked.cents).collect()))
}

/// Gathers all that is audited within a moment.
#[workflow(batch(max = 1_000, timeout = "300ms"))]
async fn report(audits: Vec<Audited>) -> Result<Vec<u32>, Failure> {
    Ok(audits.into_iter().map(|audited| audited.account).collect())
}

/// Has an account closed.
#[workflow(input)]
async fn close(account: u32, step: Step) -> Result<String, Failure> {
    Ok(step.invoke("describe", describe, OnAccount::Opened(Opened { account })).await?)
}

/// Takes its turn by a key that not every account has.
#[workflow(input, concurrency(limit = 5, key = 100 / input))]
async fn queue(account: u32) -> Result<u32, Failure> {
    Ok(account)
}

indelible::app! {
    Bank = "bank";
    events: [Opened, Closed, Audited, Booked],
    workflows: [describe, greet, divide, every_year, close_the_books, add_up, report, close, queue],
}

async fn open(database: &Fresh) -> Runtime {
    Runtime::builder(Bank).database(database.url()).start().await.expect("it starts")
}

/// What the completed runs of a workflow gave, in order of text.
async fn outputs(runtime: &Runtime, workflow: &str) -> Vec<String> {
    outputs_of(runtime, workflow).await
}

async fn outputs_of<T: Ord + serde::de::DeserializeOwned>(
    runtime: &Runtime,
    workflow: &str,
) -> Vec<T> {
    let query = indelible::RunQuery {
        workflow: Some(workflow.to_owned()),
        status: Some(RunStatus::Completed),
        ..Default::default()
    };
    let runs = runtime.runs(&query).await.expect("the runs");
    let texts = runs.into_iter().filter_map(|run| run.output?.decode().ok());
    let mut texts: Vec<T> = texts.collect();
    texts.sort();
    texts
}

async fn each_of_several_events_starts_a_run_of_its_variant(database: Fresh) {
    let runtime = open(&database).await;
    runtime.send(Opened { account: 1 }).await.expect("accepted");
    runtime.send(Closed { account: 2 }).await.expect("accepted");
    eventually("one waits", async || {
        let counts = runtime.counts().await.expect("the counts");
        counts.iter().any(|count| count.status == RunStatus::Waiting)
            && counts.iter().any(|count| count.status == RunStatus::Completed)
    })
    .await;
    shut_down(Bank, Bench::new(), runtime).await;

    let runtime = open(&database).await;
    runtime.send(Audited { account: 2 }).await.expect("accepted");
    let done = async || outputs(&runtime, "describe").await == ["closed 2", "opened 1"];
    eventually("both are done", done).await;
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn a_workflow_of_several_triggers_is_started_and_invoked_directly(database: Fresh) {
    let runtime = open(&database).await;
    let opened = OnAccount::Opened(Opened { account: 3 });
    let run = runtime.start(describe, opened).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "opened 3");
    let input = run.record().await.expect("the run").input;
    assert_eq!(input.as_str(), r#"{"account/opened":{"account":3}}"#);
    let run = runtime.start(close, 4).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "opened 4");
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn only_events_that_pass_the_condition_start_a_run(database: Fresh) {
    let runtime = open(&database).await;
    for account in [7, 5_000, 1_000, 2_000] {
        runtime.send(Opened { account }).await.expect("accepted");
    }
    let greeted = async || outputs_of::<u32>(&runtime, "greet").await == [2_000, 5_000];
    eventually("both are greeted", greeted).await;
    let all = async || outputs(&runtime, "describe").await.len() == 4;
    eventually("all are described", all).await;
    assert_eq!(outputs_of::<u32>(&runtime, "greet").await.len(), 2);
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn a_condition_that_panics_blocks_only_its_workflow(database: Fresh) {
    let runtime = open(&database).await;
    for account in [0, 20] {
        runtime.send(Opened { account }).await.expect("accepted");
    }
    let others = async || {
        outputs(&runtime, "describe").await == ["opened 0", "opened 20"]
            && outputs_of::<u32>(&runtime, "divide").await == [20]
    };
    eventually("the others go on", others).await;
    shut_down(Bank, Bench::new(), runtime).await;

    // As a fixed program would find it, were there one: once more, and for this workflow alone.
    let runtime = open(&database).await;
    runtime.send(Opened { account: 30 }).await.expect("accepted");
    let others = async || {
        outputs_of::<u32>(&runtime, "divide").await == [20, 30]
            && outputs(&runtime, "describe").await == ["opened 0", "opened 20", "opened 30"]
    };
    eventually("the others go on", others).await;
    shut_down(Bank, Bench::new(), runtime).await;
}

/// Makes all schedules due since a time.
async fn make_due(database: &Fresh, since: &str) {
    let since: Timestamp = since.parse().expect("it is a time");
    let statement = match database {
        Fresh::Postgres(_) => format!("UPDATE indelible.schedules SET due_at = '{since}'"),
        Fresh::Sqlite(_) => {
            format!("UPDATE indelible_schedules SET due_at = {}", since.as_microsecond())
        }
    };
    database.execute(statement).await;
}

async fn a_key_that_fails_starts_no_run(database: Fresh) {
    let runtime = open(&database).await;
    let refused = runtime.start_all(queue, [7, 0]).await.expect_err("the second has no key");
    let text = refused.to_string();
    assert!(text.starts_with("no run of `queue` starts: the key `100 / input` panicked"), "{text}");
    let query = indelible::RunQuery { workflow: Some("queue".to_owned()), ..Default::default() };
    assert!(runtime.runs(&query).await.expect("the runs").is_empty());
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn a_schedule_starts_what_was_missed(database: Fresh) {
    open(&database).await.shutdown().await;
    make_due(&database, "2024-01-01T08:00:00Z").await;
    let runtime = open(&database).await;
    let started = async || {
        let years = outputs(&runtime, "every-year").await;
        let first = ["2024 after None", "2025 after Some(\"2024\")", "2026 after Some(\"2025\")"];
        years.starts_with(&first.map(str::to_owned))
    };
    eventually("every year has its run", started).await;
    let query =
        indelible::RunQuery { workflow: Some("every-year".to_owned()), ..Default::default() };
    let runs = runtime.runs(&query).await.expect("the runs");
    let scheduled = runs[0].scheduled_at.map(|time| time.to_string());
    assert_eq!(scheduled.as_deref(), Some("2024-01-01T08:00:00Z"));

    let by_hand = Tick::at("2000-01-01T00:00:00Z".parse().expect("it is a time"));
    let run = runtime.start(every_year, by_hand).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), "2000 after None");
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn a_schedule_starts_a_variant_of_several_triggers(database: Fresh) {
    open(&database).await.shutdown().await;
    make_due(&database, "2024-01-01T07:30:00Z").await;
    let runtime = open(&database).await;
    for account in [1, 0] {
        runtime.send(Closed { account }).await.expect("accepted");
    }
    // Of what was missed only the last is caught up with.
    let closed =
        async || outputs(&runtime, "close-the-books").await == ["-01-01T07:30:00Z", "asked 0"];
    eventually("the books are closed twice", closed).await;
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn schedules_are_listed_with_their_ticks(database: Fresh) {
    let listed = async |client: &indelible::Client| {
        let schedules = client.schedules().await.expect("the schedules");
        let listed = schedules.into_iter().map(|schedule| {
            let next = schedule.upcoming().next().expect("there is a next");
            assert!(next > Timestamp::now());
            let next = next.to_string()[4..].to_owned();
            let last = schedule.last.map(|last| last.to_string()[4..].to_owned());
            (schedule.workflow, schedule.cron.zone(), next, last)
        });
        listed.collect::<Vec<_>>()
    };
    let expected = |last: Option<&str>| {
        let of = |workflow: &str, zone, tick: &str| {
            (workflow.to_owned(), zone, tick.to_owned(), last.map(|_| tick.to_owned()))
        };
        [
            of("close-the-books", "Europe/Paris", "-01-01T07:30:00Z"),
            of("every-year", "UTC", "-01-01T08:00:00Z"),
        ]
    };
    let connected = Runtime::builder(Bank).database(database.url()).connect().await;
    let connected = connected.expect("it connects");
    assert_eq!(listed(&connected).await, expected(None));
    connected.close().await;
    open(&database).await.shutdown().await;
    make_due(&database, "2024-01-01T07:30:00Z").await;
    let runtime = open(&database).await;
    let started = async || listed(&runtime).await == expected(Some("its last"));
    eventually("both have started runs", started).await;
    shut_down(Bank, Bench::new(), runtime).await;
}

mod ticking {
    use super::*;

    /// Is due each second.
    #[workflow(cron("* * * * * *", jitter = "900ms"))]
    async fn count(_tick: Tick) -> Result<(), Failure> {
        Ok(())
    }

    indelible::app! {
        pub Clock = "clock";
        events: [],
        workflows: [count],
    }
}

async fn a_schedule_of_seconds_goes_on_with_its_jitter(database: Fresh) {
    let builder = Runtime::builder(ticking::Clock).database(database.url());
    let runtime = builder.start().await.expect("it starts");
    let query = indelible::RunQuery::default();
    let ticks = async || runtime.runs(&query).await.expect("the runs").len();
    eventually("three seconds have passed", async || ticks().await >= 3).await;
    let [schedule] = &runtime.schedules().await.expect("the schedules")[..] else {
        panic!("the app has one schedule")
    };
    assert!(!schedule.delay.is_zero() && schedule.delay < schedule.cron.jitter());
    let runs = runtime.runs(&query).await.expect("the runs");
    let mut previous = None;
    for run in &runs {
        let tick = run.scheduled_at.expect("a tick has started it");
        assert_eq!(tick.subsec_nanosecond(), 0);
        assert!(run.accepted_at >= tick + schedule.delay, "{run:?}");
        assert!(previous.replace(tick).is_none_or(|previous| previous < tick), "{runs:?}");
    }
    shut_down(ticking::Clock, Bench::new(), runtime).await;
}

#[tokio::test]
async fn a_century_of_ticks_passes_at_once() {
    let cron = every_year::CONFIG.cron.expect("it has a schedule");
    let start: Timestamp = "2000-01-01T00:00:00Z".parse().expect("it is a time");
    for (year, tick) in (2000..2100).zip(cron.upcoming(start)) {
        let mut run = Bench::new().start(every_year, Tick::at(tick));
        assert_eq!(run.finish().await, Ok(format!("{year} after None")));
    }
}

async fn events_are_gathered_by_key_until_the_batch_is_full(database: Fresh) {
    let runtime = open(&database).await;
    for cents in 0..=12 {
        for account in [1, 2] {
            runtime.send(Booked { account, cents }).await.expect("accepted");
        }
    }
    let of =
        |account: u32| [(account, (1..=5).collect::<Vec<u32>>()), (account, (6..=10).collect())];
    let expected = [of(1), of(2)].concat();
    let full = async || outputs_of::<(u32, Vec<u32>)>(&runtime, "add-up").await == expected;
    eventually("four batches are full", full).await;

    let by_hand = vec![Booked { account: 9, cents: 1 }];
    let run = runtime.start(add_up, by_hand).await.expect("it starts");
    assert_eq!(run.result().await.expect("it completes"), (9, vec![1]));
    runtime.shutdown().await;
}

async fn a_batch_is_no_larger_than_an_input_may_be(database: Fresh) {
    let three =
        r#"[{"account":1,"cents":100},{"account":1,"cents":101},{"account":1,"cents":102}]"#;
    let builder = Runtime::builder(Bank).database(database.url()).event_limit(three.len());
    let runtime = builder.start().await.expect("it starts");
    for cents in 100..110 {
        runtime.send(Booked { account: 1, cents }).await.expect("accepted");
    }
    let threes = [100, 103, 106].map(|first| (1, (first..first + 3).collect::<Vec<u32>>()));
    let full = async || outputs_of::<(u32, Vec<u32>)>(&runtime, "add-up").await == threes;
    eventually("three batches are full", full).await;
    shut_down(Bank, Bench::new(), runtime).await;
}

async fn a_batch_that_does_not_fill_starts_in_time(database: Fresh) {
    let runtime = open(&database).await;
    for account in 1..=40 {
        runtime.send(Audited { account }).await.expect("accepted");
    }
    let reported = async || outputs_of::<Vec<u32>>(&runtime, "report").await.concat().len() == 40;
    eventually("all are reported", reported).await;
    let all = outputs_of::<Vec<u32>>(&runtime, "report").await.concat();
    assert_eq!(all, (1..=40).collect::<Vec<u32>>());
    runtime.shutdown().await;
}

async fn a_batch_survives_its_worker(database: Fresh) {
    let runtime = open(&database).await;
    for cents in 1..=4 {
        runtime.send(Booked { account: 1, cents }).await.expect("accepted");
    }
    runtime.shutdown().await;
    let runtime = open(&database).await;
    runtime.send(Booked { account: 1, cents: 5 }).await.expect("accepted");
    let full = async || {
        outputs_of::<(u32, Vec<u32>)>(&runtime, "add-up").await == [(1, vec![1, 2, 3, 4, 5])]
    };
    eventually("the batch is full", full).await;
    runtime.shutdown().await;
}
