use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, LitStr};

use super::runtime::Runtime;
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
        let mut taken = BTreeSet::new();
        let states = workflow.steps.iter().filter_map(|step| match &step.id {
            StepId::Literal(id, _) if step.method != Method::Call => {
                Some(State { variant: step.id.variant()?, id })
            }
            _ => None,
        });
        let states = states.filter(|state| taken.insert(state.variant.to_string())).collect();
        Self { name: enum_name(workflow.name()), states }
    }

    /// The enum, as visible as its workflow, with all that is implemented for it: what the runtime
    /// makes of the names costs rustc less than tokens that come from here.
    pub(super) fn definition(&self, workflow: &WorkflowModel, runtime: &Runtime) -> TokenStream {
        let (krate, name, visibility) = (runtime.path(), &self.name, &workflow.function.vis);
        let docs = format!("The states of `{}`: one for each of its steps.", workflow.name());
        let variants = self.states.iter().map(|state| &state.variant);
        let ids = self.states.iter().map(|state| state.id);
        quote! {
            #krate::__private::states! {
                #[doc = #docs]
                #visibility enum #name { #(#variants = #ids),* }
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
