use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote};

use super::waits;
use crate::model::{Edge, Method, Step, StepId, WorkflowModel, line};

/// The graph as a constant.
pub(super) fn constant(workflow: &WorkflowModel) -> TokenStream {
    let ids = workflow.states().map(|step| match &step.id {
        StepId::Literal(id, _) => Some(id),
        _ => None,
    });
    let kinds = workflow.states().map(|step| Ident::new(step.method.kind(), Span::call_site()));
    let lines = workflow.states().map(|step| Literal::u32_unsuffixed(step.line()));
    let rests = workflow.states().map(|step| rest(workflow, step));
    let undos = workflow.states().map(undone_by);
    let edges = match workflow.graph.edges.as_slice() {
        [] => quote!(&[]),
        edges => {
            let edges = edge_list(edges);
            quote!({
                use __private::{Edge, Node::*};
                &[#edges]
            })
        }
    };
    let allowed = workflow.configuration.allowances.iter().map(|allowance| {
        let (rule, reason) = (allowance.rule.to_string(), &allowance.reason);
        let line = line(allowance.rule.span());
        quote!(__private::Allowed { rule: #rule, reason: #reason, line: #line })
    });
    quote! {
        __private::Graph {
            states: &[#(__private::StateDef::#kinds(#ids, #lines #rests) #undos),*],
            edges: #edges,
            allowed: &[#(#allowed),*],
        }
    }
}

/// What some kinds of states are defined with beside their ids and lines.
fn rest(workflow: &WorkflowModel, step: &Step) -> Option<TokenStream> {
    match (&step.helper, step.method) {
        (Some(helper), _) => Some(quote!(, &<#helper as __private::DurableFn>::GRAPH)),
        (None, Method::WaitForEvent) => Some(match step.known_event(workflow) {
            Some(event) => {
                let name = waits::name(event);
                quote!(, #name)
            }
            None => quote!(, ""),
        }),
        _ => None,
    }
}

fn undone_by(step: &Step) -> Option<TokenStream> {
    let name = step.undo()?.to_token_stream().to_string().replace(' ', "");
    Some(quote!(.undone_by(#name)))
}

/// The edges, written as text: there are many of them, and none has a place in the source to keep, so
/// rustc makes their tokens from a text in a fraction of the time that one by one would take. What
/// `Debug` says of a node, and of a condition, is how Rust writes it.
fn edge_list(edges: &[Edge]) -> TokenStream {
    let mut list = String::new();
    for Edge { from, to, condition } in edges {
        list.push_str(&format!("Edge::new({from:?}, {to:?}, {condition:?}),"));
    }
    let is_rust = "nodes and strings are written as in Rust";
    match proc_macro::is_available() {
        // `proc_macro2` would read it with a lexer of its own before.
        true => list.parse::<proc_macro::TokenStream>().expect(is_rust).into(),
        false => list.parse().expect(is_rust),
    }
}

/// The graph as the documentation of the workflow shows it.
pub(super) fn documentation(workflow: &WorkflowModel) -> Option<String> {
    let names: Vec<_> = workflow
        .states()
        .filter_map(|step| match &step.id {
            StepId::Literal(_, id) => Some(id.clone()),
            _ => None,
        })
        .collect();
    (!names.is_empty())
        .then(|| format!("\n# States\n\n```text\n{}\n```", workflow.graph.to_text(&names)))
}
