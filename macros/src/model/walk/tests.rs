use quote::format_ident;
use syn::parse_quote;

use super::*;
use crate::model::StepId;

fn ids(body: Block) -> Vec<(Method, String)> {
    let contents = Contents::of(&body, Some(&Handle::new(format_ident!("step"))));
    let ids = contents.steps.into_iter().map(|step| match step.id {
        StepId::Literal(_, id) => (step.method, id),
        StepId::Other(_) => (step.method, "other".to_owned()),
        StepId::Missing(_) => (step.method, "missing".to_owned()),
    });
    ids.collect()
}

#[test]
fn steps_are_found_in_the_order_of_the_source() {
    let found = ids(parse_quote!({
        let ticket = step.run("fetch", desk.ticket(id)).retries(2).await?;
        if step.random("toss") > 0.5 {
            step.sleep("wait", "1s").await;
        }
        let name = format!("{}", step.run("name", desk.name()).await?);
        join!(step.run("left", a()), async { step.run("right", b()).await });
        step.run(name, c()).await?;
        step.uuid();
        other.run("not-a-step");
    }));
    let found: Vec<_> = found.iter().map(|(method, id)| (*method, id.as_str())).collect();
    assert_eq!(
        found,
        [
            (Method::Run, "fetch"),
            (Method::Random, "toss"),
            (Method::Sleep, "wait"),
            (Method::Run, "name"),
            (Method::Run, "left"),
            (Method::Run, "right"),
            (Method::Run, "other"),
            (Method::Uuid, "missing"),
        ]
    );
}

#[test]
fn helpers_are_found_wherever_they_are_awaited() {
    let found = ids(parse_quote!({
        (tell(&step, 1)).await;
        if urgent { ring(&step) } else { tell((&step), 2) }.await;
        let later: _ = match n {
            1 => Some(tell(&step.clone(), 3)),
            _ => None,
        };
        later.await;
        step.join_all([tell(&step, 4).key(4), ring(&step)]).await;
        step.join_all(vec![tell(&step, 5).key(5)]).await;
        step.join_all(ns.iter().filter_map(|n| Some(tell(&step, n).key(n)))).await;
        let now = clock::now(&step);
    }));
    let helpers: Vec<_> = found.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(helpers, ["tell", "ring", "tell", "tell", "tell", "ring", "tell", "tell"]);
}

#[test]
fn a_helper_is_no_variable_unless_a_function_hides_it() {
    let found = ids(parse_quote!({
        tell(&step).await;
        let tell = find(1);
        tell(&step).await;
        {
            async fn tell(step: &Step) {}
            tell(&step).await;
        }
        tell(&step).await;
    }));
    assert_eq!(found.len(), 2);
}

#[test]
fn a_call_with_the_handle_that_nothing_becomes_of_is_found() {
    let found = contents(parse_quote!({
        statement(&step);
        let _ = wild(&step);
        drop(dropped(&step));
        let later = later(&step);
        later.await;
        let again = shadowed(&step);
        let again = again_and(&step);
        passed(again);
        given(note(&step));
        asked(&step)?;
        keyed(&step).key(1)?;
        asked_otherwise(id)?;
    }));
    let dropped: Vec<_> = found.dropped_calls.iter().map(ToString::to_string).collect();
    assert_eq!(dropped, ["statement", "wild", "dropped", "asked", "keyed", "shadowed"]);
}

#[test]
fn a_map_is_known_by_the_async_closure_that_it_names() {
    let found = contents(parse_quote!({
        let each = async |n| step.run("each", f(n)).key(n).await;
        let plain = |n| step.run("plain", f(n)).key(n);
        step.join_all(ns.map(each)).await;
        step.join_all(ns.map(&each)).await;
        step.join_all(ns.map(plain)).await;
        step.join_all(ns.map(|n| each(n).key(n))).await;
        step.join_all(ns.filter(async |n| true)).await;
    }));
    assert_eq!(found.closure_maps.len(), 2);
}

#[test]
fn an_undo_is_known_that_is_a_variable() {
    let found = contents(parse_quote!({
        step.run("outer", f()).undo(release).await?;
        let release = |seat| async move { Ok(()) };
        step.run("variable", f()).retries(2).undo(release).await?;
        step.run("path", f()).undo(seats::release).await?;
        {
            async fn release(seat: Seat) {}
            step.run("item", f()).undo(release).await?;
        }
    }));
    let held: Vec<_> = found.held_undos.iter().map(ToString::to_string).collect();
    assert_eq!(held, ["release"]);
}

#[test]
fn what_a_step_awaits_is_its_own_matter() {
    let found = contents(parse_quote!({
        join!(a, b).await;
        step.run("both", async { join!(x(), y()).await }).await?;
    }));
    assert_eq!(found.awaited_macros.len(), 1);
}

#[test]
fn a_helper_that_a_step_runs_stands_in_it() {
    let body = parse_quote!({
        step.run("a", tell(&step, 1)).await?;
        step.run("b", || tell(&step, 1)).await?;
    });
    let nested = Contents::of(&body, Some(&Handle::new(format_ident!("step")))).nested;
    let nested: Vec<_> = nested.iter().map(|it| (it.outer, it.inner)).collect();
    assert_eq!(nested, [(0, 1), (2, 3)]);
}

#[test]
fn a_helper_that_is_joined_in_a_loop_is_found_once() {
    let found = ids(parse_quote!({
        for n in ns {
            let all = step.join_all([tell(&step, n).key(n)]);
            all.await;
        }
    }));
    assert_eq!(found.len(), 1);
}

#[test]
fn without_a_handle_there_are_no_steps() {
    let body = parse_quote!({
        #[carried(total)]
        loop {
            total += 1;
        }
    });
    assert!(Contents::of(&body, None).steps.is_empty());
}

