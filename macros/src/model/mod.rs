//! Syntax to a model: what the user wrote, in the words of the domain. Nothing here refuses what can
//! be understood; that is for the rules in [`check`](crate::check).

mod allowance;
mod configuration;
mod event;
mod graph;
mod step;
mod workflow;

pub(crate) use self::allowance::Allowance;
pub(crate) use self::configuration::{Backoff, Configuration};
pub(crate) use self::event::EventModel;
pub(crate) use self::graph::{Edge, Graph, Node};
pub(crate) use self::step::{Method, Step, StepId, helper_id, line, steps, steps_in};
pub(crate) use self::workflow::WorkflowModel;
