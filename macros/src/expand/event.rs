use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::runtime::Runtime;
use crate::model::{EventField, EventModel};

pub(super) fn expand(event: &EventModel) -> TokenStream {
    let ident = &event.item.ident;
    let (impl_generics, ty_generics, where_clause) = event.item.generics.split_for_impl();
    // An event whose name is wrong is still an event to the rest of the program.
    let name = event.name.as_ref().map(|name| quote!(#name)).unwrap_or_else(|| quote!(""));
    let Fields { name: fields, definition, constant } = Fields::of(event);
    Runtime::at(event.krate.as_ref()).enclose(quote! {
        #definition

        #[automatically_derived]
        impl #impl_generics __private::Event for #ident #ty_generics #where_clause {
            const NAME: &'static str = #name;
            const TYPE: &'static str = __private::concat!(
                __private::module_path!(), "::", __private::stringify!(#ident)
            );
            type Fields = #fields;
            const FIELDS: #fields = #constant;
        }
    })
}

/// What an event says of its fields.
struct Fields {
    name: TokenStream,
    /// The type with a member for each.
    definition: TokenStream,
    constant: TokenStream,
}

impl Fields {
    fn of(event: &EventModel) -> Self {
        // That it is generic was reported.
        if event.fields.is_empty() || !event.item.generics.params.is_empty() {
            let nothing = || quote!(());
            return Self { name: nothing(), definition: TokenStream::new(), constant: nothing() };
        }
        let ident = &event.item.ident;
        let name = format_ident!("{ident}Fields");
        let members = event.fields.iter().map(|EventField { ident: field, visibility, ty, .. }| {
            quote!(#visibility #field: __private::EventField<#ident, #ty>)
        });
        let values = event.fields.iter().map(|field| value(ident, field));
        let definition = quote! {
            #[allow(dead_code, reason = "what is matched on is for the workflows to say")]
            pub struct #name { #(#members),* }
        };
        let constant = quote!(#name { #(#values),* });
        Self { name: quote!(#name), definition, constant }
    }
}

/// One field: its wire name, and how its value is written.
fn value(event: &Ident, field: &EventField) -> TokenStream {
    let EventField { ident, ty, wire_name, serialize_with, .. } = field;
    let encode = match serialize_with {
        Some(function) => quote! {
            |value: &#ty| __private::written(#function(value, __private::ValueSerializer))
        },
        None => quote!(|value: &#ty| __private::written(__private::to_value(value))),
    };
    quote!(#ident: __private::EventField::<#event, #ty>::new(#wire_name, #encode))
}
