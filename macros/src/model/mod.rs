//! Syntax to a model: what the user wrote, in the words of the domain. Nothing here refuses what can
//! be understood; that is for the rules in [`check`](crate::check).

mod allowance;
mod carried;
mod configuration;
mod event;
mod event_fields;
mod graph;
mod step;
mod steps;
mod triggers;
mod workflow;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::carried::{CarriedLoop, is_carried};
pub(crate) use self::configuration::{Backoff, Configuration};
pub(crate) use self::event::EventModel;
pub(crate) use self::event_fields::EventField;
pub(crate) use self::graph::{Edge, Graph, Node};
pub(crate) use self::step::{Method, Step, StepId, helper_id, line, matched};
pub(crate) use self::steps::{occurrences, steps, steps_in};
pub(crate) use self::triggers::TriggersModel;
pub(crate) use self::workflow::WorkflowModel;
