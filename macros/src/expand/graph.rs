use std::fmt::Write as _;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote};

use super::{called, waits};
use crate::model::{Method, Step, WorkflowModel, line};

/// The graph as a constant: mostly text, which the runtime reads.
pub(super) fn constant(workflow: &WorkflowModel) -> TokenStream {
    let (mut states, mut events, mut helpers) = (String::new(), Vec::new(), Vec::new());
    for (place, step) in workflow.states().enumerate() {
        write_state(step, &mut states);
        let place = Literal::usize_unsuffixed(place);
        if let Some(graph) = called::helper("GRAPH", step) {
            helpers.push(quote!((#place, #graph)));
        }
        let waits = step.method == Method::WaitForEvent;
        if let Some(event) = step.known_event(workflow).filter(|_| waits) {
            let name = waits::name(event);
            events.push(quote!((#place, #name)));
        }
    }
    let edges = workflow.graph.to_lines();
    let allowed = workflow.configuration.allowances.iter().map(|allowance| {
        let (rule, reason) = (allowance.rule.to_string(), &allowance.reason);
        let line = line(allowance.rule.span());
        quote!(__private::Allowed { rule: #rule, reason: #reason, line: #line })
    });
    let allowed: Vec<_> = allowed.collect();
    let with = |method: &str, values: Vec<TokenStream>| {
        let method = Ident::new(method, Span::call_site());
        (!values.is_empty()).then(|| quote!(.#method(&[#(#values),*])))
    };
    let events = with("with_events", events);
    let helpers = with("with_helpers", helpers);
    let allowed = with("with_allowed", allowed);
    quote!(__private::Graph::written(#states, #edges) #events #helpers #allowed)
}

/// A state on a line: `29 run fetch`, and perhaps what undoes it.
fn write_state(step: &Step, lines: &mut String) {
    let _ = write!(lines, "{} {}", step.line(), step.method.kind());
    if let Some(id) = step.literal_id() {
        let _ = write!(lines, " {id}");
    }
    if let Some(undo) = step.undo() {
        let name = undo.to_token_stream().to_string().replace(' ', "");
        let _ = write!(lines, " {name}");
    }
    lines.push('\n');
}

/// The graph as the documentation of the workflow shows it.
pub(super) fn documentation(workflow: &WorkflowModel) -> Option<String> {
    let names: Vec<_> = workflow.states().filter_map(Step::literal_id).collect();
    (!names.is_empty())
        .then(|| format!("\n# States\n\n```text\n{}```", workflow.graph.to_text(&names)))
}
