use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote};

use super::waits;
use crate::model::{Edge, Method, Node, Step, StepId, WorkflowModel, line};

/// The graph as a constant.
pub(super) fn constant(workflow: &WorkflowModel) -> TokenStream {
    let states = workflow.states().map(|step| state(workflow, step));
    let edges = workflow.graph.edges.iter().map(|Edge { from, to, condition }| {
        let (from, to) = (node(*from), node(*to));
        quote!(Edge::new(#from, #to, #condition))
    });
    let edges = match workflow.graph.edges.is_empty() {
        true => quote!(&[]),
        false => quote!({
            use __private::{Edge, Node::*};
            &[#(#edges),*]
        }),
    };
    let allowed = workflow.configuration.allowances.iter().map(|allowance| {
        let (rule, reason) = (allowance.rule.to_string(), &allowance.reason);
        let line = line(allowance.rule.span());
        quote!(__private::Allowed { rule: #rule, reason: #reason, line: #line })
    });
    quote! {
        __private::Graph {
            states: &[#(#states),*],
            edges: #edges,
            allowed: &[#(#allowed),*],
        }
    }
}

fn state(workflow: &WorkflowModel, step: &Step) -> TokenStream {
    let StepId::Literal(id, _) = &step.id else { return TokenStream::new() };
    let line = Literal::u32_unsuffixed(step.line());
    let kind = Ident::new(step.method.kind(), Span::call_site());
    let more = match (&step.helper, step.method) {
        (Some(helper), _) => Some(quote!(&<#helper as __private::DurableFn>::GRAPH)),
        (None, Method::WaitForEvent) => Some(match step.known_event(workflow) {
            Some(event) => waits::name(event),
            None => quote!(""),
        }),
        _ => None,
    };
    let more = more.into_iter();
    let undo = step.undo().map(|undo| {
        let name = undo.to_token_stream().to_string().replace(' ', "");
        quote!(.undone_by(#name))
    });
    quote!(__private::StateDef::#kind(#id, #line #(, #more)*) #undo)
}

fn node(node: Node) -> TokenStream {
    let number = Literal::usize_unsuffixed;
    match node {
        Node::Start => quote!(Start),
        Node::State(index) => {
            let index = number(index);
            quote!(State(#index))
        }
        Node::Fork(fork) => {
            let fork = number(fork);
            quote!(Fork(#fork))
        }
        Node::Join(join) => {
            let join = number(join);
            quote!(Join(#join))
        }
        Node::End => quote!(End),
        Node::Failed => quote!(Failed),
        Node::Restarted => quote!(Restarted),
        Node::Junction(_) => unreachable!("junctions are taken out when the graph is linked"),
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
