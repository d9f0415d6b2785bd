//! What every store has to do, as one suite that runs on each of them.
//!
//! A behaviour is a function of a [`World`]; the list below makes a test of it for each kind of
//! database. What only one kind can show stands beside its implementation.

mod batches;
mod blocked;
mod cancels;
mod children;
mod claims;
mod clock;
mod database;
mod deploys;
mod events;
mod flushes;
mod gates;
mod hints;
mod inboxes;
mod later;
mod leases;
mod limits;
mod opening;
mod operators;
mod pauses;
mod restarts;
mod schedules;
mod sweeps;
mod system_events;
mod texts;
mod timers;
mod traces;
mod transactions;
mod unsettled;
mod views;
mod waits;
mod why;
mod within;
mod world;

pub(crate) use self::clock::StoppedClock;
pub(in crate::store) use self::clock::stopped_at;
pub(crate) use self::database::TestDatabase;
pub(in crate::store) use self::database::{POOLER, SESSION_POOLER};
pub(in crate::store) use self::gates::{LIMIT, declare, ended, gate, open, slots, start_all};
pub(in crate::store) use self::world::{
    APP, HOUR, ORDER, PAID, PLACED, World, claim, commit, counted, done, done_with, event, ids,
    json, numbered, on_pooled, on_postgres, on_sqlite, only, program, route, step, uncancelled,
    wait, wait_for, waited, worker,
};

/// Makes the tests: `conformance::sqlite::leases::a_lost_lease_cannot_commit`, …
macro_rules! behaviours {
    ($($module:ident: [$($name:ident),* $(,)?],)*) => {
        mod sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let behaviour = super::super::world::tidy(super::super::$module::$name);
                    super::super::world::on_sqlite(behaviour).await;
                })*
            })*
        }

        mod postgres {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let behaviour = super::super::world::tidy(super::super::$module::$name);
                    super::super::world::on_postgres(behaviour).await;
                })*
            })*
        }

        mod pooled {
            $(mod $module {
                $(#[tokio::test]
                async fn $name() {
                    let behaviour = super::super::world::tidy(super::super::$module::$name);
                    super::super::world::on_pooled(super::super::POOLER, behaviour).await;
                })*
            })*
        }
    };
}

