//! Every rule of the compiler has its entry in the guide to its messages, and every entry a program that
//! shows the message.

use std::fs;
use std::path::{Path, PathBuf};

/// Each rule, and what the guide quotes of it.
const RULES: &[(&str, &str)] = &[
    ("signature::is_async", "a workflow is an `async fn`"),
    ("signature::is_plain", "a workflow is a plain `async fn`"),
    ("signature::has_one_handle", "a workflow has one step handle"),
    ("signature::is_free", "a workflow is a free function, without `self`"),
    ("signature::is_not_generic", "a workflow is not generic"),
    ("signature::has_an_input", "a workflow takes what starts it as its first parameter"),
    ("signature::returns_a_result", "a workflow returns a `Result`"),
    ("signature::names_its_output", "a workflow names the type that it gives"),
    ("signature::takes_the_handle", "a durable helper takes the step handle"),
    ("signature::does_not_recurse", "`counts_down` calls itself"),
    ("configuration::id_is_kebab_case", "the id `OnTicket` of the workflow is not kebab-case"),
    ("configuration::backoff_grows", "the first wait is longer than the longest"),
    ("configuration::an_input_has_no_trigger", "`cron` and `input` contradict one another"),
    (
        "configuration::dst_makes_a_difference",
        "`dst` makes no difference in UTC, whose clock never changes",
    ),
    (
        "configuration::jitter_is_shorter_than_the_interval",
        "the jitter is not shorter than the time between two ticks",
    ),
    (
        "configuration::cancellations_compare_fields",
        "a run under `cron` has no field of its own to compare",
    ),
    ("configuration::conditions_see_the_event", "`step` is not there yet"),
    ("configuration::filters_are_unique", "this event has a condition already"),
    ("configuration::retries_end", "a step is tried again at most 1000 times"),
    ("limits::are_two_at_most", "a workflow has at most two concurrency limits"),
    ("limits::count_different_things", "both concurrency limits count the same runs"),
    ("limits::a_singleton_needs_no_slots", "`concurrency` and `singleton` limit the same runs"),
    ("limits::gather_in_one_way", "`batch` and `debounce` both say when events become one run"),
    (
        "limits::ask_about_single_events",
        "`rate_limit` asks about single events, and `batch` gathers them",
    ),
    ("limits::windows_last_a_period", "`max` is shorter than `period`"),
    ("limits::priorities_are_bounded", "`priority` takes from -43200 to 43200 seconds"),
    ("carried::stands_at_the_top", "a carried loop stands at the body's top level"),
    ("carried::is_complete", "the loop uses `total` and does not carry it"),
    ("carried::is_not_in_a_helper", "a carried loop stands in a workflow, not in a helper"),
    ("ids::are_literal", "the id of a step is a string literal"),
    ("ids::are_kebab_case", "the step id `fetchTicket` is not kebab-case"),
    ("ids::are_unique", "another step of this workflow has the id `fetch`"),
    ("attempts::do_not_nest", "the step `fetch-ticket` is used inside of the step `triage`"),
    ("attempts::keep_control_flow", "`?` cannot leave the step `fetch-ticket`"),
    ("attempts::do_not_mutate", "the step `send-mail` changes `sent` of the body"),
    ("shared::is_not_changed", "the step `count` changes `counted` of the body"),
    (
        "transactions::take_a_closure",
        "the transaction `charge` is not given an `async` closure that takes it",
    ),
    ("transactions::await_only_themselves", "the transaction `charge` awaits something else here"),
    ("undos::are_known_at_once", "`undo` stands right behind the step"),
    ("undos::are_declared_outside", "the undo `release` is known inside of this body only"),
    ("undos::are_functions", "the undo of `reserve` is no function's name"),
    ("restarts::end_the_run", "a restart is what the body returns"),
    ("restarts::are_not_in_a_helper", "a restart stands in a workflow, not in a helper"),
    ("outcomes::are_used", "the step `rest` is never awaited"),
    ("outcomes::are_waited_for", "`uuid` gives its value at once"),
    ("outcomes::are_awaited_once", "`join!` awaits its branches itself"),
    ("outcomes::are_in_no_box", "the step `count` is put in a box before it is awaited"),
    ("macros::hide_no_await", "what is awaited inside of `info!` cannot be seen"),
    ("macros::join_some", "`join!` has nothing to wait for"),
    ("macros::branches_can_be_read", "a branch of `race!` cannot be read: expected `=`"),
    (
        "macros::branches_are_not_awaited",
        "this branch of `join!` is awaited before the others begin",
    ),
    ("macros::branches_are_no_lists", "a list is no branch of `join!`"),
    (
        "macros::patterns_leave_nothing_out",
        "this pattern does not fit all that its operation gives",
    ),
    ("events::are_typed", "this wait does not say for which event"),
    ("events::are_known", "this helper would wait for another event with each caller"),
    ("events::are_declared_outside", "`TicketClosed` is known inside of this body only"),
    ("events::are_matched_by_field", "`matching` compares fields of the event: `field = value`"),
    ("events::are_matched_at_once", "`matching` stands right behind the wait"),
    (
        "keys::tell_concurrent_steps_apart",
        "the step `ship` is begun several times at once, without a key",
    ),
    (
        "determinism::is_kept",
        "`SystemTime::now` reads the clock, which shows another time when the run resumes",
    ),
    ("event::name_is_not_reserved", "the name `indelible/run.failed` is reserved"),
    (
        "event::name_is_well_formed",
        "`TicketCreated` cannot name an event: it has upper-case letters",
    ),
    ("event::is_not_generic", "an event is not generic"),
    ("triggers::are_an_enum", "several triggers are an enum"),
    ("triggers::are_not_generic", "an enum of triggers is not generic"),
    ("triggers::hold_one_each", "the variant `Opened` does not hold one trigger"),
    ("app::name_is_kebab_case", "the app's name `Help Desk` is not kebab-case"),
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the guide quotes, as far as it is said when a program is compiled.
fn quoted() -> Vec<String> {
    let guide = read("../docs/diagnostics.md");
    let (compiled, _) = guide.split_once("\n## The lock").expect("the lock comes last");
    let quotes = compiled.lines().filter_map(|line| line.strip_prefix("> "));
    quotes.map(str::to_owned).collect()
}

/// A message without its names: `a` and `b` are two of one rule.
fn nameless(message: &str) -> String {
    let parts = message.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "``" }).collect()
}

