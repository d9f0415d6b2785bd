use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use crate::model::WorkflowModel;

/// The events that cancel a workflow's runs, as a constant: what they are compared with is read from
/// a run's input where the run is made.
pub(super) fn constant(workflow: &WorkflowModel, input: &TokenStream) -> Option<TokenStream> {
    let cancels = &workflow.configuration.cancels;
    if cancels.is_empty() || !workflow.has_a_signature() || is_refused(workflow) {
        return None;
    }
    let of = workflow.parameters().next().map_or(Span::call_site(), |first| first.ty.span());
    let [stored, data] = ["stored", "data"].map(|name| Ident::new(name, Span::mixed_site()));
    let cancels = cancels.iter().map(|cancel| {
        let event = &cancel.event;
        let names = cancel
            .fields
            .iter()
            .map(|(theirs, _)| quote!(<#event as __private::Event>::FIELDS.#theirs.name()));
        if cancel.fields.is_empty() {
            return quote! {
                __private::CancelOn {
                    event: <#event as __private::Event>::NAME,
                    fields: &[],
                    values: |_| __private::Option::Some(__private::Vec::new()),
                }
            };
        }
        let values = cancel.fields.iter().map(|(theirs, ours)| {
            let span = ours.span();
            // Where types differ, the field is underlined, and not all from here to there.
            let mut data = data.clone();
            data.set_span(data.span().located_at(span));
            let ours = quote_spanned!(span=> &#data.#ours);
            quote_spanned!(span=> <#event as __private::Event>::FIELDS.#theirs.encode(#ours))
        });
        let compared = quote_spanned!(of=> __private::compared::<#input>);
        quote! {
            __private::CancelOn {
                event: <#event as __private::Event>::NAME,
                fields: &[#(#names),*],
                values: |#stored| #compared(#stored, |#data| __private::vec![#(#values),*]),
            }
        }
    });
    Some(quote! {
        const CANCELS: &'static [__private::CancelOn] = &[#(#cancels),*];
    })
}

/// Whether it was reported that a run has nothing that an event could be compared with.
fn is_refused(workflow: &WorkflowModel) -> bool {
    let configuration = &workflow.configuration;
    configuration.gathered().is_some()
        && configuration.cancels.iter().any(|cancel| !cancel.fields.is_empty())
}
