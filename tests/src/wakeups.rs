//! An app with a workflow for each way in which work comes to a worker. Nothing of it needs a state
//! that one process has and another has not.

use std::time::Duration;

use indelible::Tx;
use indelible::prelude::*;

/// How long a run sleeps before it does what somebody else is to be told of. Until then what was
/// announced of its own start has come back from the database, and no longer wakes whoever was not
/// told.
pub const SETTLED: Duration = Duration::from_millis(100);

/// Starts a run.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/knocked")]
pub struct Knocked {
    /// Which operation's it is; so it is with the other events.
    pub n: u32,
}

/// Ends a wait.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/opened")]
pub struct Opened {
    /// Which operation's.
    pub n: u32,
}

/// Starts a run that may be revoked.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/granted")]
pub struct Granted {
    /// Which operation's.
    pub n: u32,
}

/// Cancels a run.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/revoked")]
pub struct Revoked {
    /// Which operation's.
    pub n: u32,
}

/// Asks whoever answers.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/questioned")]
pub struct Questioned {
    /// Which question.
    pub question: u32,
}

/// Answers whoever asked.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/answered")]
pub struct Answered {
    /// Which question.
    pub question: u32,
}

/// Fills a batch.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/packed")]
pub struct Packed {
    /// Which operation's.
    pub n: u32,
}

/// Waits in a batch until it is late.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/collected")]
pub struct Collected {
    /// Which operation's.
    pub n: u32,
}

/// Starts a run that waits for its turn.
#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "wakeups/queued")]
pub struct Queued {
    /// Which operation's.
    pub n: u32,
}

async fn put_off(wait: Duration) -> Result<(), RetryAfter> {
    Err(RetryAfter("it is busy".into(), wait))
}

async fn give<T>(value: T) -> Result<T, Failure> {
    Ok(value)
}

/// Gives a number back after two steps.
#[workflow(input)]
pub async fn echo(n: u32, step: Step) -> Result<u32, Failure> {
    let first = step.run("first", give(n)).await?;
    Ok(step.run("second", give(first)).await?)
}

/// Gives a number back.
#[workflow(input)]
pub async fn trifle(n: u32) -> Result<u32, Failure> {
    Ok(n)
}

/// Is started by an event.
#[workflow]
pub async fn on_knock(event: Knocked, step: Step) -> Result<u32, Failure> {
    Ok(step.run("look", give(event.n)).await?)
}

/// Waits for an event, without an end to it.
#[workflow(input)]
pub async fn wait_for_ever(n: u32, step: Step) -> Result<u32, Failure> {
    let opened = step.wait_for_event::<Opened>("opened").matching(n = n).await;
    Ok(opened.map_or(0, |opened| opened.data.n))
}

/// Waits for an event so short that the run stays in memory.
#[workflow(input)]
pub async fn wait_in_memory(n: u32, step: Step) -> Result<bool, Failure> {
    step.run("arrive", give(())).await?;
    let opened = step.wait_for_event::<Opened>("opened").matching(n = n).timeout("1950ms").await;
    Ok(opened.is_some())
}

/// Waits for an event that does not come.
#[workflow(input)]
pub async fn give_up(n: u32, step: Step) -> Result<bool, Failure> {
    let opened = step.wait_for_event::<Opened>("opened").matching(n = n).timeout("200ms").await;
    Ok(opened.is_some())
}

/// Sleeps for so many milliseconds.
#[workflow(input)]
pub async fn nap(millis: u64, step: Step) -> Result<(), Failure> {
    step.sleep("nap", Duration::from_millis(millis)).await;
    Ok(())
}

/// Sleeps until all runs of its workflow are cancelled.
#[workflow(input)]
pub async fn doze(_n: u32, step: Step) -> Result<(), Failure> {
    step.sleep("doze", "1h").await;
    Ok(())
}

/// Whichever comes first: an event, or the end of so many milliseconds.
#[workflow(input)]
pub async fn race_a_sleep((n, millis): (u32, u64), step: Step) -> Result<String, Failure> {
    let winner = race! {
        _ = step.wait_for_event::<Opened>("opened").matching(n = n) => "wait",
        () = step.sleep("patience", Duration::from_millis(millis)) => "sleep",
    };
    Ok(winner.to_owned())
}

/// Gives a number back, but not at once.
#[workflow(input)]
pub async fn echo_late(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(n)
}

/// Has another give the number back.
#[workflow(input)]
pub async fn delegate(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(step.invoke("echo", echo_late, n).await?)
}

/// Has another give the number back that would go on alone.
#[workflow(input)]
pub async fn delegate_detached(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(step.invoke("echo", echo_late, n).detached().await?)
}

/// Has another sleep, and does not wait for its end.
#[workflow(input)]
pub async fn lose_patience(_n: u32, step: Step) -> Result<bool, Failure> {
    Ok(step.invoke("nap", nap, 3_600_000).timeout("200ms").await.is_ok())
}

