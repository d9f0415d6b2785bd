use proc_macro2::TokenStream;
use quote::quote;
use syn::{ReturnType, parse_quote};

use super::runtime::Runtime;
use crate::model::WorkflowModel;

/// A method, which was refused. What takes its place needs no items, which an `impl` cannot hold, and may
/// be awaited in a body.
pub(super) fn expand(refused: WorkflowModel) -> TokenStream {
    let runtime = Runtime::at(refused.configuration.krate.as_ref());
    let krate = runtime.path();
    let mut method = refused.function;
    let output = match &method.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    method.sig.asyncness = None;
    method.sig.output = parse_quote! {
        -> #krate::__private::Branch<impl #krate::__private::Future<Output = #output>>
    };
    *method.block = parse_quote!({
        #krate::__private::Branch(async { #krate::__private::refused() })
    });
    quote!(#[allow(unused_variables)] #method)
}
