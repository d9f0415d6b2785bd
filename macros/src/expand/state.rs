use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, LitStr};

use crate::model::{Step, StepId, WorkflowModel};

/// The enum of a workflow's states.
pub(super) struct States<'m> {
    pub(super) name: Ident,
    states: Vec<State<'m>>,
}

struct State<'m> {
    variant: Ident,
    id: &'m LitStr,
    step: &'m Step,
}

impl<'m> States<'m> {
    /// A state for each step that can have one; those that cannot were reported.
    pub(super) fn of(workflow: &'m WorkflowModel) -> Self {
        let mut taken = HashSet::new();
        let states = workflow.steps.iter().filter_map(|step| match &step.id {
            StepId::Literal(id) => Some(State { variant: step.id.variant()?, id, step }),
            _ => None,
        });
        let states = states.filter(|state| taken.insert(state.variant.clone())).collect();
        Self { name: enum_name(workflow.name()), states }
    }

    /// The enum, as visible as its workflow.
    pub(super) fn definition(&self, workflow: &WorkflowModel) -> TokenStream {
        let (name, visibility) = (&self.name, &workflow.function.vis);
        let docs = format!("The states of [`{}`]: one for each of its steps.", workflow.name());
        let variants = self.states.iter().map(|State { variant, id, .. }| {
            let docs = format!("The step `{}`.", id.value());
            quote!(#[doc = #docs] #variant)
        });
        quote! {
            #[doc = #docs]
            #[allow(non_camel_case_types)]
            #[derive(
                ::core::clone::Clone,
                ::core::marker::Copy,
                ::core::fmt::Debug,
                ::core::cmp::PartialEq,
                ::core::cmp::Eq,
                ::core::hash::Hash,
            )]
            #visibility enum #name { #(#variants),* }
        }
    }

    /// `impl State`.
    pub(super) fn implementation(&self) -> TokenStream {
        let name = &self.name;
        let variants: Vec<_> = self.states.iter().map(|state| &state.variant).collect();
        let ids = self.states.iter().map(|state| state.id);
        quote! {
            impl __private::State for #name {
                const ALL: &'static [Self] = &[#(Self::#variants),*];

                fn id(self) -> &'static str {
                    match self { #(Self::#variants => #ids),* }
                }
            }
        }
    }

    /// The states as data.
    pub(super) fn graph(&self) -> TokenStream {
        let states = self.states.iter().map(|State { id, step, .. }| {
            let (kind, line) = (format_ident!("{}", step.method.kind()), step.line());
            quote! {
                __private::StateDef { id: #id, kind: __private::StepKind::#kind, line: #line }
            }
        });
        quote!(__private::Graph { states: &[#(#states),*] })
    }
}

/// `on_ticket_created` gives `OnTicketCreatedState`.
fn enum_name(workflow: &Ident) -> Ident {
    use heck::ToUpperCamelCase as _;
    let name = workflow.to_string();
    let name = format!("{}State", name.trim_start_matches("r#").to_upper_camel_case());
    Ident::new(&name, workflow.span())
}
