//! What Indelible itself says of an app's runs and events: its own event types.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error_record::ErrorRecord;
use crate::event::{Event, EventDef, EventField, EventId};
use crate::id::RunId;
use crate::text::same;

/// A run has failed: the event `indelible/run.failed`, and the input of an `on_failure` handler.
///
/// # As an event
///
/// Every app has this event without declaring it, for the runs of the app alone. It is accepted exactly
/// once, in the commit that ends the run, if a workflow of the app is started by it, waits for it or is
/// cancelled by it. Otherwise nothing is written. When the run ended is the time at which the event was
/// accepted: take `Received<RunFailed>` to have it.
///
/// ```
/// # extern crate indelible_core as indelible;
/// # use indelible::prelude::*;
/// # async fn tell(workflow: &str, why: &str) -> Result<(), Failure> { Ok(()) }
/// #[workflow(on(RunFailed, if = event.workflow != "on-ping"))]
/// async fn report(event: RunFailed, step: Step) -> Result<(), Failure> {
///     step.run("tell", tell(&event.workflow, &event.error.message)).await?;
///     Ok(())
/// }
/// ```
///
/// Nothing goes in circles: the end of a run makes no system event if its workflow is started by one, or
/// if such a run has invoked it, directly or through others, or has it as its handler. An event that your
/// code sends is an event like any other, also if it is sent in such a run.
///
/// # As the input of a handler
///
/// `on_failure = handler` names an ordinary workflow with `#[workflow(input)]`. It starts exactly once, in the
/// commit that ends the failed run. A handler for a whole app, `on_failure: handler` in
/// [`app!`](macro@indelible_macros::app), gets the failed run's input as JSON.
///
/// ```
/// # extern crate indelible_core as indelible;
/// # use indelible::prelude::*;
/// # #[derive(Event, Serialize, Deserialize, JsonSchema)]
/// # #[event(name = "order/placed")]
/// # struct Placed { order: u32 }
/// # async fn tell(order: u32, why: &str) -> Result<(), Failure> { Ok(()) }
/// #[workflow(input)]
/// async fn report(failed: RunFailed<Placed>, step: Step) -> Result<(), Failure> {
///     step.run("tell", tell(failed.input.order, &failed.error.message)).await?;
///     Ok(())
/// }
///
/// #[workflow(on_failure = report)]
/// async fn on_placed(event: Placed, step: Step) -> Result<(), Failure> {
///     Err(Failure::msg(format!("there is no order {}", event.order)))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunFailed")]
pub struct RunFailed<I = Value> {
    /// The run that has failed.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// The app that it is a run of.
    pub app: String,
    /// The event that started it; `None` if something else did.
    pub event: Option<EventId>,
    /// When its trigger was accepted. Of a run that has restarted, when its last generation began.
    pub accepted_at: Timestamp,
    /// The input of that run.
    pub input: I,
    /// Why it failed, and what became of its undos.
    pub error: ErrorRecord,
}

/// A run was cancelled: the event `indelible/run.cancelled`, and the input of an `on_cancel` handler. See
/// [`RunFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunCancelled")]
pub struct RunCancelled<I = Value> {
    /// The run that was cancelled.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// The app that it is a run of.
    pub app: String,
    /// The event that started it; `None` if something else did.
    pub event: Option<EventId>,
    /// When its trigger was accepted. Of a run that has restarted, when its last generation began.
    pub accepted_at: Timestamp,
    /// The input of that run.
    pub input: I,
    /// Why it was cancelled.
    pub reason: String,
}

/// A run has completed: the event `indelible/run.completed`. Its guarantees are those of [`RunFailed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunCompleted {
    /// The run that has completed.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// The app that it is a run of.
    pub app: String,
    /// The event that started it; `None` if something else did.
    pub event: Option<EventId>,
    /// When its trigger was accepted. Of a run that has restarted, when its last generation began.
    pub accepted_at: Timestamp,
    /// The input of that run.
    pub input: Value,
    /// What its body returned in its `Ok`.
    pub output: Value,
}

/// A workflow could not tell what to make of an event, so that the event is kept for it: the event
/// `indelible/event.blocked`.
///
/// Every app has this event without declaring it. It is accepted exactly once for each event and each of
/// the app's workflows that it is blocked for, in the commit that blocks it, if a workflow of the app asks
/// for it. Programs that try the event again say nothing new. A system event that is blocked makes no
/// further one.
///
/// [`Client::blocked_events`](../struct.Client.html#method.blocked_events) lists what is blocked now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventBlocked {
    /// The event that is blocked.
    pub event: EventId,
    /// Its name.
    pub name: String,
    /// The workflow that it is kept for.
    pub workflow: String,
    /// The app of that workflow.
    pub app: String,
    /// Why: which condition or key failed, or where the data does not fit the event's type.
    pub reason: String,
    /// When the event was accepted.
    pub accepted_at: Timestamp,
    /// The event's data.
    pub data: Value,
}

/// Implements [`Event`] for a system event, with those of its fields that can be matched on.
macro_rules! system_event {
    ($event:ident, $fields:ident, $name:literal, [$($field:ident: $type:ty),* $(,)?]) => {
        #[doc(hidden)]
        pub struct $fields {
            $(
                #[doc = concat!("Its `", stringify!($field), "`.")]
                pub $field: EventField<$event, $type>,
            )*
        }

        // What is no event of the user's is not meant to be one of these.
        #[diagnostic::do_not_recommend]
        impl Event for $event {
            const NAME: &'static str = $name;
            const TYPE: &'static str = concat!("indelible::workflow::", stringify!($event));
            type Fields = $fields;
            const FIELDS: $fields = $fields {
                $($field: EventField::new(stringify!($field), |value: &$type| {
                    serde_json::to_value(value).unwrap_or_default()
                }),)*
            };
        }
    };
}

system_event!(
    RunFailed,
    RunFailedFields,
    "indelible/run.failed",
    [run: RunId, workflow: String, event: Option<EventId>]
);
system_event!(
    RunCancelled,
    RunCancelledFields,
    "indelible/run.cancelled",
    [run: RunId, workflow: String, event: Option<EventId>]
);
system_event!(
    RunCompleted,
    RunCompletedFields,
    "indelible/run.completed",
    [run: RunId, workflow: String, event: Option<EventId>]
);
system_event!(
    EventBlocked,
    EventBlockedFields,
    "indelible/event.blocked",
    [event: EventId, name: String, workflow: String]
);

/// The events that Indelible itself makes, for the workflows of the app that they are about.
#[doc(hidden)]
pub const SYSTEM_EVENTS: [EventDef; 4] = [
    EventDef::of::<RunFailed>(),
    EventDef::of::<RunCancelled>(),
    EventDef::of::<RunCompleted>(),
    EventDef::of::<EventBlocked>(),
];

/// Whether that is the name of a system event.
#[doc(hidden)]
pub const fn is_system_event(name: &str) -> bool {
    let mut index = 0;
    while index < SYSTEM_EVENTS.len() {
        if same(SYSTEM_EVENTS[index].name, name) {
            return true;
        }
        index += 1;
    }
    false
}
