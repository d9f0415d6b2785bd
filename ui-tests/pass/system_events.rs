use indelible::prelude::*;

#[workflow(on(RunFailed, if = event.workflow != "ping" && event.error.causes.is_empty()))]
async fn report(_failed: RunFailed, step: Step) -> Result<(), Failure> {
    step.sleep("wait", "1h").await;
    Ok(())
}

#[derive(Triggers)]
enum Over {
    Completed(RunCompleted),
    Cancelled(Received<RunCancelled>),
    Blocked(EventBlocked),
}

#[workflow(concurrency(limit = 5, key = matches!(event, Over::Blocked(_))))]
async fn hear(_over: Over) -> Result<(), Failure> {
    Ok(())
}

#[workflow(batch(max = 10, timeout = "1h", key = event.workflow.clone()))]
async fn gather(_failed: Vec<RunFailed>) -> Result<(), Failure> {
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Watched {
    run: RunId,
}

#[workflow(input, cancel_on(RunCompleted, matching = run))]
async fn watch(input: Watched, step: Step) -> Result<bool, Failure> {
    let failed = step.wait_for_event::<RunFailed>("failed").matching(run = input.run).timeout("1h");
    Ok(failed.await.is_some())
}

indelible::app! {
    Desk = "desk";
    events: [],
    workflows: [report, hear, gather, watch],
}

fn main() {}
