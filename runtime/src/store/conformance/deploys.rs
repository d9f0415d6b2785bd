use uuid::Uuid;

use super::World;
use super::world::{self, APP, HOUR, ORDER, PAID, PLACED, commit, done, json, only};
use crate::deploy::reshape;
use crate::journal::{End, Then};
use crate::store::{NewSchema, Registration};
use crate::workflow::shape::Shapes;

/// The shapes of a program whose only workflow has these lines.
fn program(lines: &str) -> Shapes {
    let text = format!("format 1\napp {APP}\nworkflow {ORDER}\n{lines}");
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

pub(super) async fn a_shape_is_kept_until_another_takes_its_place(world: World) {
    world.subscribe(APP, &[]).await;
    assert_eq!(world.store.reshape_workflow(APP, ORDER, "one").await.expect("it is stored"), None);
    world.subscribe(APP, &[]).await;
    let before = world.store.reshape_workflow(APP, ORDER, "two").await.expect("it is stored");
    assert_eq!(before.as_deref(), Some("one"));
    let other = world
        .store
        .reshape_workflow(APP, "another", "one")
        .await
        .expect("nobody has registered it");
    assert_eq!(other, None);
}

pub(super) async fn a_state_that_is_gone_is_named_while_runs_have_recorded_it(world: World) {
    world.subscribe(APP, &[]).await;
    let old = program("    (start) -> a\n    run a -> b\n    run b -> (end)\n");
    let new = program("    (start) -> a\n    run a -> c\n    run c -> (end)\n");
    assert_eq!(reshape(&*world.store, &old).await.expect("it is stored"), []);

    let runs = world.start(4).await;
    let worker = world.worker(HOUR).await;
    world.claim(worker, 3).await;
    let batch = [
        commit(runs[0], 0, vec![done("a"), done("b"), done("b#1")], Then::Release),
        commit(runs[1], 0, vec![done("a"), done("b")], Then::Continue),
        commit(runs[2], 0, vec![done("a"), done("b")], Then::End(End::Completed(json("null")))),
    ];
    world.flush(worker, &batch).await.expect("they are ours");

    let departed = reshape(&*world.store, &new).await.expect("it is stored");
    let found: Vec<_> = departed
        .iter()
        .map(|gone| (gone.workflow.as_str(), gone.state.as_str(), gone.runs))
        .collect();
    assert_eq!(found, [(ORDER, "b", 2)]);
    assert!(runs[..2].contains(&departed[0].example), "one that is unfinished is named");
    assert_eq!(reshape(&*world.store, &new).await.expect("it is the same"), []);

    // Back again: no run has recorded what is gone now.
    assert_eq!(reshape(&*world.store, &old).await.expect("it is stored"), []);
    let end = |run, seq| only(run, seq, Then::End(End::Completed(json("null"))));
    world.claim(worker, 4).await;
    world.flush(worker, &[end(runs[0], 3), end(runs[1], 2)]).await.expect("they are ours");
    assert_eq!(reshape(&*world.store, &new).await.expect("it is stored"), []);
}

pub(super) async fn a_schema_is_kept_by_version(world: World) {
    let schema = |event: &str, version: u128, schema: &str| NewSchema {
        event: event.to_owned(),
        version: Uuid::from_u128(version),
        schema: schema.to_owned(),
    };
    let register = async |schemas: &[NewSchema]| {
        let program = Registration { schemas: schemas.to_vec(), ..world::program(&[PLACED]) };
        world.store.register_app(&program).await.expect("it registers");
    };
    let schemas = async || {
        let all = world.store.event_schemas(APP).await.expect("it answers");
        let all = all.into_iter();
        all.map(|one| (one.event, one.version.as_u128(), one.registered_at)).collect::<Vec<_>>()
    };
    let (first, second) = (schema(PLACED, 1, r#"{"type": "object"}"#), schema(PLACED, 2, "true"));
    let paid = schema(PAID, 1, "{}");
    register(&[first.clone(), paid.clone()]).await;
    let before = schemas().await;
    assert_eq!(before.len(), 2);
    assert_eq!((&*before[0].0, before[0].1, &*before[1].0), (PAID, 1, PLACED));
    // Nothing has changed, and nothing does.
    register(&[first.clone(), paid]).await;
    assert_eq!(schemas().await, before);
    register(&[second]).await;
    let newest = schemas().await;
    assert_eq!(newest.iter().map(|(_, version, _)| *version).collect::<Vec<_>>(), [1, 2, 1]);
    assert!(newest[1].2 > newest[2].2);
    // The older one is back.
    register(&[first]).await;
    assert_eq!(schemas().await, newest);
    let text = world.store.event_schemas(APP).await.expect("it answers")[2].schema.clone();
    assert_eq!(text.as_str(), r#"{"type": "object"}"#);
    assert!(world.store.event_schemas("bank").await.expect("it answers").is_empty());
}
