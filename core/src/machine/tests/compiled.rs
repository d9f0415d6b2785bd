//! Bodies as `#[workflow]` and `#[durable]` compile them.

use indelible_macros::{durable, workflow};

use super::*;
use crate::step::StepError;

#[durable]
async fn greet(step: &Step, name: &str) -> Result<String, StepError> {
    let greeting = step.run("compose", effect("compose", format!("hello {name}"))).await?;
    step.sleep("rest", "1s").await;
    step.run("send", effect("send", greeting.clone())).await
}

#[workflow(input)]
async fn greets(_input: (), step: Step) -> Result<Vec<String>, Failure> {
    let mut sent = vec![greet(&step, "you").await?];
    let names = ["a", "b", "c"];
    for name in &names[1..] {
        sent.push(greet(&step, name).await?);
    }
    let (left, right) = try_join!(greet(&step, "left"), async {
        Ok(format!("{}!", greet(&step, "right").await?))
    },)?;
    sent.extend([left, right]);
    if matches!(step.run("count", effect("count", sent.len())).await?, 5 if sent[0].len() > 3) {
        return Ok(sent);
    }
    Err(Failure::msg("it counted wrong"))
}

fn begin() -> Begin {
    Definition::of::<greets>().begin
}

#[test]
fn each_call_of_a_helper_has_keys_of_its_own() {
    let mut bench = Bench::new(begin());
    let end = bench.finish();
    assert_eq!(end, completed(r#"["hello you","hello b","hello c","hello left","hello right!"]"#));
    let mut keys = bench.keys();
    keys.dedup();
    let expected = [
        "greet/compose",
        "greet/rest",
        "greet/send",
        "greet#1/compose",
        "greet#1/rest",
        "greet#1/send",
        "greet#2/compose",
        "greet#2/rest",
        "greet#2/send",
        "greet#3/compose",
        "greet#4/compose",
        "greet#3/rest",
        "greet#4/rest",
        "greet#3/rest",
        "greet#4/rest",
        "greet#3/send",
        "greet#4/send",
        "count",
    ];
    assert_eq!(keys, expected);
    let states: Vec<_> = bench.journal.iter().map(|row| row.key.state()).collect();
    assert!(states.contains(&"greet/send".into()), "{states:?}");
}

#[test]
fn a_compiled_body_resumes_at_every_prefix() {
    assert_resumes_at_every_prefix(begin());
}
