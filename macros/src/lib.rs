//! The macros of Indelible. Use them through the crate `indelible`, which re-exports them.
//!
//! They are a compiler in four phases, each a module:
//!
//! 1. `parse`: tokens to syntax.
//! 2. `model`: syntax to a model of what the user wrote, in the words of the domain.
//! 3. `check`: rules over the model.
//! 4. `expand`: the model to tokens.
//!
//! Every phase reports into one `Problems` and goes on, so that several
//! mistakes give several messages, and so that the item is emitted beside them.

#![deny(missing_docs)]

mod check;
mod expand;
#[cfg(test)]
mod fuzz;
mod model;
mod parse;
mod problem;

use proc_macro::TokenStream;

/// Turns an `async fn` into a durable workflow.
///
/// The function becomes a type of the same name that implements `Workflow`. Its name is also the value with
/// which you start it: `runtime.start(on_ticket, ..)`. Its body becomes a state machine that resumes at its
/// last checkpoint. The type of its first parameter decides what starts it.
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `id = "on-ticket-created"` | its name in the store | the function's name in kebab-case |
/// | `retries = 2` | how often a failed step is tried again | 4 |
/// | `backoff(initial = "1s", max = "1h")` | how long a failed step waits before it is tried again; the wait doubles | `1s`, `1h` |
/// | `on(E, if = event.amount > 1_000)` | only events that meet the condition start it; the condition sees the event as `event` | all |
/// | `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)` | its schedule; its first parameter is a `Tick`: see [below](#schedules) | never |
/// | `batch(max = 100, timeout = "5s", key = event.user_id)` | gathers events with the same key into one run, until there are `max` of them, or the first one has waited for `timeout`; its first parameter is a `Vec<E>` | a run for each event |
/// | `debounce(period = "30s", max = "5m", key = event.page)` | starts one run when `period` has gone by without a further event of the key, and at the latest `max` after the first; the run gets the last event, or all of them as a `Vec<E>` | a run for each event |
/// | `rate_limit(limit = 10, per = "1h", key = event.user_id)` | skips the events of a key beyond the first 10 in an hour | none |
/// | `idempotency(key = event.order, within = "24h")` | skips the events of a key that has started a run within this time | none; `24h` |
/// | `concurrency(limit = 5, key = event.user_id, scope = app, hold = run)` | lets at most 5 runs of a key do something at the same time; the others wait. A `scope` (`app`, or a name) is shared with other workflows. With `hold = run` runs count while they sleep or wait, too. May be given twice | none; `workflow`, `active` |
/// | `throttle(limit = 10, per = "1m", burst = 5, key = event.shop)` | spreads the starts of runs: 10 in a minute, and 5 more at once after a pause; the others wait | none; `0` |
/// | `singleton(key = event.shop, mode = skip)` | lets a key have one run at a time. A second one does not start (`skip`), cancels the first (`cancel`), or waits and cancels one that waits already (`latest`) | any number |
/// | `priority = if event.urgent { 600 } else { 0 }` | puts the run so many seconds ahead of others, or behind them; at most twelve hours | 0 |
/// | `cancel_on(Deleted, matching = ticket_id)` | an event with the same value in this field, accepted after the trigger, cancels the run; `matching(theirs = ours, ..)` if the fields have different names | |
/// | `timeout(start = "1h", finish = "1 day")` | cancels a run that has not begun this long after its acceptance, or not ended this long after it began | never |
/// | `on_failure = report` | a workflow over `RunFailed<..>` of the input that starts when a run fails | |
/// | `on_cancel = regret` | a workflow over `RunCancelled<..>` of the input that starts when a run is cancelled | |
/// | `on_change = pin` | leaves unfinished runs to workers of the old version when a new version changes the workflow | `resume` |
/// | `input` | the first parameter is any serialisable type, and the workflow is only started directly | |
/// | `allow(determinism, reason = "..")` | turns a rule off, for the whole workflow or, above a statement, for that statement; the graph shows the reason | |
/// | `crate = path` | the path of the crate `indelible` | found in `Cargo.toml` |
///
/// Keys and the priority are Rust expressions over what starts the workflow. They see an event, or an enum of
/// several, as `event`, a `Tick` as `tick`, a `Vec` of events as `events`, and an input as `input`. The keys of
/// `batch` and `debounce` see one `event` in any case. The key `None` means that nothing is counted.
///
/// # Schedules
///
/// | in `cron(..)` | meaning | default |
/// |---|---|---|
/// | `"0 9 * * 1-5"` | minute, hour, day of the month, month, day of the week: `*`, or numbers, names (`JAN`, `MON`), ranges and steps with commas between; `L` is the last day of the month, `FRI#2` its second Friday, `FRIL` its last; if both days are given, either will do | |
/// | `"*/10 * * * * *"` | the same with the second before it | second 0 |
/// | `"@daily"` | a nickname; also `@hourly`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually` | |
/// | `tz = "Europe/Paris"` | the place whose clock counts | `UTC` |
/// | `dst = skip` | when the clocks change, each tick comes `once`, at the next time that exists or at the first of two; `skip` leaves out ticks at times that do not exist; with `both`, a time that comes twice is due both times | `once` |
/// | `catch_up = all` | after a time without workers, the last missed tick starts a run (`one`), or `all` missed ticks do, or `none` | `one` |
/// | `jitter = "30s"` | a run starts within this time after its tick, always as long after it | none |
///
/// # Loops of any length
///
/// Write `#[carried(a, b)]` on a `loop`, `while` or `for` at the body's top level. At the head of each iteration
/// the loop commits these variables and drops the journal of the iterations before, so that a run of a million
/// iterations resumes as fast as one of ten. List every outer `let mut` that the loop uses. The loop's state is
/// named after its label: `'pages` becomes `pages`. A loop without a label is `loop`, the second one `loop-2`.
///
/// ```text
/// let mut cursor = None;
/// #[carried(cursor)]
/// 'pages: loop {
///     cursor = step.run("fetch-page", shop.page(cursor)).await?;
///     if cursor.is_none() {
///         break;
///     }
/// }
/// ```
#[doc(alias("orchestration", "continue-as-new", "schedule", "cron"))]
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::workflow(arguments.into(), item.into()).into()
}

