//! What a running program shows in its log, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use indelible::App;
use indelible::prelude::*;
use indelible_tests::databases::Fresh;
use indelible_tests::log::Log;
use indelible_tests::{eventually, on_both_databases};

on_both_databases!(
    what_a_user_logs_says_where_it_comes_from,
    each_failed_attempt_is_told_with_its_error_and_the_next,
    a_run_that_fails_names_its_step,
    a_run_that_is_held_names_its_step,
    a_run_tells_when_it_begins_waits_and_completes,
    a_cancelled_run_tells_why,
    a_resumed_body_logs_only_what_is_new,
    what_follows_the_last_recorded_outcome_is_logged,
    a_line_that_was_first_met_while_muted_is_logged_later,
    nothing_stays_muted_after_a_panic,
    a_name_that_nobody_subscribes_to_is_told_of_once,
);

/// A bank that does not answer the first time, and which can be told what to do.
#[derive(Clone, Default)]
struct Bank {
    calls: Arc<AtomicU32>,
    is_chatty: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
}

impl Bank {
    async fn charge(&self, cents: u32) -> Result<u32, Failure> {
        tracing::info!("calling the bank");
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Failure::msg("the bank does not answer")),
            _ => Ok(cents),
        }
    }

    fn is_chatty(&self) -> bool {
        self.is_chatty.load(Ordering::SeqCst)
    }

    fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::SeqCst)
    }
}

async fn refund(cents: u32) -> Result<(), Failure> {
    tracing::info!(cents, "giving it back");
    Ok(())
}

async fn refuse() -> Result<(), Failure> {
    Err(Permanent("out of stock".into()).into())
}

async fn ok() -> Result<u32, Failure> {
    Ok(7)
}

#[derive(Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "train/departed")]
struct Departed {
    train: u32,
}

/// Takes money, and gives it back as there is nothing to ship.
#[workflow(input, retries = 2, backoff(initial = "10ms", max = "10ms"))]
async fn pay(cents: u32, step: Step, Resource(bank): Resource<Bank>) -> Result<u32, Failure> {
    tracing::info!("a customer pays");
    let paid = step.run("charge", bank.charge(cents)).undo(refund).await?;
    step.transaction("book", async |_tx| {
        tracing::info!("booking it");
        Ok::<_, Failure>(1)
    })
    .await?;
    step.run("ship", refuse()).await?;
    Ok(paid)
}

/// Waits for a train.
#[workflow(input)]
#[tracing::instrument(name = "travel", skip_all)]
async fn travel(train: u32, step: Step, Resource(bank): Resource<Bank>) -> Result<u32, Failure> {
    tracing::info!("packing");
    log::info!("packing, by the other crate");
    if bank.is_chatty() {
        tracing::info!("packing a book");
    }
    let packed = step.run("pack", ok()).await?;
    if bank.is_broken() {
        panic!("the suitcase is broken");
    }
    tracing::info!("packed");
    let train = step.wait_for_event::<Departed>("await-train").matching(train = train);
    train.timeout(Duration::from_secs(7200)).await;
    tracing::info!("departed");
    log::info!("departed, by the other crate");
    step.run("arrive", ok()).await?;
    tracing::info!("arrived");
    Ok(packed)
}

indelible::app! {
    Everything = "everything";
    events: [Departed],
    workflows: [pay, travel],
}

/// A later version, which does not know any more what a step gave.
mod later {
    use super::*;

    #[workflow(input)]
    pub async fn travel(train: u32, step: Step) -> Result<u32, Failure> {
        step.run("pack", async { Ok::<_, Failure>("a suitcase".to_owned()) }).await?;
        step.wait_for_event::<Departed>("await-train").matching(train = train).await;
        Ok(train)
    }

    indelible::app! {
        pub Everything = "everything";
        events: [Departed],
        workflows: [travel],
    }
}

async fn open<A: App>(app: A, database: &Fresh, bank: &Bank) -> Runtime {
    let builder = Runtime::builder(app).database(database.url()).resource(bank.clone());
    builder.start().await.expect("it starts")
}

async fn parked(runtime: &Runtime, run: RunId) {
    let status = async || runtime.run(run).await.expect("the database answers").map(|it| it.status);
    eventually("it waits", async || status().await == Some(RunStatus::Waiting)).await;
}

