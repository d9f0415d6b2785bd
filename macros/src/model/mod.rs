//! Syntax to a model: what the user wrote, in the words of the domain. Nothing here refuses what can
//! be understood; that is for the rules in [`check`](crate::check).

mod allowance;
mod arguments;
mod attributes;
mod awaits;
mod batch;
mod bindings;
mod carried;
mod configuration;
mod cron;
mod event;
mod event_fields;
mod filter;
mod graph;
mod handle;
mod items;
mod key;
mod limits;
mod macros;
mod occurrences;
mod parts;
mod restart;
mod step;
mod triggers;
mod ungrouped;
mod values;
mod walk;
mod workflow;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::awaits::Misawaited;
pub(crate) use self::batch::Batch;
pub(crate) use self::carried::{CarriedLoop, is_carried};
pub(crate) use self::configuration::{Backoff, Configuration, MOST_RETRIES, OnChange};
pub(crate) use self::cron::{Cron, CronOptions};
pub(crate) use self::event::EventModel;
pub(crate) use self::event_fields::EventField;
pub(crate) use self::filter::Filter;
pub(crate) use self::graph::Graph;
pub(crate) use self::handle::Handle;
pub(crate) use self::key::Key;
pub(crate) use self::limits::{Concurrency, Debounce, Hold, Limits, Mode, Scope};
pub(crate) use self::macros::{MacroCall, hidden_step};
pub(crate) use self::occurrences::occurrences;
pub(crate) use self::restart::is_restart;
pub(crate) use self::step::{
    Method, Step, StepId, awaited_event, id_of, line, matched, transaction, transaction_mut,
};
pub(crate) use self::triggers::TriggersModel;
pub(crate) use self::walk::{Boxed, Nested, Unused};
pub(crate) use self::workflow::{WorkflowModel, step_handle};
