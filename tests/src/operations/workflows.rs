//! The workflows. Each takes the number of an order, and gives the names of the steps that it went by.

use indelible::prelude::*;

use super::{Ledger, Paid, Sent};

/// Two steps, one after the other.
#[workflow(input)]
pub async fn runs(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    meanwhile!();
    let first = step.run("first", ledger.note("first")).await?;
    meanwhile!();
    let second = step.run("second", ledger.note("second")).await?;
    meanwhile!();
    Ok(format!("{first}, {second}"))
}

/// A step whose first attempt fails.
#[workflow(input, retries = 1, backoff(initial = "5ms", max = "5ms"))]
pub async fn retries(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let flaky = step.run("flaky", ledger.note_at_second_attempt("flaky")).await?;
    meanwhile!();
    Ok(flaky)
}

/// A transaction, and a step that is none.
#[workflow(input)]
pub async fn transacts(
    order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let paid = step.transaction("pay", async |tx| ledger.pay(&mut tx, order).await).await?;
    meanwhile!();
    let receipt = step.run("receipt", ledger.note("receipt")).await?;
    Ok(format!("{paid}, {receipt}"))
}

/// A sleep between two steps.
#[workflow(input)]
pub async fn sleeps(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let evening = step.run("evening", ledger.note("evening")).await?;
    meanwhile!();
    step.sleep("night", "30ms").await;
    let morning = step.run("morning", ledger.note("morning")).await?;
    Ok(format!("{evening}, {morning}"))
}

/// A wait for an event that comes.
#[workflow(input)]
pub async fn waits(
    order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let paid = step.wait_for_event::<Paid>("paid").matching(order = order).await;
    meanwhile!();
    let ship = step.run("ship", ledger.note("ship")).await?;
    Ok(format!("{}, {ship}", if paid.is_some() { "paid" } else { "unpaid" }))
}

/// A wait for an event that does not come.
#[workflow(input)]
pub async fn gives_up(order: u32, step: Step) -> Result<String, Failure> {
    let paid = step.wait_for_event::<Paid>("paid").matching(order = order).timeout("30ms").await;
    meanwhile!();
    Ok(if paid.is_some() { "paid" } else { "unpaid" }.to_owned())
}

/// A child that is waited for.
#[workflow(input)]
pub async fn invokes(order: u32, step: Step) -> Result<String, Failure> {
    let played = step.invoke("child", plays, order).await?;
    meanwhile!();
    Ok(played)
}

/// A child that would go on without its parent.
#[workflow(input)]
pub async fn detaches(order: u32, step: Step) -> Result<String, Failure> {
    let played = step.invoke("child", plays, order).detached().await?;
    meanwhile!();
    Ok(played)
}

/// A child that is not waited for any longer, and is cancelled.
#[workflow(input)]
pub async fn abandons(order: u32, step: Step) -> Result<String, Failure> {
    let winner = race! {
        slow = step.invoke("child", cancels, order) => slow?,
        _ = step.wait_for_event::<Paid>("paid").matching(order = order) => "paid".to_owned(),
    };
    meanwhile!();
    Ok(winner)
}

/// Two events at once, each of which starts a run.
#[workflow(input)]
pub async fn sends(order: u32, step: Step) -> Result<String, Failure> {
    let parcels = [Sent { parcel: order }, Sent { parcel: order + 1 }];
    let sent = step.send_events("send", parcels).await?;
    meanwhile!();
    Ok(format!("{} parcels", sent.len()))
}

/// A step that outruns a sleep and a wait.
#[workflow(input)]
pub async fn races(
    order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let winner = race! {
        () = step.sleep("slow", "1h") => "slow".to_owned(),
        _ = step.wait_for_event::<Paid>("paid").matching(order = order) => "paid".to_owned(),
        quick = step.run("quick", ledger.note("quick")) => quick?,
    };
    meanwhile!();
    Ok(winner)
}

/// Steps side by side.
#[workflow(input)]
pub async fn joins(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let (left, right) =
        join!(step.run("left", ledger.note("left")), step.run("right", ledger.note("right")));
    let (left, right) = (left?, right?);
    meanwhile!();
    let items = (0..3).map(|n| step.run("item", ledger.note("item")).key(n));
    let items = step.join_all(items).limit(2).await;
    Ok(format!("{left}, {right}, {} items", items.into_iter().flatten().count()))
}

