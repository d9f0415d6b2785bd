//! What is stored can be read back, and says the same: numbers to the bit. What cannot is refused
//! before it is committed.

use indelible::journal::ErrorKind;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Error, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::{on_both_databases, shut_down};

on_both_databases!(
    numbers_come_back_to_the_bit,
    a_wait_finds_its_event_by_any_number,
    what_cannot_be_read_back_is_not_sent_or_started,
    an_outcome_that_cannot_be_read_back_fails_its_step,
    an_output_that_cannot_be_read_back_fails_its_run,
    a_child_and_an_event_that_cannot_be_stored_fail_their_steps,
    what_no_text_in_a_database_may_have_is_refused_at_the_call,
    the_longest_keys_are_stored,
    an_event_with_a_nul_character_is_waited_for_and_had_by_a_fork,
);

#[derive(Debug, Clone, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "stored/numbers")]
struct Numbers {
    bits: Vec<u64>,
    numbers: Vec<f64>,
}

impl Numbers {
    /// So many finite ones, a quarter of them subnormal.
    fn random(count: usize, seed: u64) -> Self {
        let bits = random(seed).zip(0_u64..).map(|(bits, nth)| match nth % 4 {
            0 => bits & ((1 << 52) - 1),
            _ => bits,
        });
        let bits: Vec<_> =
            bits.filter(|bits| f64::from_bits(*bits).is_finite()).take(count).collect();
        let numbers = bits.iter().map(|bits| f64::from_bits(*bits)).collect();
        Self { bits, numbers }
    }

    fn changed(&self) -> usize {
        changed(&self.bits, &self.numbers)
    }
}

fn changed(bits: &[u64], numbers: &[f64]) -> usize {
    bits.iter().zip(numbers).filter(|(bits, number)| number.to_bits() != **bits).count()
}

/// SplitMix64.
fn random(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |nth: u64| {
        let mut bits = seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    })
}

/// Passes numbers through all that is stored; gives how many were changed by each.
#[workflow]
async fn carry_numbers(event: Numbers, step: Step) -> Result<Vec<usize>, Failure> {
    let mut found = vec![event.changed()];
    let outcome = step.run("outcome", async { Ok::<_, Failure>(event.numbers.clone()) }).await?;
    found.push(changed(&event.bits, &outcome));
    found.push(step.invoke("input", count_changed, event.clone()).await?);
    let mut carried = event.numbers.clone();
    let mut rounds = 0;
    #[carried(carried, rounds)]
    while rounds < 2 {
        rounds += 1;
        carried.rotate_left(0);
    }
    found.push(changed(&event.bits, &carried));
    Ok(found)
}

#[workflow(input)]
async fn count_changed(numbers: Numbers, step: Step) -> Result<usize, Failure> {
    Ok(step.run("count", async { Ok::<_, Failure>(numbers.changed()) }).await?)
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "stored/priced")]
struct Priced {
    price: f64,
}

#[workflow(input)]
async fn await_price(price: f64, step: Step) -> Result<u64, Failure> {
    let priced =
        step.wait_for_event::<Priced>("priced").matching(price = price).timeout("20s").await;
    Ok(priced.map_or(0, |priced| priced.data.price.to_bits()))
}

/// Starts for what is expensive.
#[workflow(on(Priced, if = event.price > 1.0))]
async fn on_expensive(event: Priced, step: Step) -> Result<f64, Failure> {
    step.run("note", async { Ok::<_, Failure>(()) }).await?;
    Ok(event.price)
}

#[workflow(input, retries = 3)]
async fn divide(by: u32, step: Step) -> Result<f64, Failure> {
    let quotient = step.run("divide", async { Ok::<_, Failure>(f64::from(by) / f64::from(by)) });
    Ok(quotient.await?)
}

#[workflow(input)]
async fn give_nan((): (), step: Step) -> Result<f64, Failure> {
    step.run("nothing", async { Ok::<_, Failure>(()) }).await?;
    Ok(f64::NAN)
}

