use proc_macro2::TokenStream;
use quote::quote;

use super::runtime::Runtime;
use crate::model::EventModel;

pub(super) fn expand(event: &EventModel) -> TokenStream {
    let ident = &event.item.ident;
    let (impl_generics, ty_generics, where_clause) = event.item.generics.split_for_impl();
    // An event whose name is wrong is still an event to the rest of the program.
    let name = event.name.as_ref().map(|name| quote!(#name)).unwrap_or_else(|| quote!(""));
    Runtime::at(event.krate.as_ref()).enclose(quote! {
        #[automatically_derived]
        impl #impl_generics __private::Event for #ident #ty_generics #where_clause {
            const NAME: &'static str = #name;
            const TYPE: &'static str = __private::concat!(
                __private::module_path!(), "::", __private::stringify!(#ident)
            );
            type Fields = ();
        }
    })
}
