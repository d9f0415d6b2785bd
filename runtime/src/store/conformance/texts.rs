use super::World;
use super::world::{APP, HOUR, ORDER, commit, done_with, json};
use crate::flow::NewRun;
use crate::journal::Transition;
use crate::machine::{End, Then};
use crate::payload::Payload;

/// JSON that a parser would not give back as it was.
const AWKWARD: [&str; 6] = [
    r#"{"a": 1,   "a":2}"#,
    r#""\u0000 \ud83d\ude00 \u00e9 \/""#,
    r#"[1.0, 1e3, 100000000000000000000000000000, -0.0]"#,
    "\"é 😀 \u{2028} \u{7f}\"",
    r#""'; DROP TABLE runs; -- \" \\ $1 ?1""#,
    "null",
];

async fn written_and_read(world: &World, text: &str) -> [Payload; 3] {
    let worker = world.worker(HOUR).await;
    let run = NewRun::new(ORDER, None, json(text));
    world.store.start_runs(APP, std::slice::from_ref(&run)).await.expect("it starts");
    let claimed = world.claim(worker, 1).await;
    let batch =
        [commit(run.id, 0, vec![done_with("a", text)], Then::End(End::Completed(json(text))))];
    world.flush(worker, &batch).await.expect("it is ours");
    let journal = world.store.journal(run.id).await.expect("it answers");
    let Transition::Succeeded { outcome, .. } = &journal[0].transition else {
        panic!("it succeeded: {:?}", journal[0]);
    };
    let record = world.store.run(run.id).await.expect("it answers").expect("it is there");
    assert_eq!(record.input.as_str(), text);
    [
        claimed[0].origin.trigger.data.clone(),
        outcome.clone(),
        record.output.expect("it has completed"),
    ]
}

pub(super) async fn a_payload_reads_back_byte_for_byte(world: World) {
    for text in AWKWARD {
        for read in written_and_read(&world, text).await {
            assert_eq!(read.as_str(), text);
        }
    }
}

pub(super) async fn a_large_payload_is_kept(world: World) {
    let text = format!("\"{}\"", "x".repeat(4 << 20));
    for read in written_and_read(&world, &text).await {
        assert!(read.as_str() == text, "{} bytes came back", read.as_str().len());
    }
}

pub(super) async fn a_timestamp_reads_back_as_it_was_returned(world: World) {
    let worker = world.worker(HOUR).await;
    let run = world.claimed(worker).await;
    for seq in 0..20 {
        let commit = super::world::step(run, seq, "a");
        let flushed = world.flush(worker, &[commit]).await.expect("it is ours");
        let journal = world.store.journal(run).await.expect("it answers");
        assert_eq!(journal[seq as usize].at, flushed.at);
    }
}