async fn what_a_user_logs_says_where_it_comes_from(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let run = runtime.start(pay, 500).await.expect("it starts").id();
    runtime.wait(run).await.expect("it ends");

    let body = log.one(run, &["a customer pays"]).await;
    assert!(body.contains("workflow=\"pay\"") && !body.contains("attempt"), "{body}");
    let calls = log.of(run, &["workflow=\"pay\"", "step=charge", "calling the bank"]);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].contains("attempt=1") && calls[1].contains("attempt=2"), "{calls:?}");
    log.one(run, &["step=book", "attempt=1", "booking it"]).await;
    log.one(run, &["step=undo(charge)", "attempt=1", "giving it back"]).await;
    runtime.shutdown().await;
}

async fn each_failed_attempt_is_told_with_its_error_and_the_next(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let run = runtime.start(pay, 500).await.expect("it starts").id();
    runtime.wait(run).await.expect("it ends");

    let failed = log.one(run, &["WARN", "step=charge", "attempt 1 of 3 failed"]).await;
    assert!(failed.contains("the bank does not answer"), "{failed}");
    let timeline = runtime.timeline(run).await.expect("it is there");
    let charge = timeline.states.iter().find(|state| state.key.as_str() == "charge");
    let failed_at = charge.expect("it was charged").failures[0].failed_at;
    let due = failed.split_once("the next is due at ").expect("it says when").1;
    let due = due.split_whitespace().next().expect("a time").parse::<Timestamp>();
    let wait = due.expect("a time").duration_since(failed_at);
    assert!(wait > Duration::ZERO.try_into().unwrap() && wait.as_millis() <= 10, "{wait:?}");

    let failed = log.one(run, &["WARN", "step=ship", "attempt 1 of 3 failed"]).await;
    assert!(
        failed.contains("it is not tried again") && failed.contains("out of stock"),
        "{failed}"
    );
    runtime.shutdown().await;
}

async fn a_run_that_fails_names_its_step(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let run = runtime.start(pay, 500).await.expect("it starts").id();
    runtime.wait(run).await.expect("it ends");

    log.one(run, &["WARN", "workflow=\"pay\"", "the run failed", "step=ship", "out of stock"])
        .await;
    assert_eq!(log.of(run, &["INFO", "the run completed"]), [""; 0]);
    runtime.shutdown().await;
}

async fn a_run_that_is_held_names_its_step(database: Fresh) {
    let log = Log::begin();
    let bank = Bank::default();
    let runtime = open(Everything, &database, &bank).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    runtime.shutdown().await;

    let runtime = open(later::Everything, &database, &bank).await;
    runtime.send(Departed { train: 9 }).await.expect("it is accepted");
    log.one(run, &["WARN", "workflow=\"travel\"", "the run is held", "step `pack`"]).await;
    // What is stored stands in lines of its own, and the step behind them.
    eventually("it names the step", async || {
        log.lines().iter().any(|line| line.contains("stored:") && line.contains("step=pack"))
    })
    .await;
    runtime.shutdown().await;
}

async fn a_run_tells_when_it_begins_waits_and_completes(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    let waits = log.one(run, &["INFO", "the run waits until", "`await-train`"]).await;
    let until = waits.split_once("the run waits until ").expect("it says until when").1;
    let until = until.split_whitespace().next().expect("a time").parse::<Timestamp>();
    let left = until.expect("a time").duration_since(Timestamp::now());
    assert!((110..=120).contains(&left.as_mins()), "{left:?}");

    runtime.send(Departed { train: 9 }).await.expect("it is accepted");
    runtime.wait(run).await.expect("it ends");
    log.one(run, &["INFO", "workflow=\"travel\"", "the run completed"]).await;
    log.one(run, &["INFO", "workflow=\"travel\"", "the run begins"]).await;
    runtime.shutdown().await;
}

async fn a_cancelled_run_tells_why(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    runtime.cancel(run, "the train is late").await.expect("it is asked");
    runtime.wait(run).await.expect("it ends");
    log.one(run, &["INFO", "the run was cancelled", "the train is late"]).await;
    runtime.shutdown().await;
}

