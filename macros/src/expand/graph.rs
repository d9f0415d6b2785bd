use proc_macro2::TokenStream;
use quote::quote;

use super::state::States;
use crate::model::{Edge, Node, WorkflowModel, line};

/// The graph as a constant.
pub(super) fn constant(workflow: &WorkflowModel, states: &States<'_>) -> TokenStream {
    let definitions = states.definitions();
    let edges = workflow.graph.edges.iter().map(|Edge { from, to, condition }| {
        let (from, to) = (node(*from), node(*to));
        quote!(__private::Edge { from: #from, to: #to, condition: #condition })
    });
    let allowed = workflow.configuration.allowances.iter().map(|allowance| {
        let (rule, reason) = (allowance.rule.to_string(), &allowance.reason);
        let line = line(allowance.rule.span());
        quote!(__private::Allowed { rule: #rule, reason: #reason, line: #line })
    });
    quote! {
        __private::Graph {
            states: #definitions,
            edges: &[#(#edges),*],
            allowed: &[#(#allowed),*],
        }
    }
}

fn node(node: Node) -> TokenStream {
    match node {
        Node::Start => quote!(__private::Node::Start),
        Node::State(index) => quote!(__private::Node::State(#index)),
        Node::Fork(number) => quote!(__private::Node::Fork(#number)),
        Node::Join(number) => quote!(__private::Node::Join(#number)),
        Node::End => quote!(__private::Node::End),
        Node::Failed => quote!(__private::Node::Failed),
        Node::Junction(_) => unreachable!("junctions are taken out when the graph is linked"),
    }
}

/// The graph as the documentation of the workflow shows it.
pub(super) fn documentation(workflow: &WorkflowModel) -> Option<String> {
    (!workflow.states.is_empty()).then(|| {
        format!("\n# States\n\n```text\n{}\n```", workflow.graph.to_text(&workflow.states))
    })
}