#[test]
fn every_rule_has_an_entry_in_the_guide() {
    let source = read("../macros/src/check/mod.rs");
    let lines = source.lines().map(|line| line.trim().trim_end_matches(';'));
    let calls = lines.filter_map(|line| line.strip_suffix(", problems)"));
    let mut called: Vec<_> = calls
        .filter_map(|call| call.split_once('('))
        .map(|(rule, _)| rule)
        .filter(|rule| rule.contains("::"))
        .collect();
    called.sort();
    called.dedup();
    let mut known: Vec<_> = RULES.iter().map(|(rule, _)| *rule).collect();
    known.sort();
    assert_eq!(called, known, "rules that are checked, and rules that this test knows");

    let quoted = quoted();
    for (rule, message) in RULES {
        assert!(quoted.iter().any(|quote| quote == message), "{rule} has no entry: {message}");
    }
}

#[test]
fn every_entry_of_the_guide_has_a_program_that_shows_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fail");
    let files = fs::read_dir(folder).expect("there are programs that fail");
    let files = files.map(|file| file.expect("the folder is readable").path());
    let shown: String = files
        .filter(|path: &PathBuf| path.extension().is_some_and(|extension| extension == "stderr"))
        .map(|path| fs::read_to_string(path).expect("the messages are readable"))
        .collect();
    let shown: Vec<_> = shown
        .lines()
        .filter(|line| line.starts_with("error"))
        .filter_map(|line| line.split_once(": "))
        .map(|(_, message)| nameless(message.trim_start_matches("evaluation panicked: ")))
        .collect();
    let mut unseen = quoted();
    unseen.retain(|quote| {
        let message = nameless(quote);
        !shown.iter().any(|shown| shown.starts_with(&message))
    });
    assert!(unseen.is_empty(), "no program shows {unseen:#?}");
}