/// Says why it could not send or invoke.
#[workflow(input)]
async fn pass_on((): (), step: Step) -> Result<Vec<String>, Failure> {
    let sent = step.send_event("send", Priced { price: f64::INFINITY }).await;
    let invoked = step.invoke("invoke", await_price, f64::NAN).await;
    let reasons = [sent.err(), invoked.err()].into_iter().flatten();
    Ok(reasons.map(|error| error.to_string()).collect())
}

#[derive(Debug, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "stored/noted")]
struct Noted {
    note: String,
}

/// Awaits a note under a key; gives what it says.
#[workflow(input)]
async fn await_note(key: String, step: Step) -> Result<Option<String>, Failure> {
    step.attribute("note", &key);
    let noted = step.wait_for_event::<Noted>("noted").key(&key).timeout("20s").await;
    step.run("read", async { Ok::<_, Failure>(()) }).await?;
    Ok(noted.map(|noted| noted.data.note))
}

indelible::app! {
    Stored = "stored";
    events: [Numbers, Priced, Noted],
    workflows: [
        carry_numbers, count_changed, await_price, on_expensive, divide, give_nan, pass_on,
        await_note,
    ],
}

async fn open(database: &Fresh) -> Runtime {
    let builder = Runtime::builder(Stored).database(database.url()).event_limit(4 << 20);
    builder.start().await.expect("it starts")
}

