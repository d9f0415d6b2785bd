use proc_macro2::TokenStream;
use quote::quote;

use syn::Type;

use super::called;
use crate::model::{Method, Step, WorkflowModel};

/// What a body waits for, for a constant: the program subscribes to it before any run begins.
pub(super) fn of(workflow: &WorkflowModel) -> Vec<TokenStream> {
    let waits = workflow.steps.iter().filter_map(|step| match step.method {
        Method::WaitForEvent => event(workflow, step),
        _ => {
            let waits = called::helper("WAITS", step)?;
            Some(quote!(__private::Awaits::Helper(#waits)))
        }
    });
    waits.collect()
}

fn event(workflow: &WorkflowModel, step: &Step) -> Option<TokenStream> {
    let event = step.known_event(workflow)?;
    let name = name(event);
    let fields =
        step.matched().map(|(field, _)| quote!(<#event as __private::Event>::FIELDS.#field.name()));
    Some(quote! {
        __private::Awaits::Event {
            event: #name,
            fields: &[#(#fields),*],
        }
    })
}

/// An event's name. Of a type that is no event, rustc says so where it is waited for, and nowhere else.
pub(super) fn name(event: &Type) -> TokenStream {
    quote!({
        #[allow(unused_imports)]
        use __private::NameOfNoEvent as _;
        __private::NameOf::<#event>::NAME
    })
}