async fn a_resumed_body_logs_only_what_is_new(database: Fresh) {
    let log = Log::begin();
    let bank = Bank::default();
    let runtime = open(Everything, &database, &bank).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    runtime.shutdown().await;

    let runtime = open(Everything, &database, &bank).await;
    runtime.send(Departed { train: 9 }).await.expect("it is accepted");
    runtime.wait(run).await.expect("it ends");
    // All of it in the span that the body makes for itself, also where that was made again.
    let lines = ["packing, by the other crate", "packed", "departed", "departed, by", "arrived"];
    for line in lines {
        let line = format!(" {line}");
        eventually(&line, async || !log.of(run, &[&line]).is_empty()).await;
    }
    let bodys = log.of(run, &[":travel:"]);
    let said = ["packing", "packing, by", "packed", "departed", "departed, by", "arrived"];
    assert_eq!(bodys.len(), said.len(), "{:#?}", log.of(run, &[]));
    for (line, said) in bodys.iter().zip(said) {
        assert!(line.contains(said) && line.contains("workflow=\"travel\""), "{bodys:#?}");
    }
    runtime.shutdown().await;
}

/// A run that was forked before it comes to wait has an outcome as its last line.
async fn fork(runtime: &Runtime) -> RunId {
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(runtime, run).await;
    runtime.fork(run, "await-train").await.expect("it is forked")
}

async fn what_follows_the_last_recorded_outcome_is_logged(database: Fresh) {
    let log = Log::begin();
    let runtime = open(Everything, &database, &Bank::default()).await;
    let forked = fork(&runtime).await;
    parked(&runtime, forked).await;
    log.one(forked, &[" packed"]).await;
    assert_eq!(log.of(forked, &[" packing"]), [""; 0]);
    runtime.shutdown().await;
}

async fn a_line_that_was_first_met_while_muted_is_logged_later(database: Fresh) {
    let log = Log::begin();
    let bank = Bank::default();
    let runtime = open(Everything, &database, &bank).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    bank.is_chatty.store(true, Ordering::SeqCst);
    let forked = runtime.fork(run, "await-train").await.expect("it is forked");
    parked(&runtime, forked).await;
    assert_eq!(log.of(forked, &["a book"]), [""; 0]);

    let run = runtime.start(travel, 10).await.expect("it starts").id();
    parked(&runtime, run).await;
    log.one(run, &["packing a book"]).await;
    runtime.shutdown().await;
}

async fn nothing_stays_muted_after_a_panic(database: Fresh) {
    let log = Log::begin();
    let bank = Bank::default();
    let runtime = open(Everything, &database, &bank).await;
    let run = runtime.start(travel, 9).await.expect("it starts").id();
    parked(&runtime, run).await;
    bank.is_broken.store(true, Ordering::SeqCst);
    // It has recorded that it waits, and panics before it comes there.
    runtime.send(Departed { train: 9 }).await.expect("it is accepted");
    log.one(run, &["WARN", "the run is held"]).await;

    bank.is_broken.store(false, Ordering::SeqCst);
    let run = runtime.start(travel, 10).await.expect("it starts").id();
    parked(&runtime, run).await;
    log.one(run, &["packing, by", ":travel:"]).await;
    runtime.shutdown().await;
}

async fn a_name_that_nobody_subscribes_to_is_told_of_once(database: Fresh) {
    let log = Log::begin();
    let runtime = Runtime::builder(Everything).database(database.url());
    let runtime = runtime.resource(Bank::default()).start().await.expect("it starts");
    let client = indelible::Client::connect(database.url()).await.expect("a client");
    // Tests of one process share the log.
    let name = format!("shop/unheard-{}", EventId::new());
    for _ in 0..2 {
        client.send_by_name(&name, ()).await.expect("it is accepted");
    }
    let told = |name: &str| {
        let lines = log.lines().into_iter();
        lines.filter(|line| line.contains(name) && line.contains("no app subscribes")).count()
    };
    assert_eq!(told(&name), 1);
    client.send_by_name(Departed::NAME, Departed { train: 7 }).await.expect("it is accepted");
    runtime.send(Departed { train: 7 }).await.expect("it is accepted");
    assert_eq!(told(Departed::NAME), 0);
    runtime.shutdown().await;
}
