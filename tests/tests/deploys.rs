//! A new version of a program in the middle of a run, on both databases.

use indelible::prelude::*;
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases};

on_both_databases!(
    a_pinned_run_waits_for_a_worker_of_its_version,
    a_run_that_is_not_pinned_goes_on_in_the_new_version,
);

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "yard/opened")]
struct Opened {}

/// Does nothing but to say so.
async fn done(what: &'static str) -> Result<&'static str, std::convert::Infallible> {
    Ok(what)
}

mod before {
    use super::*;

    #[workflow(input, id = "ship", on_change = pin)]
    pub async fn ship(_input: (), step: Step) -> Result<String, Failure> {
        step.wait_for_event::<Opened>("gate").await;
        step.run("send", async { done("sent").await.map(str::to_owned) }).await.map_err(Into::into)
    }

    #[workflow(input, id = "store")]
    pub async fn store(_input: (), step: Step) -> Result<String, Failure> {
        step.wait_for_event::<Opened>("gate").await;
        step.run("shelve", async { done("shelved").await.map(str::to_owned) })
            .await
            .map_err(Into::into)
    }

    indelible::app! { pub Yard = "yard"; events: [Opened], workflows: [ship, store], }
}

mod after {
    use super::*;

    #[workflow(input, id = "ship", on_change = pin)]
    pub async fn ship(_input: (), step: Step) -> Result<String, Failure> {
        step.run("insure", async { done("insured").await.map(str::to_owned) })
            .await
            .map_err(Into::into)
    }

    #[workflow(input, id = "store")]
    pub async fn store(_input: (), step: Step) -> Result<String, Failure> {
        step.wait_for_event::<Opened>("gate").await;
        step.run("label", async { done("labelled").await.map(str::to_owned) })
            .await
            .map_err(Into::into)
    }

    indelible::app! { pub Yard = "yard"; events: [Opened], workflows: [ship, store], }
}

async fn waiting(run: &RunHandle<String>) {
    eventually("the run waits", async || {
        run.status().await.expect("its status") == RunStatus::Waiting
    })
    .await;
}

async fn a_pinned_run_waits_for_a_worker_of_its_version(database: Fresh) {
    let old = Runtime::builder(before::Yard).database(database.url()).start().await;
    let old = old.expect("it starts");
    let begun = old.start(before::ship, ()).await.expect("it starts").id();
    waiting(&old.handle(begun)).await;
    old.shutdown().await;

    let new = Runtime::builder(after::Yard).database(database.url()).start().await;
    let new = new.expect("it starts");
    new.send(Opened {}).await.expect("it is accepted");
    let fresh = new.start(after::ship, ()).await.expect("it starts");
    assert_eq!(fresh.result().await.expect("it completes"), "insured");
    eventually("the old run could go on", async || {
        let record = new.run(begun).await.expect("it answers").expect("it is there");
        record.status == RunStatus::Queued
    })
    .await;
    let stranded = new.stranded().await.expect("it answers");
    assert_eq!(stranded.len(), 1, "{stranded:?}");
    assert_eq!((&*stranded[0].workflow, stranded[0].example), ("ship", begun));

    // Both at once: each drives its own.
    let old = Runtime::builder(before::Yard).database(database.url()).start().await;
    let old = old.expect("it starts");
    assert_eq!(old.handle::<String>(begun).result().await.expect("it completes"), "sent");
    assert_eq!(new.stranded().await.expect("it answers"), []);
    old.shutdown().await;
    new.shutdown().await;
}

async fn a_run_that_is_not_pinned_goes_on_in_the_new_version(database: Fresh) {
    let old = Runtime::builder(before::Yard).database(database.url()).start().await;
    let old = old.expect("it starts");
    let begun = old.start(before::store, ()).await.expect("it starts").id();
    waiting(&old.handle(begun)).await;
    old.shutdown().await;

    let new = Runtime::builder(after::Yard).database(database.url()).start().await;
    let new = new.expect("it starts");
    assert_eq!(new.stranded().await.expect("it answers"), []);
    new.send(Opened {}).await.expect("it is accepted");
    assert_eq!(new.handle::<String>(begun).result().await.expect("it completes"), "labelled");
    new.shutdown().await;
}
