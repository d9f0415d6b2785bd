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
/// The function becomes a type of its name that implements `Workflow`, and its name the value by which
/// it is started: `runtime.start(on_ticket, ..)`. Its body becomes a machine that resumes at its last
/// checkpoint. What starts it is its first parameter.
///
/// | argument | meaning | default |
/// |---|---|---|
/// | `id = "on-ticket-created"` | the name by which the store knows it | the function's name in kebab-case |
/// | `retries = 2` | how often a failed step is tried again | 4 |
/// | `backoff(initial = "1s", max = "1h")` | how long it waits before that, doubling | `1s`, `1h` |
/// | `on(E, if = event.amount > 1_000)` | which events of a type start it; the condition sees the event as `event` | all |
/// | `cron("0 9 * * 1-5", tz = "Europe/Paris", catch_up = one)` | when it starts by itself; its first parameter is a `Tick`. What was missed while no worker lived is caught up with by a run for the last tick (`one`), for `all`, or `none` | never; `UTC`, `one` |
/// | `batch(max = 100, timeout = "5s", key = event.user_id)` | gathers events into one run: until there are `max` of one key, or the first has waited for `timeout`; its first parameter is a `Vec<E>` | a run for each event |
/// | `cancel_on(Deleted, matching = ticket_id)` | an event with the same field, accepted after the trigger, cancels the run; `matching(theirs = ours, ..)` for other names | |
/// | `timeout(start = "1h", finish = "1 day")` | when a run is cancelled that has not begun after its acceptance, or not ended after it has begun | never |
/// | `on_failure = report` | a workflow over `RunFailed<..>` of the input that is started when a run fails | |
/// | `on_cancel = regret` | one over `RunCancelled<..>` that is started when a run is cancelled | |
/// | `input` | the first parameter is no event: the workflow is only ever started directly | |
/// | `allow(determinism, reason = "..")` | turns a rule off, here or above a statement of the body; the reason is shown in the graph | |
/// | `crate = path` | where the crate `indelible` is found | found in `Cargo.toml` |
///
/// # Loops of any length
///
/// `#[carried(a, b)]` on a `loop`, `while` or `for` at the body's top level commits the loop's
/// variables at its head and drops the journal of its earlier iterations, so that a run of a million
/// iterations resumes as fast as one of ten. Every outer `let mut` that the loop uses is carried. Its
/// state goes by the loop's label, `'pages` as `pages`, or as `loop`; a second one as `loop-2`.
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
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::workflow(arguments.into(), item.into()).into()
}

/// Makes an `async fn` a helper with steps of its own, to be called from workflows and other
/// helpers: `notify(&step, user).await?`.
///
/// It takes the step handle, `step: &Step`, and may be generic. Its steps are kept under its name:
/// `notify/send-mail`, of a second call `notify#1/send-mail`.
#[proc_macro_attribute]
pub fn durable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::durable(arguments.into(), item.into()).into()
}

/// Makes a type an event: `#[event(name = "ticket/created")]`.
///
/// The type has to derive `Serialize`, `Deserialize` and `JsonSchema` too.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(item: TokenStream) -> TokenStream {
    expand::event(item.into()).into()
}

/// Makes an enum what starts a workflow, where there are several triggers: each variant holds an event,
/// or `Received<E>` of one, or the `Tick` of a schedule. It becomes the workflow's first parameter.
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
/// `on_failure: handler` and `on_cancel: handler` name workflows over `RunFailed` and `RunCancelled`
/// that are started for the ends of all runs, beside those of their workflows.
#[proc_macro]
pub fn app(input: TokenStream) -> TokenStream {
    expand::app(input.into()).into()
}
