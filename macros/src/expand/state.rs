use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, LitStr};

use crate::model::{Method, StepId, WorkflowModel};

/// The enum of a workflow's states.
pub(super) struct States<'m> {
    pub(super) name: Ident,
    states: Vec<State<'m>>,
}

struct State<'m> {
    variant: Ident,
    id: &'m LitStr,
}

impl<'m> States<'m> {
    /// A state for each step that can have one; those that cannot were reported.
    pub(super) fn of(workflow: &'m WorkflowModel) -> Self {
        let mut taken = HashSet::new();
        let states = workflow.steps.iter().filter_map(|step| match &step.id {
            StepId::Literal(id, _) if step.method != Method::Call => {
                Some(State { variant: step.id.variant()?, id })
            }
            _ => None,
        });
        let states = states.filter(|state| taken.insert(state.variant.clone())).collect();
        Self { name: enum_name(workflow.name()), states }
    }

    /// The enum, as visible as its workflow.
    pub(super) fn definition(&self, workflow: &WorkflowModel) -> TokenStream {
        let (name, visibility) = (&self.name, &workflow.function.vis);
        let docs = format!("The states of `{}`: one for each of its steps.", workflow.name());
        let variants = self.states.iter().map(|state| &state.variant);
        // A doc on each variant would cost rustc more than all else about the enum.
        quote! {
            #[doc = #docs]
            #[allow(missing_docs, non_camel_case_types)]
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

    /// `impl State`, and the traits that states are written and read by.
    pub(super) fn implementation(&self) -> TokenStream {
        let name = &self.name;
        let variants: Vec<_> = self.states.iter().map(|state| &state.variant).collect();
        let ids = self.states.iter().map(|state| state.id);
        let id = match variants.as_slice() {
            [] => quote!(match self {}),
            _ => quote!([#(#ids),*][self as usize]),
        };
        quote! {
            impl __private::State for #name {
                const ALL: &'static [Self] = &[#(Self::#variants),*];

                fn id(self) -> &'static str {
                    #id
                }
            }

            impl __private::fmt::Display for #name {
                fn fmt(&self, f: &mut __private::fmt::Formatter<'_>) -> __private::fmt::Result {
                    f.pad(__private::State::id(*self))
                }
            }

            impl __private::FromStr for #name {
                type Err = __private::UnknownState;

                fn from_str(id: &str) -> __private::Result<Self, Self::Err> {
                    __private::UnknownState::or_find(id)
                }
            }

            impl __private::Serialize for #name {
                fn serialize<S: __private::Serializer>(
                    &self,
                    serializer: S,
                ) -> __private::Result<S::Ok, S::Error> {
                    serializer.serialize_str(__private::State::id(*self))
                }
            }

            impl<'de> __private::Deserialize<'de> for #name {
                fn deserialize<D: __private::Deserializer<'de>>(
                    deserializer: D,
                ) -> __private::Result<Self, D::Error> {
                    __private::deserialize_state(deserializer)
                }
            }
        }
    }
}

/// `on_ticket_created` gives `OnTicketCreatedState`.
fn enum_name(workflow: &Ident) -> Ident {
    use heck::ToUpperCamelCase as _;
    let name = workflow.to_string();
    let name = format!("{}State", name.trim_start_matches("r#").to_upper_camel_case());
    Ident::new(&name, workflow.span())
}
