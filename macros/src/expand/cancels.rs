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
        // Where types differ, rustc underlines what is compared, if that is one token of the user's: no
        // name of a field, which may be a workflow's, too.
        let values: Vec<_> = (cancel.fields.iter().enumerate())
            .map(|(place, (_, ours))| Ident::new(&format!("__value_{place}"), ours.span()))
            .collect();
        let read = cancel.fields.iter().zip(&values).map(|((_, ours), value)| {
            let span = ours.span();
            quote_spanned!(span=> let #value = &#data.#ours;)
        });
        let encoded = cancel.fields.iter().zip(&values).map(|((theirs, ours), value)| {
            let span = ours.span();
            quote_spanned!(span=> <#event as __private::Event>::FIELDS.#theirs.encode(#value))
        });
        let compared = quote_spanned!(of=> __private::compared::<#input>);
        quote! {
            __private::CancelOn {
                event: <#event as __private::Event>::NAME,
                fields: &[#(#names),*],
                values: |#stored| #compared(#stored, |#data| {
                    #(#read)*
                    __private::vec![#(#encoded),*]
                }),
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