fn contents(body: Block) -> Contents {
    Contents::of(&body, Some(&Handle::new(format_ident!("step"))))
}

/// The steps that lack a key.
fn keyless(body: Block) -> Vec<String> {
    let steps = contents(body).steps.into_iter();
    let keyless = steps.filter(|step| step.is_concurrent && !step.has_a_key());
    keyless.filter_map(|step| step.literal_id().map(str::to_owned)).collect()
}

#[test]
fn a_closures_steps_are_told_apart_where_several_are_in_progress() {
    let found = keyless(parse_quote!({
        let (alone, branch, both) = (
            |n| step.run("alone", f(n)),
            async |n| step.run("branch", f(n)).await,
            async |n| step.run("both", f(n)).await,
        );
        alone(1).await;
        let later = alone(2);
        later.await;
        join!(branch(1), async { both(1).await }, async { both(2).await });
        branch(2).await;
        let gathered = |n| step.run("gathered", f(n));
        let (first, second) = (gathered(1), gathered(2));
        step.join_all([first, second]).await;
        let each = |n| step.run("each", f(n));
        ns.map(each);
        let around = async |n| inner(n).await;
        let inner = async |n| step.run("inner", f(n)).await;
        let around = async |n| inner(n).await;
        race!(a = around(1) => a, b = around(2) => b);
        let mut keep = |n| calls.push(step.run("kept", f(n)));
        keep(1);
        keep(2);
        let copied = |n| step.run("copied", f(n));
        let copy = copied.clone();
        ns.map(copy);
        let keyed = |n| step.run("keyed", f(n));
        join!(keyed(1).key(1), keyed(2).key(2));
        let (first, second) = (keyed(1).key(1), keyed(2).key(2));
        join!(first, second);
        let mixed = |n| step.run("mixed", f(n));
        let pair = [mixed(1).key(1), mixed(2)];
        step.join_all(pair).await;
        calls.push(mixed(3));
        ns.map(|n| {
            let call = keyed(n);
            call.key(n)
        });
        ns.map(|n| {
            let call = alone_in_each(n);
            call
        });
        let alone_in_each = |n| step.run("in-each", f(n));
        ns.map(|n| {
            let call = alone_in_each(n);
            call
        });
    }));
    assert_eq!(found, ["both", "gathered", "each", "inner", "kept", "copied", "mixed", "in-each"]);
}

#[test]
fn an_operation_that_outlives_its_loop_is_told_apart() {
    let found = contents(parse_quote!({
        for n in ns {
            let now = step.run("now", f(n));
            now.await;
            let both = [step.run("first", f(n)), step.run("second", f(n))];
            step.join_all(both).await;
            let later = step.run("later", f(n));
            calls.push(later);
            let block = async { step.run("block", f(n)).await };
            calls.push(block);
            let keyed = step.run("keyed", f(n));
            calls.push(keyed.key(n));
            let boxed = Box::pin(step.run("boxed", f(n)));
            boxed.await;
            let job = Job { call: Some(step.run("job", f(n))), ..Job::default() };
            calls.push(job);
        }
    }));
    let of = |test: fn(&&Step) -> bool| -> Vec<_> {
        found.steps.iter().filter(test).filter_map(Step::literal_id).collect()
    };
    assert_eq!(of(|step| step.is_concurrent && !step.has_a_key()), ["later", "block", "job"]);
    assert_eq!(of(|step| !step.passing.is_empty()), ["later", "keyed", "job"]);
}

#[test]
fn an_operation_that_nothing_becomes_of_is_found() {
    let found = contents(parse_quote!({
        step.sleep("statement", "1s");
        _ = step.sleep("infer", "1s");
        let _ = step.sleep("wild", "1s");
        std::mem::drop(step.sleep("drop", "1s"));
        let wait = step.sleep("shadowed", "1s");
        let wait = step.sleep("awaited", "1s");
        wait.await;
        if late {
            let wait = step.sleep("inner", "1s");
        }
        let call = f(1);
        let f = async |n| step.sleep("called", n).await;
        let call = f(1);
        f(1);
        let make = |n| step.run("made", n);
        make(1);
        let hidden = step.sleep("hidden", "1s");
        println!("{}" => hidden);
        let pair = (step.sleep("one", "1s"), step.sleep("other", "1s"));
        pair.0.await;
        let id = step.uuid("id");
        step.run("optioned", f()).key(1);
        let asked = step.run("asked", f()).retries(2)?;
        let draw = step.random("draw")?;
        step.join_all([]);
        let _ = step.join_all([]);
        let all = step.join_all([]);
        all.await;
    }));
    assert_eq!(found.dropped_joins.len(), 2);
    let unused: Vec<_> =
        found.unused.iter().filter_map(|it| found.steps[it.step].literal_id()).collect();
    assert_eq!(
        unused,
        [
            "statement",
            "infer",
            "wild",
            "drop",
            "inner",
            "called",
            "made",
            "optioned",
            "asked",
            "shadowed",
            "called",
        ]
    );
}

#[test]
fn a_variable_that_holds_an_operation_is_nested_like_it() {
    let found = contents(parse_quote!({
        let fetch = async |n| step.run("fetch", f(n)).await;
        let wait = step.sleep("wait", "1s");
        step.run("outer", async {
            let wait = 1;
            fetch(wait).await
        })
        .await;
        step.run("again", async { wait.await }).await;
        let job = Job(step.sleep("job", "1s"));
        step.run("third", async { job.0.await }).await;
    }));
    let nested: Vec<_> = found.nested.iter().map(|it| (it.outer, it.inner)).collect();
    assert_eq!(nested, [(2, 0), (3, 1), (5, 4)]);
}