/// A loop that carries its variables.
#[workflow(input)]
pub async fn carries(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let mut laps = 0;
    #[carried(laps)]
    while laps < 3 {
        step.run("lap", ledger.note("lap")).await?;
        meanwhile!();
        laps += 1;
    }
    Ok(format!("{laps} laps"))
}

/// Begins anew once, with the next order.
#[workflow(input)]
pub async fn restarts(
    order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let lap = step.run("lap", ledger.note("lap")).await?;
    meanwhile!();
    if order.is_multiple_of(2) {
        return step.restart(order + 1);
    }
    Ok(lap)
}

/// Takes back what a step did.
async fn take_back(step: String, Resource(ledger): Resource<Ledger>) -> Result<(), Failure> {
    meanwhile!();
    ledger.note(&format!("undo-{step}")).await?;
    Ok(())
}

/// Fails when two steps are done, which are undone.
#[workflow(input)]
pub async fn undoes(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    step.run("first", ledger.note("first")).undo(take_back).await?;
    meanwhile!();
    step.run("second", ledger.note("second")).undo(take_back).await?;
    Err(Failure::msg("there is no third"))
}

/// Fails, and is handled.
#[workflow(input, on_failure = note_failure)]
pub async fn fails(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    step.run("try", ledger.note("try")).await?;
    meanwhile!();
    Err(Failure::msg("in vain"))
}

/// Is cancelled in its sleep, undone and handled.
#[workflow(input, on_cancel = note_cancellation)]
pub async fn cancels(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let lain = step.run("lie-down", ledger.note("lie-down")).undo(take_back).await?;
    meanwhile!();
    step.sleep("rest", "1h").await;
    Ok(lain)
}

/// Takes its turn, and lends it.
#[workflow(
    input,
    concurrency(limit = 1, hold = run, scope = "turns"),
    throttle(limit = 1, per = "10ms"),
    singleton(key = input, mode = latest)
)]
pub async fn takes_turns(
    order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let mine = step.run("mine", ledger.note("mine")).await?;
    meanwhile!();
    let lent = step.invoke("child", takes_its_turn, order).await?;
    meanwhile!();
    let again = step.run("again", ledger.note("again")).await?;
    Ok(format!("{mine}, {lent}, {again}"))
}

/// Has the turn of whoever invokes it.
#[workflow(input, concurrency(limit = 1, hold = run, scope = "turns"))]
pub async fn takes_its_turn(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let lent = step.run("lent", ledger.note("lent")).await?;
    meanwhile!();
    Ok(lent)
}

/// What others invoke.
#[workflow(input)]
pub async fn plays(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    let play = step.run("play", ledger.note("play")).await?;
    meanwhile!();
    Ok(play)
}

/// What is started by an event that another sends.
#[workflow]
pub async fn receive(
    _event: Sent,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    meanwhile!();
    Ok(step.run("unpack", ledger.note("unpack")).await?)
}

/// Handles a failure.
#[workflow(input)]
pub async fn note_failure(
    failed: RunFailed<u32>,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    step.run("note-failure", ledger.note("note-failure")).await?;
    meanwhile!();
    Ok(failed.error.to_string())
}

/// Handles a cancellation.
#[workflow(input)]
pub async fn note_cancellation(
    cancelled: RunCancelled<u32>,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    step.run("note-cancellation", ledger.note("note-cancellation")).await?;
    meanwhile!();
    Ok(cancelled.reason)
}

/// What is heard of when it is over.
#[workflow(input)]
pub async fn tells(
    _order: u32,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    meanwhile!();
    Ok(step.run("speak", ledger.note("speak")).await?)
}

/// The ends of all runs: whatever makes one of them twice is counted.
#[derive(Triggers)]
pub enum Ended {
    /// Well.
    Completed(RunCompleted),
    /// With an error.
    Failed(RunFailed),
    /// Not by itself.
    Cancelled(RunCancelled),
}

/// Hears of one.
#[workflow(
    on(RunCompleted, if = event.workflow == "tells"),
    on(RunFailed, if = event.workflow == "tells"),
    on(RunCancelled, if = event.workflow == "tells"),
)]
pub async fn hears(
    _ended: Ended,
    step: Step,
    Resource(ledger): Resource<Ledger>,
) -> Result<String, Failure> {
    meanwhile!();
    Ok(step.run("hear", ledger.note("hear")).await?)
}
