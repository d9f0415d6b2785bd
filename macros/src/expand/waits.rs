use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Method, Step, WorkflowModel};

/// What a body waits for, as a constant: the program subscribes to it before any run begins.
pub(super) fn constant(workflow: &WorkflowModel) -> TokenStream {
    let waits = workflow.steps.iter().filter_map(|step| match (&step.method, &step.helper) {
        (Method::WaitForEvent, _) => event(workflow, step),
        (_, Some(helper)) => {
            Some(quote!(__private::Awaits::Helper(<#helper as __private::DurableFn>::WAITS)))
        }
        _ => None,
    });
    quote!(&[#(#waits),*])
}

fn event(workflow: &WorkflowModel, step: &Step) -> Option<TokenStream> {
    // One that is not known from the source was reported.
    let event = step.event.as_ref().filter(|event| !workflow.is_generic_over(event))?;
    let fields =
        step.matched().map(|(field, _)| quote!(<#event as __private::Event>::FIELDS.#field.name()));
    Some(quote! {
        __private::Awaits::Event {
            event: <#event as __private::Event>::NAME,
            fields: &[#(#fields),*],
        }
    })
}
