use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};

use crate::model::{Edge, Node, Step, StepId, WorkflowModel, line};

/// The graph as a constant.
pub(super) fn constant(workflow: &WorkflowModel) -> TokenStream {
    let states = workflow.states().map(state);
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
            states: &[#(#states),*],
            edges: &[#(#edges),*],
            allowed: &[#(#allowed),*],
        }
    }
}

fn state(step: &Step) -> TokenStream {
    let StepId::Literal(id) = &step.id else { return TokenStream::new() };
    let (kind, line) = (format_ident!("{}", step.method.kind()), step.line());
    let helper = match &step.helper {
        Some(helper) => quote!(__private::Option::Some(&<#helper as __private::DurableFn>::GRAPH)),
        None => quote!(__private::Option::None),
    };
    let undo = match step.undo() {
        Some(undo) => {
            let name = undo.to_token_stream().to_string().replace(' ', "");
            quote!(__private::Option::Some(#name))
        }
        None => quote!(__private::Option::None),
    };
    quote! {
        __private::StateDef {
            id: #id,
            kind: __private::StepKind::#kind,
            line: #line,
            helper: #helper,
            undo: #undo,
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
    let names: Vec<_> = workflow
        .states()
        .filter_map(|step| match &step.id {
            StepId::Literal(id) => Some(id.value()),
            _ => None,
        })
        .collect();
    (!names.is_empty())
        .then(|| format!("\n# States\n\n```text\n{}\n```", workflow.graph.to_text(&names)))
}
