//! The model to tokens. What is emitted is little: types, constants, and short calls into
//! `indelible::__private`. When something was reported, the item is emitted all the same, beside the
//! messages, so that other code still sees its name and types.

mod app;
mod attempt;
mod body;
mod called;
mod cancels;
mod concurrency;
mod event;
mod graph;
mod helper;
mod limits;
mod loops;
mod method;
mod results;
mod runtime;
mod state;
mod syntax;
mod triggered;
mod triggers;
mod undos;
mod waits;
mod workflow;

use proc_macro2::TokenStream;

use crate::check;
use crate::model::{EventModel, TriggersModel, WorkflowModel};
use crate::parse::{AppSyntax, DeriveSyntax, WorkflowSyntax};
use crate::problem::Problems;

/// `#[workflow(..)]`
pub(crate) fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let problems = Problems::new();
    let mut output = match WorkflowSyntax::parse("workflow", arguments, item.clone(), &problems) {
        Some(syntax) => {
            let mut model = WorkflowModel::new(syntax, &problems);
            model.orders = check::workflow(&model, &problems);
            match model.function.sig.receiver() {
                Some(_) => method::expand(model),
                None => workflow::expand(model, &problems),
            }
        }
        None => item,
    };
    output.extend(problems.into_tokens());
    output
}

/// `#[durable]`
pub(crate) fn durable(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let problems = Problems::new();
    let mut output = match WorkflowSyntax::parse("durable", arguments, item.clone(), &problems) {
        Some(syntax) => {
            let mut model = WorkflowModel::helper(syntax, &problems);
            model.orders = check::helper(&model, &problems);
            match model.function.sig.receiver() {
                Some(_) => method::expand(model),
                None => helper::expand(model, &problems),
            }
        }
        None => item,
    };
    output.extend(problems.into_tokens());
    output
}

/// `#[derive(Event)]`
pub(crate) fn event(item: TokenStream) -> TokenStream {
    let problems = Problems::new();
    let mut output = TokenStream::new();
    let example = "#[event(name = \"area/what-happened\")]";
    if let Some(syntax) = DeriveSyntax::parse(item, "event", example, &problems) {
        let model = EventModel::new(syntax, &problems);
        check::event(&model, &problems);
        output.extend(event::expand(&model));
    }
    output.extend(problems.into_tokens());
    output
}

/// `#[derive(Triggers)]`
pub(crate) fn triggers(item: TokenStream) -> TokenStream {
    let problems = Problems::new();
    let mut output = TokenStream::new();
    let example = "#[triggers(crate = ::indelible)]";
    if let Some(syntax) = DeriveSyntax::parse(item, "triggers", example, &problems) {
        let model = TriggersModel::new(syntax, &problems);
        check::triggers(&model, &problems);
        output.extend(triggers::expand(&model));
    }
    output.extend(problems.into_tokens());
    output
}

/// `app! { .. }`
pub(crate) fn app(input: TokenStream) -> TokenStream {
    let problems = Problems::new();
    let mut output = TokenStream::new();
    if let Some(model) = AppSyntax::parse(input, &problems) {
        check::app(&model, &problems);
        output.extend(app::expand(&model));
    }
    output.extend(problems.into_tokens());
    output
}

#[cfg(test)]
mod tests;