/// Has two others sleep.
#[workflow(input)]
pub async fn watch_over(_n: u32, step: Step) -> Result<(), Failure> {
    try_join!(step.invoke("left", nap, 3_600_000), step.invoke("right", nap, 3_600_000),)?;
    Ok(())
}

/// Fails, and is tried again twice.
#[workflow(input, retries = 2, backoff(initial = "50ms", max = "50ms"))]
pub async fn persist(_n: u32, step: Step) -> Result<(), Failure> {
    step.run("try", async { Err::<(), _>(Failure::msg("in vain")) }).await?;
    Ok(())
}

/// Fails, and is tried again so late that the run leaves memory in between.
#[workflow(input, retries = 1)]
pub async fn persist_after(millis: u64, step: Step) -> Result<(), Failure> {
    step.run("try", put_off(Duration::from_millis(millis))).await?;
    Ok(())
}

/// Has a step that ends by its time-out.
#[workflow(input, retries = 0)]
pub async fn dawdle(_n: u32, step: Step) -> Result<(), Failure> {
    step.run("dawdle", std::future::pending::<Result<(), Failure>>()).timeout("200ms").await?;
    Ok(())
}

/// Fails at its second step.
#[workflow(input, retries = 0, on_failure = note_failure)]
pub async fn fail(_n: u32, step: Step) -> Result<(), Failure> {
    step.sleep("settle", SETTLED).await;
    step.run("set-out", give(())).await?;
    step.run("fail", async { Err::<(), _>(Failure::msg("in vain")) }).await?;
    Ok(())
}

/// Fails at its second step, and nobody handles it.
#[workflow(input, retries = 0)]
pub async fn stumble(_n: u32, step: Step) -> Result<(), Failure> {
    step.run("set-out", give(())).await?;
    step.run("fail", async { Err::<(), _>(Failure::msg("in vain")) }).await?;
    Ok(())
}

/// Handles a failure.
#[workflow(input)]
pub async fn note_failure(failed: RunFailed<u32>, step: Step) -> Result<u32, Failure> {
    Ok(step.run("note", give(failed.input)).await?)
}

/// Gathers three events.
#[workflow(batch(max = 3, timeout = "10s", key = event.n))]
pub async fn pack(packed: Vec<Packed>, step: Step) -> Result<usize, Failure> {
    Ok(step.run("count", give(packed.len())).await?)
}

/// Gathers what comes within a moment.
#[workflow(batch(max = 100, timeout = "200ms", key = event.n))]
pub async fn collect(collected: Vec<Collected>, step: Step) -> Result<usize, Failure> {
    Ok(step.run("count", give(collected.len())).await?)
}

/// Sleeps until an event cancels it.
#[workflow(cancel_on(Revoked, matching = n), on_cancel = note_cancellation)]
pub async fn linger(_event: Granted, step: Step) -> Result<(), Failure> {
    step.sleep("linger", "1h").await;
    Ok(())
}

/// Handles a cancellation.
#[workflow(input)]
pub async fn note_cancellation(
    cancelled: RunCancelled<Granted>,
    step: Step,
) -> Result<u32, Failure> {
    Ok(step.run("note", give(cancelled.input.n)).await?)
}

/// Has to end sooner than it does.
#[workflow(input, timeout(finish = "200ms"))]
pub async fn overrun(_n: u32, step: Step) -> Result<(), Failure> {
    step.sleep("overrun", "1h").await;
    Ok(())
}

/// Begins anew until it is at zero.
#[workflow(input)]
pub async fn count_down(from: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    let from = step.run("count", give(from)).await?;
    if from > 0 {
        return step.restart(from - 1);
    }
    Ok(from)
}

/// Is in a step that takes for ever.
#[workflow(input)]
pub async fn get_stuck(_n: u32, step: Step) -> Result<(), Failure> {
    step.run("arrive", give(())).await?;
    step.run("stay", std::future::pending::<Result<(), Failure>>()).await?;
    Ok(())
}

/// Is paused before it begins, and cancelled.
#[workflow(input)]
pub async fn call_off(n: u32, step: Step) -> Result<u32, Failure> {
    Ok(step.run("begin", give(n)).await?)
}

/// Is paused while it waits in memory, and resumed.
#[workflow(input)]
pub async fn interrupt(n: u32, step: Step) -> Result<u32, Failure> {
    step.run("arrive", give(())).await?;
    step.wait_for_event::<Opened>("opened").matching(n = n).timeout("1950ms").await;
    Ok(step.run("go-on", give(n)).await?)
}

/// Sends an event that starts another run, and gives its id.
#[workflow(input)]
pub async fn knock(n: u32, step: Step) -> Result<EventId, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(step.send_event("knock", Knocked { n }).await?)
}

