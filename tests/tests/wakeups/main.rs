//! Work never waits for a poll.
//!
//! Every process here polls once a minute, so that an operation is late when a signal is missing. Each
//! operation is timed from the deed that sets it off to its end, on both databases: in one process,
//! with the client apart from the worker, and with two workers.

mod ends;
mod gates;
mod scene;
mod starts;
mod verbs;
mod waits;

use std::time::Duration;

use indelible::prelude::*;
use indelible_tests::databases::Fresh;
use indelible_tests::on_both_databases;
use indelible_tests::wakeups::Wakeups;

use self::scene::{POLL, Scene, Workers, assert_nothing_was_polled};

on_both_databases!(
    one_process_hears_of_everything_at_once,
    a_client_apart_hears_of_everything_at_once,
    two_workers_hear_of_everything_at_once,
);

/// How long an operation may take.
const BOUND: Duration = Duration::from_millis(1500);

/// How long an operation is waited for, with what comes before it.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long runs may take that have to wait for one another's slots.
const LONG: Duration = Duration::from_secs(30);

/// Times operations one after the other, and gives what is to be said of those that were late.
macro_rules! late {
    ($scene:expr; $($kind:ident::$operation:ident),* $(,)?) => {{
        let scene = $scene;
        let mut late = Vec::new();
        $({
            let operation = Box::pin($kind::$operation(scene));
            late.extend(scene.time(stringify!($operation), operation, BOUND, PATIENCE).await);
        })*
        late
    }};
}

async fn late_operations(scene: &Scene) -> Vec<String> {
    late!(scene;
        starts::a_start,
        starts::many_starts_at_once,
        starts::an_event,
        starts::an_event_that_is_due_later,
        starts::an_event_in_a_transaction,
        starts::an_event_in_a_transaction_that_is_due_later,
        starts::an_event_in_sql,
        starts::an_untyped_event,
        starts::an_event_of_a_client_without_the_app,
        starts::a_start_by_name,
        starts::an_event_of_a_step,
        starts::a_full_batch,
        starts::a_late_batch,
        starts::an_invocation,
        starts::a_detached_invocation,
        starts::a_restart,
        starts::a_transaction,
        waits::an_event_for_a_parked_run,
        waits::an_event_for_a_run_in_memory,
        waits::an_event_for_many_runs,
        waits::an_event_of_a_step_for_another_run,
        waits::four_questions_and_answers,
        waits::a_wait_that_times_out,
        waits::a_short_sleep,
        waits::a_sleep_that_parks,
        waits::a_race_that_an_event_wins,
        waits::a_race_that_a_sleep_wins,
        waits::an_invocation_that_times_out,
        waits::a_step_that_times_out,
        waits::a_step_that_is_tried_again,
        waits::a_step_that_is_tried_again_after_it_parked,
        ends::a_handler_of_a_failure,
        ends::an_event_that_cancels,
        ends::a_run_out_of_time,
        ends::a_cancellation_of_a_parked_run,
        ends::a_cancellation_of_a_run_in_memory,
        ends::a_cancellation_of_a_run_in_a_step,
        ends::a_cancellation_of_a_paused_run,
        ends::a_cancellation_of_a_parent,
        ends::a_cancellation_of_all,
        gates::a_free_gate,
        gates::a_start_by_name_at_a_free_gate,
        gates::an_event_at_a_free_gate,
        gates::many_runs_of_one_slot,
        gates::a_slot_that_parking_runs_free,
        gates::a_slot_that_an_end_frees,
        gates::a_slot_that_a_cancellation_frees,
        gates::a_cancellation_of_a_run_at_a_gate,
        gates::a_slot_that_is_lent,
        gates::a_pace,
        gates::a_run_that_takes_another_s_place,
        verbs::a_retry,
        verbs::a_retry_of_all,
        verbs::a_replay,
        verbs::a_replay_of_all,
        verbs::a_fork,
        verbs::a_pause,
        verbs::a_resumption_of_a_run_that_has_begun,
        verbs::a_resumption_of_a_run_that_has_not_begun,
    )
}

fn assert_none_was_late(late: &[String]) {
    assert!(late.is_empty(), "{} operations were late:\n{}", late.len(), late.join("\n"));
}

async fn one_process_hears_of_everything_at_once(database: Fresh) {
    let runtime = Runtime::builder(Wakeups).database(database.url()).poll_interval(POLL);
    let runtime = runtime.start().await.expect("it starts");
    let scene = Scene::of(runtime.client(), &database).await;
    let mut late = late_operations(&scene).await;
    let crowd = starts::more_runs_than_slots(&scene);
    late.extend(scene.time("more_runs_than_slots", crowd, LONG, LONG).await);
    assert_none_was_late(&late);
    assert_nothing_was_polled(&runtime);
    assert_nothing_was_polled(&scene.sender);
    runtime.shutdown().await;
}

async fn a_client_apart_hears_of_everything_at_once(database: Fresh) {
    workers_hear_of_everything_at_once(database, 1).await;
}

async fn two_workers_hear_of_everything_at_once(database: Fresh) {
    workers_hear_of_everything_at_once(database, 2).await;
}

async fn workers_hear_of_everything_at_once(database: Fresh, workers: usize) {
    let client = Runtime::builder(Wakeups).database(database.url()).poll_interval(POLL);
    let client = client.connect().await.expect("a client");
    let workers = Workers::start(&database, &client, workers).await;
    let scene = Scene::of(client.clone(), &database).await;
    assert_none_was_late(&late_operations(&scene).await);
    assert_nothing_was_polled(&client);
    assert_nothing_was_polled(&scene.sender);
    workers.stop_and_assert_nothing_was_polled();
}