/// Makes an `async fn` a helper with steps of its own, to be called from workflows and other
/// helpers: `notify(&step, user).await?`.
///
/// It takes the step handle, `step: &Step`, and may be generic. The journal keeps its steps under its name:
/// `notify/send-mail`, and `notify#1/send-mail` for a second call.
#[proc_macro_attribute]
pub fn durable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::durable(arguments.into(), item.into()).into()
}

/// Makes a type an event: `#[event(name = "ticket/created")]`.
///
/// Also derive `Serialize`, `Deserialize` and `JsonSchema`.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    expand::event(item.into()).into()
}

/// Makes an enum the first parameter of a workflow that has several triggers. Each variant holds one of them: an
/// event, a `Received<E>`, or the `Tick` of a schedule.
///
/// ```text
/// #[derive(Triggers)]
/// enum OnAccount {
///     Opened(AccountOpened),
///     Closed(Received<AccountClosed>),
/// }
///
/// #[workflow]
/// async fn sync_account(account: OnAccount, step: Step) -> Result<(), Failure> {
///     match account {
///         OnAccount::Opened(opened) => step.run("open", crm.open(opened.id)).await?,
///         OnAccount::Closed(closed) => step.run("close", crm.close(closed.data.id)).await?,
///     }
///     Ok(())
/// }
/// ```
#[proc_macro_derive(Triggers, attributes(triggers))]
pub fn derive_triggers(item: TokenStream) -> TokenStream {
    expand::triggers(item.into()).into()
}

/// Gathers the events and workflows of a program under a name.
///
/// ```text
/// indelible::app! {
///     pub HelpDesk = "help-desk";
///     events: [TicketCreated],
///     workflows: [on_ticket_created],
/// }
/// ```
///
/// `on_failure: handler` and `on_cancel: handler` name workflows over `RunFailed` and `RunCancelled`. They start
/// for all runs that fail or are cancelled, in addition to the handlers of the workflows.
#[proc_macro]
pub fn app(input: TokenStream) -> TokenStream {
    expand::app(input.into()).into()
}