behaviours! {
    opening: [
        a_database_is_opened_twice_with_what_it_held,
        ten_programs_migrate_at_once,
        a_schema_for_newer_programs_is_refused,
        a_client_uses_tables_that_are_there,
        no_column_needs_the_server_that_wrote_it,
        workflows_that_are_gone_are_named_while_runs_need_them,
        subscriptions_are_replaced,
        subscriptions_are_kept_while_a_worker_lives,
    ],
    blocked: [
        blocked_events_are_listed_in_pages,
        a_blocked_event_is_sent_again_to_those_that_it_is_blocked_for,
        a_blocked_event_is_sent_again_once,
        a_discarded_event_is_not_tried_again,
    ],
    system_events: [
        the_end_of_a_run_makes_its_event_once,
        a_run_that_is_another_s_makes_no_event,
        system_events_are_for_their_own_app,
        a_blocked_event_is_told_of_once,
        what_a_silent_run_starts_is_silent,
    ],
    deploys: [
        a_schema_is_kept_by_version,
        a_shape_is_kept_until_another_takes_its_place,
        a_state_that_is_gone_is_named_while_runs_have_recorded_it,
    ],
    events: [
        an_event_is_routed_once_for_each_app,
        an_event_without_subscribers_is_accepted,
        an_event_with_a_known_key_is_accepted_once,
        a_key_is_one_event_whoever_sends_it_first,
        a_resent_event_is_accepted_once,
        hosted_runs_start_with_their_event,
        events_are_routed_in_order_of_acceptance,
        two_routers_share_the_deliveries,
        a_part_that_the_accepting_process_does_not_know_is_left_to_another,
        a_part_that_a_router_does_not_know_is_left_to_another,
        a_part_is_forgotten_when_no_program_has_it,
        a_panicking_router_leaves_its_deliveries,
        a_condition_that_fails_blocks_only_its_workflow,
    ],
    later: [
        an_event_is_accepted_when_it_is_due_and_never_before,
        a_time_that_has_passed_is_now,
        events_that_are_due_are_accepted_oldest_first,
        an_event_that_is_due_starts_no_run_before,
        a_key_is_remembered_when_its_event_is_sent,
        an_event_that_is_sent_again_as_it_was_is_accepted_once,
        two_workers_accept_each_event_once_and_in_order,
        an_event_that_was_kept_is_behind_the_triggers_of_its_time,
        whoever_keeps_an_event_says_so,
    ],
    within: [
        an_event_is_there_exactly_if_its_transaction_is_committed,
        what_a_savepoint_takes_back_was_not_sent,
        a_key_is_remembered_exactly_if_its_transaction_is_committed,
        an_event_of_a_transaction_can_be_due_later,
        a_transaction_on_another_database_is_refused_and_goes_on,
        the_commit_of_a_transaction_is_told_to_all_workers,
        what_was_committed_is_told_before_the_connections_are_closed,
    ],
    claims: [
        runs_are_claimed_in_order_of_acceptance,
        claims_are_disjoint_between_two_workers,
        a_run_that_is_driven_or_over_is_not_claimed,
        other_apps_and_unknown_workflows_are_left_alone,
        a_run_comes_with_its_trigger_and_journal,
        a_row_that_cannot_be_read_concerns_its_run_alone,
        a_message_that_cannot_be_read_concerns_its_run_alone,
        a_resent_start_starts_once,
        a_run_that_was_given_back_is_claimed_before_newer_ones,
    ],
    leases: [
        a_lost_lease_cannot_commit,
        a_lost_lease_cannot_claim_or_renew,
        a_live_lease_is_not_taken_over,
        what_a_dead_worker_held_is_driven_by_another,
        a_worker_that_leaves_gives_its_runs_back,
        what_a_worker_does_not_drive_can_be_disowned,
        take_overs_in_a_row_are_counted,
        progress_begins_the_count_anew,
        giving_back_is_no_take_over,
    ],
    flushes: [
        a_flush_reads_back_as_the_machine_saw_it,
        a_flush_is_landed_exactly_if_its_rows_are,
        a_flush_without_lines_is_landed_too,
        a_batch_that_is_sent_twice_is_committed_once,
        an_outcome_is_committed_at_most_once,
        a_run_is_found_by_its_last_attributes,
        a_carried_loop_keeps_the_lines_of_its_last_iteration,
        a_carried_loop_keeps_outcomes_that_may_be_undone,
        children_of_a_run_that_is_undone_are_asked_to_cancel,
        evicted_runs_leave_the_rest_of_the_batch_committed,
        events_are_accepted_with_their_checkpoint,
        a_run_that_has_ended_is_over,
        a_held_run_keeps_its_reason,
        a_held_run_is_tried_again_by_the_next_program,
        a_held_run_is_tried_again_when_its_holder_leaves,
        a_held_run_is_cancelled_before_it_is_tried_again,
        what_leaves_no_trace_is_not_taken_for_evicted,
        runs_are_listed_and_counted,
    ],
    transactions: [
        a_transaction_commits_with_its_outcome,
        a_transaction_that_is_dropped_leaves_nothing,
        a_lost_lease_rolls_a_transaction_back,
        an_evicted_runs_transaction_is_rolled_back,
        a_refused_outcome_rolls_its_transaction_back,
        a_deferred_constraint_is_the_transactions_fault,
        a_transaction_that_ended_within_its_closure_is_recognised,
        a_transactions_end_is_known_by_its_commit_id,
    ],
    traces: [
        the_run_of_an_event_goes_on_with_its_trace,
        a_run_is_started_in_a_trace,
        a_run_of_several_events_goes_on_with_the_trace_of_the_last,
        what_a_run_starts_and_sends_belongs_to_its_trace,
        a_run_keeps_its_trace,
        a_blocked_event_keeps_its_trace,
        what_is_no_trace_holds_nothing_up,
    ],
    timers: [
        a_parked_run_is_ready_when_it_is_due,
        no_timer_fires_early,
        as_many_as_asked_for_are_woken_oldest_first,
    ],
    batches: [
        a_full_batch_starts_one_run,
        a_batch_is_complete_before_it_is_too_long,
        a_batch_starts_when_its_first_event_has_waited,
        events_of_different_keys_are_not_mixed,
        each_event_is_in_one_batch_whoever_routes_it,
        events_in_quick_succession_start_one_run,
        a_window_waits_for_what_came_before_its_end,
        the_last_event_of_a_window_starts_its_run_alone,
        an_open_window_outlasts_a_shorter_period,
    ],
    gates: [
        as_many_runs_are_claimed_as_their_limit_allows,
        one_full_key_does_not_delay_another,
        a_parked_run_holds_an_active_slot_no_longer,
        a_parked_run_keeps_a_slot_for_the_whole_run,
        a_slot_is_kept_through_a_take_over,
        a_run_needs_room_at_all_its_gates_and_holds_none_before,
        starts_are_spread_over_time,
        a_changed_limit_counts_at_once,
        a_child_runs_under_its_parents_slot,
        a_child_that_waits_elsewhere_takes_no_slot_of_its_own,
        a_child_under_its_parents_slot_is_not_replaced,
        a_run_that_is_undone_is_the_next_wherever_it_stood,
        a_run_that_waits_again_is_the_next_once_it_is_undone,
        a_run_that_waits_can_be_cancelled,
        a_run_with_priority_goes_ahead,
        two_openers_let_no_more_through_than_one,
        what_exceeds_a_rate_starts_nothing,
        one_run_of_a_key_is_replaced_as_its_mode_says,
    ],
    unsettled: [
        a_run_is_claimed_once_its_limits_are_known,
        an_event_cancels_a_run_that_is_settled_later,
        a_run_is_cancelled_before_it_is_settled,
        a_cancellation_at_the_same_time_as_the_settling_is_not_lost,
        two_programs_settle_each_run_once,
        a_single_run_takes_the_place_of_another_as_it_is_settled,
        what_an_operator_begins_is_settled_as_well,
    ],
    limits: [
        limits_are_listed_with_their_busiest_keys,
        what_an_operator_sets_holds_at_once_and_is_kept,
        a_pace_or_a_window_that_is_set_holds_at_once,
        what_the_clock_has_counted_changes_with_its_limit,
        only_a_limit_of_its_kind_is_set,
    ],
    sweeps: [
        what_says_nothing_any_more_is_removed,
        what_is_removed_at_once_is_bounded,
    ],
    views: [
        runs_are_listed_from_the_newest_page_by_page,
        lists_of_runs_are_narrowed_down,
        a_run_that_starts_days_after_its_event_is_found_by_its_time,
        runs_are_found_by_the_text_of_their_errors,
        events_are_listed_from_the_newest_page_by_page,
        workflows_show_how_many_runs_they_have,
        workers_show_what_they_drive,
        a_database_says_how_it_is_doing,
    ],
    why: [
        a_run_that_is_ready_says_what_is_before_it,
        a_run_says_which_runs_hold_the_slots_of_its_key,
        a_throttled_run_says_when_the_next_may_start,
        a_parked_run_says_what_it_waits_for,
        a_run_says_what_operators_and_programs_did,
        an_end_says_how_and_when,
        a_long_list_of_states_is_cut,
        an_event_says_which_runs_it_started_and_which_waits_took_it,
        an_event_says_into_which_batch_it_went,
        an_event_says_what_kept_it_from_starting_runs,
    ],
    schedules: [
        a_schedule_fires_when_it_is_due_and_never_early,
        a_schedule_is_kept_until_its_rule_changes,
        each_version_that_lives_keeps_its_schedule,
        a_removed_schedule_ends_with_the_last_worker_that_has_it,
        what_was_due_while_other_versions_lived_is_not_caught_up_with,
        a_worker_that_joins_finds_its_schedules,
        the_last_tick_is_known_to_the_next,
        two_workers_start_one_run_a_tick,
        schedules_are_listed_as_they_stand,
        ten_years_of_ticks_start_in_time_and_once,
        a_tick_starts_once_although_the_clock_is_set_back,
    ],
    waits: [
        an_event_before_its_wait_is_found,
        an_event_after_its_wait_is_found,
        an_event_at_the_same_time_as_its_wait_is_found,
        an_event_at_the_same_time_as_a_time_out_is_found_by_the_next_wait,
        an_event_of_another_order_is_not_found,
        the_trigger_itself_is_not_found,
        an_event_before_the_trigger_is_not_found,
        an_event_that_came_with_the_trigger_is_found,
        a_wait_from_now_finds_only_what_comes_later,
        a_wait_finds_the_events_of_its_own_commit,
        a_new_run_finds_the_events_of_the_commit_that_starts_it,
        one_event_reaches_every_run_that_waits_for_it_once,
        an_event_reaches_a_run_with_two_waits_for_it_once,
        a_taken_event_is_not_found_by_another_wait_of_the_run,
        a_discarded_event_is_found_by_another_wait_of_the_run,
        a_wait_that_is_over_finds_nothing,
        only_what_the_app_has_routed_is_found,
        the_end_of_a_run_clears_its_waits_and_inbox,
    ],
    inboxes: [
        a_parked_run_is_roused_by_a_message,
        a_run_that_parks_over_a_message_is_ready,
        a_message_while_its_run_parks_is_not_lost,
        a_roused_run_has_no_timer_left,
        a_timer_and_a_message_rouse_a_run_once,
        a_claimed_run_comes_with_its_inbox_oldest_first,
        a_cancellation_reaches_a_run_wherever_it_stands,
        a_cancellation_comes_too_late_for_a_run_that_is_over,
        a_cancellation_at_the_same_time_as_the_end_leaves_nothing_behind,
        a_cancelled_run_keeps_its_reason,
    ],
    restarts: [
        a_restarted_run_begins_anew_under_its_id,
        a_restart_is_done_once,
        a_restart_by_another_worker_does_nothing,
        a_restart_cancels_attached_children_only,
        a_restarted_run_sees_the_events_that_it_has_not_taken,
    ],
    cancels: [
        an_event_cancels_a_run_that_has_not_begun,
        an_event_cancels_a_run_wherever_it_stands,
        a_cancellation_before_the_trigger_does_nothing,
        a_cancellation_that_overtakes_its_run_wins,
        a_cancellation_wins_over_a_wait_of_its_run,
        a_cancellation_after_the_end_does_nothing,
        children_and_later_generations_are_cancelled_too,
        handlers_start_in_the_commit_that_ends_their_run,
        what_an_operator_begins_is_cancelled_by_later_events,
        a_cancellation_that_was_taken_is_told_to_the_next_worker,
    ],
    hints: [
        whoever_starts_a_run_says_that_it_is_ready,
        whoever_accepts_an_event_says_that_it_is_to_be_routed,
        whoever_routes_says_whom_it_has_told_what,
        what_a_router_leaves_to_others_is_told,
        whoever_lets_a_run_go_says_what_becomes_of_it,
        whoever_takes_over_says_that_there_is_more_to_look_after,
        operators_say_what_they_did,
        a_flush_that_has_landed_is_told_of,
        other_processes_hear_of_it,
        an_end_that_is_waited_for_is_told_to_other_processes,
        an_end_of_which_nobody_speaks_is_found_by_polling,
    ],
    children: [
        a_child_starts_with_its_parents_commit,
        a_parent_that_is_not_ours_starts_no_child,
        a_childs_end_reaches_its_parent,
        a_childs_end_rouses_its_parked_parent,
        a_parents_end_cancels_its_attached_children_only,
        a_child_that_starts_as_its_parent_ends_is_asked_to_cancel,
        an_abandoned_child_is_asked_to_cancel,
        a_childs_end_at_the_same_time_as_a_time_out_leaves_nothing_behind,
        children_are_listed_by_parent,
    ],
    pauses: [
        no_run_of_a_paused_workflow_is_claimed,
        timers_go_on_while_a_workflow_is_paused,
        a_pinned_run_is_left_to_programs_of_its_shape,
        a_run_that_is_not_pinned_takes_on_the_new_shape,
        what_no_living_worker_can_drive_is_stranded,
    ],
    operators: [
        a_failed_run_is_retried_from_where_it_failed,
        a_retried_run_has_taken_what_it_had_taken,
        a_retried_wait_finds_the_event_that_it_had_taken,
        only_a_failed_run_is_retried,
        two_retries_at_once_are_one,
        different_verbs_at_once_each_do_what_they_say,
        a_retried_child_can_fail_again,
        verbs_of_one_microsecond_are_listed_in_their_order,
        a_fork_has_the_journal_before_a_state,
        a_fork_goes_back_to_where_a_loop_began,
        a_fork_has_taken_what_its_part_of_the_journal_has,
        a_fork_names_the_states_that_there_are,
        a_fork_of_a_run_in_progress_leaves_it_alone,
        a_replay_begins_with_the_same_input_or_another,
        what_is_made_of_a_run_is_found_by_the_same,
        only_what_is_over_is_replayed,
        many_runs_are_cancelled_at_once,
        runs_are_found_by_what_is_known_of_them,
    ],
    texts: [
        a_payload_reads_back_byte_for_byte,
        a_timestamp_reads_back_as_it_was_returned,
        a_large_payload_is_kept,
    ],
}