async fn numbers_come_back_to_the_bit(database: Fresh) {
    let runtime = open(&database).await;
    for seed in 0..4 {
        let run = runtime.start(carry_numbers, Numbers::random(25_000, seed)).await;
        let changed = run.expect("it starts").result().await.expect("it completes");
        assert_eq!(changed, [0; 4], "seed {seed}");
    }
    let sent = runtime.send(Numbers::random(10_000, 9)).await.expect("it is accepted");
    let query = RunQuery { event: Some(sent), ..RunQuery::default() };
    let run = runtime.runs(&query).await.expect("it answers").remove(0);
    let changed = runtime.handle::<Vec<usize>>(run.id).result().await.expect("it completes");
    assert_eq!(changed, [0; 4]);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn a_wait_finds_its_event_by_any_number(database: Fresh) {
    let runtime = open(&database).await;
    let mut numbers = Numbers::random(100, 11).numbers;
    numbers.extend([0.0, -0.0, 245.44444444444446, 5e-324, f64::MAX]);
    let runs = runtime.start_all(await_price, numbers.clone()).await.expect("they start");
    for price in &numbers {
        runtime.send(Priced { price: *price }).await.expect("it is accepted");
    }
    for (price, run) in numbers.iter().zip(runs) {
        let found = run.result().await.expect("it completes");
        assert_eq!(found, price.to_bits(), "{price:e}");
    }
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn what_cannot_be_read_back_is_not_sent_or_started(database: Fresh) {
    let runtime = open(&database).await;
    let sent = runtime.send(Priced { price: f64::INFINITY }).await.expect_err("it is infinite");
    assert!(matches!(sent, Error::NotStorable { .. }), "{sent}");
    let sent = sent.to_string();
    assert!(sent.contains("`stored/priced`") && sent.contains("`price`"), "{sent}");
    let started = runtime.start(await_price, f64::NAN).await.expect_err("it is no number");
    assert!(matches!(started, Error::NotStorable { .. }), "{started}");
    assert_eq!(runtime.runs(&RunQuery::default()).await.expect("it answers").len(), 0);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn an_outcome_that_cannot_be_read_back_fails_its_step(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(divide, 0).await.expect("it starts");
    let record = run.wait().await.expect("it ends");
    let error = record.error.expect("it has failed");
    assert_eq!(error.kind, ErrorKind::Unstorable);
    assert_eq!(error.step.expect("a step").as_str(), "divide");
    let expected = "the step's outcome cannot be stored: as JSON it cannot be read back: ";
    assert!(error.message.starts_with(expected), "{}", error.message);
    // It gives the same each time, so it is not tried again.
    assert_eq!(run.journal().await.expect("its journal").len(), 1);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn an_output_that_cannot_be_read_back_fails_its_run(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(give_nan, ()).await.expect("it starts");
    let error = run.wait().await.expect("it ends").error.expect("it has failed");
    assert_eq!(error.kind, ErrorKind::Unstorable);
    assert!(error.message.starts_with("the run's output cannot be stored: "), "{}", error.message);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn a_child_and_an_event_that_cannot_be_stored_fail_their_steps(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(pass_on, ()).await.expect("it starts");
    let reasons = run.result().await.expect("it completes");
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("the event `stored/priced` cannot be stored"), "{}", reasons[0]);
    assert!(reasons[1].contains("the input of `await-price` cannot be stored"), "{}", reasons[1]);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn what_no_text_in_a_database_may_have_is_refused_at_the_call(database: Fresh) {
    let runtime = open(&database).await;
    let why =
        "is not accepted: it has a NUL character (U+0000), which no text in the database may have";
    let refused = |error: Error, what: &str| {
        assert!(matches!(error, Error::UnfitText { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("{what} {why}"));
    };
    let noted = || Noted { note: "\0".to_owned() };
    let sent = runtime.send(noted()).idempotency_key("a\0").await.expect_err("it has a NUL");
    refused(sent, "the idempotency key of an event `stored/noted`");
    let long = runtime.send(noted()).idempotency_key("a".repeat(1025)).await;
    let long = long.expect_err("it is too long").to_string();
    assert!(long.ends_with("it has 1025 bytes, over the limit of 1024 bytes"), "{long}");

    let run = runtime.start(await_note, "a\0".to_owned()).await.expect("its input is JSON");
    let error = run.wait().await.expect("it ends").error.expect("it has failed");
    assert_eq!(error.message, format!("the attribute `note` {why}"));
    let asked = run.cancel("no\0").await.expect_err("it has a NUL");
    refused(asked, "the reason of a cancellation");

    let by = |key: &str, value: &str| RunQuery {
        attribute: Some((key.to_owned(), value.to_owned())),
        ..RunQuery::default()
    };
    let of = RunQuery { workflow: Some("a\0".to_owned()), ..RunQuery::default() };
    let queries = [
        (by("a\0", "a"), "the key of a query"),
        (by("a", "a\0"), "the value of a query"),
        (of, "the workflow of a query"),
    ];
    for (query, what) in queries {
        refused(runtime.runs(&query).await.expect_err("it has a NUL"), what);
        refused(runtime.cancel_all(&query, "no").await.expect_err("it has a NUL"), what);
    }
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn the_longest_keys_are_stored(database: Fresh) {
    let runtime = open(&database).await;
    // Postgres compresses what can be.
    let key: String = random(5).take(64).map(|bits| format!("{bits:016x}")).collect();
    let run = runtime.start(await_note, key.clone()).await.expect("it starts");
    for _ in 0..2 {
        let noted = Noted { note: "once".to_owned() };
        runtime.send(noted).idempotency_key(&key).await.expect("it is accepted");
    }
    assert_eq!(run.result().await.expect("it completes").as_deref(), Some("once"));
    let attribute = Some(("note".to_owned(), key));
    let query = RunQuery { attribute, ..RunQuery::default() };
    assert_eq!(runtime.runs(&query).await.expect("it answers").len(), 1);
    shut_down(Stored, Bench::new(), runtime).await;
}

async fn an_event_with_a_nul_character_is_waited_for_and_had_by_a_fork(database: Fresh) {
    let runtime = open(&database).await;
    let run = runtime.start(await_note, "a".to_owned()).await.expect("it starts");
    runtime.send(Noted { note: "a\0b".to_owned() }).await.expect("it is accepted");
    assert_eq!(run.result().await.expect("it completes").as_deref(), Some("a\0b"));
    let fork = run.fork("read").await.expect("it is forked");
    assert_eq!(fork.result().await.expect("it completes").as_deref(), Some("a\0b"));
    shut_down(Stored, Bench::new(), runtime).await;
}
