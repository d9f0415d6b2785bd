//! Rules over the model: one rule, one function. Each says, at the smallest span, what is wrong, why
//! it matters to a resumed run, and what to write instead.

mod app;
mod attempts;
mod carried;
mod configuration;
mod determinism;
mod event;
mod events;
mod ids;
mod keys;
mod limits;
mod macros;
mod outcomes;
mod restarts;
mod scopes;
mod shared;
mod signature;
mod transactions;
mod triggers;
mod undos;

use syn::Ident;

pub(crate) use self::attempts::{exits, mutable, mutations};
pub(crate) use self::configuration::grows;
pub(crate) use self::macros::most_and_least;
use crate::model::{EventModel, TriggersModel, WorkflowModel};
use crate::parse::AppSyntax;
use crate::problem::Problems;

/// Every rule for workflows. Gives the places where rustc has to be asked for an order: see
/// [`determinism`].
pub(crate) fn workflow(model: &WorkflowModel, problems: &Problems) -> Vec<Ident> {
    signature::is_async(model, problems);
    signature::is_plain(model, problems);
    signature::is_free(model, problems);
    signature::has_one_handle(model, problems);
    signature::is_not_generic(model, problems);
    signature::has_an_input(model, problems);
    signature::returns_a_result(model, problems);
    signature::names_its_output(model, problems);
    configuration::id_is_kebab_case(model, problems);
    configuration::backoff_grows(model, problems);
    configuration::an_input_has_no_trigger(model, problems);
    configuration::dst_makes_a_difference(model, problems);
    configuration::jitter_is_shorter_than_the_interval(model, problems);
    configuration::cancellations_compare_fields(model, problems);
    configuration::filters_are_unique(model, problems);
    configuration::conditions_see_the_event(model, problems);
    limits::are_two_at_most(model, problems);
    limits::count_different_things(model, problems);
    limits::a_singleton_needs_no_slots(model, problems);
    limits::gather_in_one_way(model, problems);
    limits::ask_about_single_events(model, problems);
    limits::windows_last_a_period(model, problems);
    limits::priorities_are_bounded(model, problems);
    carried::stands_at_the_top(model, problems);
    carried::is_complete(model, problems);
    restarts::end_the_run(model, problems);
    body(model, problems)
}

/// Every rule for helpers under `#[durable]`; gives what [`workflow`] does.
pub(crate) fn helper(model: &WorkflowModel, problems: &Problems) -> Vec<Ident> {
    signature::is_async(model, problems);
    signature::is_plain(model, problems);
    signature::is_free(model, problems);
    signature::has_one_handle(model, problems);
    signature::takes_the_handle(model, problems);
    signature::does_not_recurse(model, problems);
    carried::is_not_in_a_helper(model, problems);
    restarts::are_not_in_a_helper(model, problems);
    body(model, problems)
}

/// Every rule for bodies.
fn body(model: &WorkflowModel, problems: &Problems) -> Vec<Ident> {
    ids::are_literal(model, problems);
    ids::are_kebab_case(model, problems);
    ids::are_unique(model, problems);
    attempts::do_not_nest(model, problems);
    attempts::keep_control_flow(model, problems);
    attempts::do_not_mutate(model, problems);
    shared::is_not_changed(model, problems);
    transactions::take_a_closure(model, problems);
    transactions::await_only_themselves(model, problems);
    outcomes::are_used(model, problems);
    outcomes::are_waited_for(model, problems);
    outcomes::are_awaited_once(model, problems);
    outcomes::are_in_no_box(model, problems);
    macros::hide_no_await(model, problems);
    macros::join_some(model, problems);
    macros::branches_can_be_read(model, problems);
    macros::branches_are_not_awaited(model, problems);
    macros::branches_are_no_lists(model, problems);
    macros::patterns_leave_nothing_out(model, problems);
    events::are_typed(model, problems);
    events::are_known(model, problems);
    events::are_declared_outside(model, problems);
    events::are_matched_by_field(model, problems);
    events::are_matched_at_once(model, problems);
    configuration::retries_end(model, problems);
    keys::tell_concurrent_steps_apart(model, problems);
    undos::are_functions(model, problems);
    undos::are_declared_outside(model, problems);
    undos::are_known_at_once(model, problems);
    determinism::is_kept(model, problems)
}

/// Every rule for events.
pub(crate) fn event(model: &EventModel, problems: &Problems) {
    event::name_is_well_formed(model, problems);
    event::name_is_not_reserved(model, problems);
    event::is_not_generic(model, problems);
}

/// Every rule for enums of triggers.
pub(crate) fn triggers(model: &TriggersModel, problems: &Problems) {
    triggers::are_an_enum(model, problems);
    triggers::are_not_generic(model, problems);
    triggers::hold_one_each(model, problems);
}

/// Every rule for apps.
pub(crate) fn app(model: &AppSyntax, problems: &Problems) {
    app::name_is_kebab_case(model, problems);
}
