use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned as _;

use super::runtime::Runtime;
use crate::parse::AppSyntax;

pub(super) fn expand(app: &AppSyntax) -> TokenStream {
    let AppSyntax { attributes, visibility, ident, name, events, workflows, on_failure, on_cancel } =
        app;
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
            const _: () = DECLARED.cancellations_are_declared(#index);
            const _: () = DECLARED.handlers_are_declared(#index);
            const _: () = DECLARED.shared_limits_agree(#index);
        }
    });
    let handler = |function: &str, handler: &Option<Path>| match handler {
        Some(handler) => {
            let function = Ident::new(function, handler.span());
            quote_spanned!(handler.span()=> __private::Option::Some(__private::#function(#handler)))
        }
        None => quote!(__private::Option::None),
    };
    let handlers = on_failure.as_ref().or(on_cancel.as_ref()).map(|first| {
        let on_failure = handler("on_any_failure", on_failure);
        let on_cancel = handler("on_any_cancel", on_cancel);
        let check = quote_spanned! {first.span()=>
            const _: () = DECLARED.has_handlers(#name, HANDLERS);
        };
        let constant = quote! {
            const HANDLERS: __private::Handlers = __private::Handlers {
                on_failure: #on_failure,
                on_cancel: #on_cancel,
            };
        };
        (constant, check)
    });
    let (constant, check) = handlers.unzip();
    let handlers = constant.as_ref().map(|_| {
        quote!(
            const HANDLERS: __private::Handlers = HANDLERS;
        )
    });
    let implementation = Runtime::at(None).enclose(quote! {
        const DECLARED: __private::Declared = __private::Declared {
            events: &[#(__private::EventDef::of::<#events>()),*],
            workflows: &[#(__private::definition(#workflows)),*],
        };
        #(#unique_events)*
        #(#sound_workflows)*
        #constant
        #check

        impl __private::App for #ident {
            const NAME: &'static str = #name;
            #handlers

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
