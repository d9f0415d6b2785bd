//! Tokens to syntax: the arguments of attributes, the items under them, and the small languages in
//! their literals (names, durations). Nothing here knows what a workflow is.

mod app;
mod arguments;
mod cancel;
mod cron;
mod dates;
mod derive;
mod duration;
mod field;
mod macros;
mod name;
mod suggestion;
mod workflow;
mod zone;

pub(crate) use self::app::AppSyntax;
pub(crate) use self::arguments::{Argument, Value, parse_arguments};
pub(crate) use self::cancel::CancelSyntax;
pub(crate) use self::cron::{Schedule, parse_cron};
pub(crate) use self::derive::DeriveSyntax;
pub(crate) use self::duration::parse_duration;
pub(crate) use self::macros::{
    Concurrency, MacroArguments, RaceBranch, awaited_already, concurrency, is_a_list,
    unread_branches,
};
pub(crate) use self::name::{event_name_flaw, is_kebab_case, to_kebab_case, variant_name};
pub(crate) use self::suggestion::did_you_mean;
pub(crate) use self::workflow::WorkflowSyntax;
pub(crate) use self::zone::parse_zone;
