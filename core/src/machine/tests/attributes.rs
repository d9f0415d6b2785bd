use super::*;
use crate::journal::ErrorKind;

fn named() -> Begin {
    workflow!(async |step| {
        step.attribute("order", 7);
        durable(step.run(At("book"), || effect("book", ()))).await?;
        step.attribute("order", 8);
        step.attribute("stage", "booked");
        durable(step.run(At("ship"), || effect("ship", ()))).await?;
        Ok(())
    })
}

fn attributes(bench: &mut Bench) -> Vec<(String, String)> {
    let Poll::Ready(Turn::Commit(commit)) = bench.poll() else { panic!("no commit") };
    let attributes = commit.attributes.clone();
    bench.commit(commit);
    attributes
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn attributes_go_with_the_next_checkpoint() {
    let mut bench = Bench::new(named());
    assert_eq!(attributes(&mut bench), pairs(&[("order", "7")]));
    let second = pairs(&[("order", "8"), ("stage", "booked")]);
    assert_eq!(attributes(&mut bench), second);
    // The end says nothing new.
    assert_eq!(attributes(&mut bench), []);
    assert_eq!(bench.end, Some(completed("null")));
}

#[test]
fn a_resumed_run_gives_its_attributes_again() {
    let mut bench = Bench::new(named());
    attributes(&mut bench);
    let mut resumed = Bench::resumed(named(), bench.journal.clone());
    let second = pairs(&[("order", "8"), ("stage", "booked")]);
    assert_eq!(attributes(&mut resumed), second);
}

#[test]
fn an_attribute_that_is_too_long_fails_the_run() {
    let mut bench = Bench::new(workflow!(async |step| {
        step.attribute("note", "long".repeat(1000));
        Ok(())
    }));
    let End::Failed(error) = bench.finish() else { panic!("it ended well") };
    assert_eq!(error.kind, ErrorKind::Panic);
    assert_eq!(
        error.message,
        "the attribute `note` is not accepted: it has 4000 bytes, over the limit of 1024 bytes"
    );
    assert!(error.location.is_some_and(|location| location.contains("attributes.rs")));
}

#[test]
fn a_text_that_not_every_database_takes_fails_the_run() {
    let why =
        "is not accepted: it has a NUL character (U+0000), which no text in the database may have";
    let value = workflow!(async |step| {
        step.attribute("order", "7\0");
        Ok(())
    });
    let key = workflow!(async |step| {
        step.attribute("or\0der", 7);
        Ok(())
    });
    let step = workflow!(async |step| {
        durable(step.run(At("book"), || effect("book", ())).key("7\0")).await?;
        Ok(())
    });
    let cases = [
        ("the attribute `order`", value),
        ("the key of an attribute", key),
        ("the key of the step `book`", step),
    ];
    for (what, begin) in cases {
        let End::Failed(error) = Bench::new(begin).finish() else { panic!("it ended well") };
        assert_eq!((error.kind, error.message), (ErrorKind::Panic, format!("{what} {why}")));
        assert!(error.location.is_some_and(|location| location.contains("attributes.rs")));
    }
    assert_eq!(effects(), [""; 0]);
}
