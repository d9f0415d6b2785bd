//! A golden text for each form of control flow.

use quote::format_ident;
use syn::{Block, parse_str};

use super::Graph;
use crate::model::Handle;
use crate::model::walk::Contents;

/// The graph of a body, an edge a line.
fn graph(body: &str) -> String {
    let body: Block = parse_str(&format!("{{ {body} }}")).expect("it is a block");
    let handle = Handle::new(format_ident!("step"));
    let steps = Contents::of(&body, Some(&handle)).steps;
    let (keys, ids): (Vec<_>, Vec<_>) =
        steps.iter().filter_map(|step| Some((step.key()?, step.literal_id()?))).unzip();
    Graph::of(&body, Some(&handle), &keys).to_text(&ids)
}

fn assert_graph(body: &str, expected: &[&str]) {
    let found = graph(body);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "\n{found}");
}

/// Bodies are written with `a!` for `step.run("a", f()).await`, to be short.
fn short(body: &str) -> String {
    let mut text = body.to_owned();
    for id in ["a", "b", "c", "d"] {
        text = text.replace(&format!("{id}!"), &format!("step.run(\"{id}\", f()).await"));
    }
    text
}

macro_rules! golden {
    ($($name:ident: $body:literal => [$($edge:literal),* $(,)?];)*) => {$(
        #[test]
        fn $name() {
            assert_graph(&short($body), &[$($edge),*]);
        }
    )*};
}