/// Sends an event that another run waits for.
#[workflow(input)]
pub async fn open(n: u32, step: Step) -> Result<(), Failure> {
    step.sleep("settle", SETTLED).await;
    step.send_event("open", Opened { n }).await?;
    Ok(())
}

/// Asks four times, and waits for the answer each time.
#[workflow(input)]
pub async fn ask(n: u32, step: Step) -> Result<u32, Failure> {
    let mut answers = 0;
    while answers < 4 {
        let question = n * 10 + answers;
        step.sleep("settle", SETTLED).await;
        step.send_event("ask", Questioned { question }).await?;
        step.wait_for_event::<Answered>("answer").matching(question = question).await;
        answers += 1;
    }
    Ok(answers)
}

/// Answers a question.
#[workflow]
pub async fn answer(event: Questioned, step: Step) -> Result<(), Failure> {
    step.sleep("settle", SETTLED).await;
    step.send_event("answer", Answered { question: event.question }).await?;
    Ok(())
}

/// Runs one after the other.
#[workflow(input, concurrency(limit = 1, key = input))]
pub async fn take_turns(n: u32, step: Step) -> Result<u32, Failure> {
    Ok(step.run("work", give(n)).await?)
}

/// Is started by an event, and runs one after the other.
#[workflow(concurrency(limit = 1, key = event.n))]
pub async fn queue(event: Queued, step: Step) -> Result<u32, Failure> {
    Ok(step.run("work", give(event.n)).await?)
}

/// Gives its slot to others while it sleeps.
#[workflow(input, concurrency(limit = 1, key = input.0))]
pub async fn make_room((_n, millis): (u32, u64), step: Step) -> Result<(), Failure> {
    step.sleep("nap", Duration::from_millis(millis)).await;
    Ok(())
}

/// Keeps its slot while it waits for an event.
#[workflow(input, concurrency(limit = 1, key = input, hold = run))]
pub async fn stay(n: u32, step: Step) -> Result<u32, Failure> {
    let opened = step.wait_for_event::<Opened>("opened").matching(n = n).await;
    Ok(opened.map_or(0, |opened| opened.data.n))
}

/// Has another one keep its slot.
#[workflow(input, concurrency(limit = 1, key = input, scope = "family", hold = run))]
pub async fn lend(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(step.invoke("borrow", borrow, n).await?)
}

/// Has the slot of whoever invokes it.
#[workflow(input, concurrency(limit = 1, key = input, scope = "family", hold = run))]
pub async fn borrow(n: u32, step: Step) -> Result<u32, Failure> {
    step.sleep("settle", SETTLED).await;
    Ok(n)
}

/// How long a run works that begins by its pace: longer than it takes until the next one begins.
pub const PACED: Duration = Duration::from_secs(1);

/// Begins every fifth of a second.
#[workflow(input, throttle(limit = 5, per = "1s", key = input))]
pub async fn pace(n: u32, step: Step) -> Result<u32, Failure> {
    Ok(step.run("work", work(n)).await?)
}

async fn work(n: u32) -> Result<u32, Failure> {
    tokio::time::sleep(PACED).await;
    Ok(n)
}

/// Makes room for the next one.
#[workflow(input, singleton(key = input, mode = cancel))]
pub async fn give_way(n: u32, step: Step) -> Result<u32, Failure> {
    let opened = step.wait_for_event::<Opened>("opened").matching(n = n).await;
    Ok(opened.map_or(0, |opened| opened.data.n))
}

async fn select(tx: &mut Tx) -> Result<i64, Failure> {
    const SELECT: &str = "SELECT CAST(7 AS bigint)";
    Ok(match tx.postgres() {
        Ok(postgres) => sqlx::query_scalar(SELECT).fetch_one(postgres).await?,
        Err(_) => sqlx::query_scalar(SELECT).fetch_one(tx.sqlite()?).await?,
    })
}

/// Asks the database in a transaction.
#[workflow(input)]
pub async fn transact(_n: u32, step: Step) -> Result<i64, Failure> {
    Ok(step.transaction("select", async |tx| select(&mut tx).await).await?)
}

indelible::app! {
    pub Wakeups = "wakeups";
    events: [Knocked, Opened, Granted, Revoked, Questioned, Answered, Packed, Collected, Queued],
    workflows: [
        echo, echo_late, trifle, on_knock, wait_for_ever, wait_in_memory, give_up, nap, doze,
        race_a_sleep, delegate, delegate_detached, lose_patience, watch_over, persist,
        persist_after, dawdle, fail, stumble, note_failure, pack, collect, linger,
        note_cancellation, overrun, count_down, get_stuck, call_off, interrupt, knock, open, ask,
        answer, transact, take_turns, queue, make_room, stay, lend, borrow, pace, give_way,
    ],
}
