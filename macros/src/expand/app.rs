use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::runtime::Runtime;
use crate::parse::AppSyntax;

pub(super) fn expand(app: &AppSyntax) -> TokenStream {
    let AppSyntax { attributes, visibility, ident, name, events, workflows } = app;
    let docs = attributes
        .is_empty()
        .then(|| format!("The events and workflows of `{}`.", name.value()))
        .map(|text| quote!(#[doc = #text]));
    let unique_events = events.iter().enumerate().map(|(index, path)| {
        quote_spanned!(path.span()=> const _: () = DECLARED.event_is_unique(#index);)
    });
    let sound_workflows = workflows.iter().enumerate().map(|(index, path)| {
        quote_spanned! {path.span()=>
            const _: () = DECLARED.workflow_is_unique(#index);
            const _: () = DECLARED.triggers_are_declared(#index);
            const _: () = DECLARED.waits_are_declared(#index);
        }
    });
    let implementation = Runtime::at(None).enclose(quote! {
        const DECLARED: __private::Declared = __private::Declared {
            events: &[#(__private::EventDef::of::<#events>()),*],
            workflows: &[#(__private::definition(#workflows)),*],
        };
        #(#unique_events)*
        #(#sound_workflows)*

        impl __private::App for #ident {
            const NAME: &'static str = #name;

            fn events() -> __private::Vec<__private::EventDef> {
                DECLARED.events.to_vec()
            }

            fn workflows() -> __private::Vec<__private::Definition> {
                DECLARED.workflows.to_vec()
            }
        }
    });
    quote! {
        #docs
        #(#attributes)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #ident;

        #implementation
    }
}
