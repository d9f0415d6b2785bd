use proc_macro2::TokenStream;
use quote::quote;

use super::runtime::Runtime;
use crate::parse::AppSyntax;

pub(super) fn expand(app: &AppSyntax) -> TokenStream {
    let AppSyntax { attributes, visibility, ident, name, events, workflows } = app;
    let docs = attributes
        .is_empty()
        .then(|| format!("The events and workflows of `{}`.", name.value()))
        .map(|text| quote!(#[doc = #text]));
    let implementation = Runtime::at(None).enclose(quote! {
        impl __private::App for #ident {
            const NAME: &'static str = #name;

            fn events() -> __private::Vec<__private::EventDef> {
                __private::vec![#(__private::EventDef::of::<#events>()),*]
            }

            fn workflows() -> __private::Vec<__private::Definition> {
                __private::vec![#(__private::Definition::of::<#workflows>()),*]
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
