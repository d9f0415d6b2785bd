//! A workflow's options, held against its first parameter while the program is compiled.

use super::{Form, Input, Trigger, Workflow};
use crate::text::{Message, same};

/// Starts the workflow: what `on(E, if = ..)` speaks of.
#[track_caller]
pub const fn filter_has_its_trigger(triggers: &[Trigger], event: &str) {
    let mut index = 0;
    while index < triggers.len() {
        if same(triggers[index].name(), event) {
            return;
        }
        index += 1;
    }
    Message::EMPTY
        .push("`")
        .push(event)
        .push("` does not start this workflow: its first parameter does not take it, so the ")
        .push("condition would never be asked")
        .panic();
}

const fn ticks(triggers: &[Trigger]) -> bool {
    let mut index = 0;
    while index < triggers.len() {
        if matches!(triggers[index], Trigger::Tick) {
            return true;
        }
        index += 1;
    }
    false
}

/// A schedule starts the workflow with a `Tick`.
#[track_caller]
pub const fn cron_has_its_tick(triggers: &[Trigger]) {
    if !ticks(triggers) {
        Message::EMPTY
            .push("`cron` starts a workflow with a `Tick`, and this one's first parameter takes ")
            .push("none: write `tick: Tick`, or give the enum of its triggers a variant for it")
            .panic();
    }
}

/// An event starts the workflow, which the argument `name` speaks of.
#[track_caller]
pub const fn events_start_it(triggers: &[Trigger], name: &str) {
    let mut index = 0;
    while index < triggers.len() {
        if matches!(triggers[index], Trigger::Event(_)) {
            return;
        }
        index += 1;
    }
    Message::EMPTY
        .push("`")
        .push(name)
        .push("` speaks of events, and no event starts this workflow: remove it, or take an event as ")
        .push("the first parameter")
        .panic();
}

/// A `Tick` comes from a schedule, a list from events that are gathered.
#[track_caller]
pub const fn input_is_served<W: Workflow>() {
    if ticks(W::TRIGGERS) && W::CONFIG.cron.is_none() {
        Message::EMPTY
            .push("nothing would give this workflow its `Tick`: say when, as ")
            .push("`#[workflow(cron(\"0 9 * * 1-5\", tz = \"Europe/Paris\"))]`")
            .panic();
    }
    if matches!(<W::Input as Input>::FORM, Form::Listed) && !W::CONFIG.flow.gathers() {
        Message::EMPTY
            .push(
                "nothing would gather events for this workflow's list: say how many and how long, ",
            )
            .push("as `#[workflow(batch(max = 100, timeout = \"5s\"))]`")
            .panic();
    }
}