golden! {
    nothing: "let x = 1; Ok(x)" => ["start -> end"];
    a_sequence: "a!?; b!?; Ok(())" => ["start -> a", "a -> b", "b -> end"];
    an_if: "a!; if x > 1 { b!; } c!;" => [
        "start -> a",
        "a -> b  (x > 1)",
        "b -> c",
        "a -> c  (else)",
        "c -> end",
    ];
    an_if_without_steps: "a!; if x { y() } b!;" => ["start -> a", "a -> b", "b -> end"];
    an_else_if: "if x { a! } else if let Some(y) = z { b! } else { c! }" => [
        "start -> a  (x)",
        "start -> b  (else, let Some(y) = z)",
        "start -> c  (else)",
        "a -> end",
        "b -> end",
        "c -> end",
    ];
    a_step_in_a_condition: "if a!? { b!; }" => [
        "start -> a",
        "a -> b  (step.run(\"a\", f()).await?)",
        "b -> end",
        "a -> end  (else)",
    ];
    a_match: "match a! { Kind::Low => {}, Kind::High if urgent => b!, _ => c! }" => [
        "start -> a",
        "a -> b  (step.run(\"a\", f()).await is Kind::High if urgent)",
        "a -> c  (else)",
        "a -> end  (step.run(\"a\", f()).await is Kind::Low)",
        "b -> end",
        "c -> end",
    ];
    a_guard_in_a_macro: "let x = matches!(a!?, Some(y) if b!? > y);" => [
        "start -> a",
        "a -> b  (step.run(\"a\", f()).await? is Some(y))",
        "b -> end",
        "a -> end  (else)",
    ];
    a_let_else: "let Some(x) = a! else { b!; return Ok(()) }; c!;" => [
        "start -> a",
        "a -> b  (else)",
        "b -> end",
        "a -> c  (step.run(\"a\", f()).await is Some(x))",
        "c -> end",
    ];
    a_while: "while more { a!; } b!;" => [
        "start -> a  (while more)",
        "start -> b  (done)",
        "a -> a  (while more)",
        "a -> b  (done)",
        "b -> end",
    ];
    a_while_let_with_a_step: "while let Some(x) = a! { b!; }" => [
        "start -> a",
        "a -> b  (while let Some(x) = step.run(\"a\", f()).await)",
        "b -> a",
        "a -> end  (done)",
    ];
    a_for: "for x in &xs { a!; b!; }" => [
        "start -> a  (for x in &xs)",
        "start -> end  (done)",
        "a -> b",
        "b -> a  (for x in &xs)",
        "b -> end  (done)",
    ];
    a_loop_with_breaks: "let x = loop { a!; if x { break 1; } if y { continue; } b!; }; c!;" => [
        "start -> a",
        "a -> c  (x)",
        "a -> a  (else, y)",
        "a -> b  (else)",
        "b -> a",
        "c -> end",
    ];
    labels: "'outer: for x in xs { for y in ys { a!; if z { continue 'outer; } if w { break 'outer; } } } b!;" => [
        "start -> a  (for x in xs, for y in ys)",
        "start -> b  (done)",
        "a -> a  (z, for x in xs, for y in ys)",
        "a -> b  (z, done)",
        "a -> b  (else, w)",
        "a -> a  (else, for y in ys)",
        "a -> a  (else, done, for x in xs, for y in ys)",
        "a -> b  (else, done, done)",
        "b -> end",
    ];
    a_labelled_block: "'found: { a!; if x { break 'found; } b!; } c!;" => [
        "start -> a",
        "a -> c  (x)",
        "a -> b  (else)",
        "b -> c",
        "c -> end",
    ];
    an_early_return: "a!; if gone { return Err(Gone.into()); } if done { return Ok(()); } b!;" => [
        "start -> a",
        "a -> failed  (gone)",
        "a -> end  (else, done)",
        "a -> b  (else)",
        "b -> end",
    ];
    a_join: "a!; join!(step.run(\"b\", f()), async { c!; d!; });" => [
        "start -> a",
        "a -> fork 1",
        "fork 1 -> b",
        "b -> join 1",
        "fork 1 -> c",
        "c -> d",
        "d -> join 1",
        "join 1 -> end",
    ];
    a_race: "let x = race! { y = step.run(\"a\", f()) => { c!; y } () = async { b!; } => return Ok(()) }; d!;" => [
        "start -> fork 1",
        "fork 1 -> a",
        "a -> c  (first)",
        "fork 1 -> b",
        "b -> end  (first)",
        "c -> d",
        "d -> end",
    ];
    a_carried_loop: "#[carried(x)] 'next_page: loop { a!; if x { break; } } #[carried] while y { b!; } #[carried] for z in zs { c!; }" => [
        "start -> next-page",
        "next-page -> a",
        "a -> loop  (x)",
        "a -> next-page  (else)",
        "loop -> b  (while y)",
        "b -> loop",
        "loop -> loop-2  (done)",
        "loop-2 -> c  (for z in zs)",
        "c -> loop-2",
        "loop-2 -> end  (done)",
    ];
    waits_and_invocations: "step.wait_for_event::<Paid>(\"a\").matching(id = id).timeout(\"1h\").await; step.invoke(\"b\", other, 1).await?; step.send_events(\"c\", all).await?;" => [
        "start -> a",
        "a -> b",
        "b -> c",
        "c -> end",
    ];
    steps_side_by_side: "step.join_all(xs.iter().map(|x| step.run(\"a\", f(x)).key(x))).await; for x in xs { more.push(step.run(\"b\", f(x)).key(x)); }" => [
        "start -> a  (for each call)",
        "start -> b  (done, for x in xs)",
        "start -> end  (done, done)",
        "a -> a  (for each call)",
        "a -> b  (done, for x in xs)",
        "a -> end  (done, done)",
        "b -> b  (for x in xs)",
        "b -> end  (done)",
    ];
    a_return_in_a_branch: "join!(async { if x { return; } a!; }, step.run(\"b\", f())); c!;" => [
        "start -> fork 1",
        "fork 1 -> join 1  (x)",
        "fork 1 -> a  (else)",
        "a -> join 1",
        "fork 1 -> b",
        "b -> join 1",
        "join 1 -> c",
        "c -> end",
    ];
    steps_in_guards: "match x { 1 => a!, y if b!? > y => { c!; } _ => {} } d!;" => [
        "start -> a  (x is 1)",
        "a -> d",
        "start -> b  (else, x is y)",
        "b -> c  (step.run(\"b\", f()).await? > y)",
        "c -> d",
        "b -> d  (else)",
        "start -> d  (else)",
        "d -> end",
    ];
    a_shortcut: "if x && a!? { b!; }" => [
        "start -> a  (x)",
        "a -> b  (x && step.run(\"a\", f()).await?)",
        "start -> b  (else, x && step.run(\"a\", f()).await?)",
        "b -> end",
        "a -> end  (else)",
        "start -> end  (else)",
    ];
    steps_in_arguments_and_macros: "send(a!?, &format!(\"{}\", b!?)); Ok(c!?)" => [
        "start -> a",
        "a -> b",
        "b -> c",
        "c -> end",
    ];
    an_error_at_the_end: "a!; Err(Gone.into())" => ["start -> a", "a -> failed"];
}
