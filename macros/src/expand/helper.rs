use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Ident, Pat, ReturnType, Type, parse_quote};

use super::runtime::Runtime;
use super::state::States;
use super::{body, graph, undos, waits};
use crate::model::{WorkflowModel, id_of};
use crate::problem::Problems;

/// A helper: a function that builds its call, and a type of the same name that carries its graph.
pub(super) fn expand(mut helper: WorkflowModel, problems: &Problems) -> TokenStream {
    let Some(handle) = helper.handle.as_ref().map(|handle| handle.name.clone()) else {
        let function = &helper.function;
        return quote!(#function);
    };
    let block = helper.take_body();
    let runtime = Runtime::at(helper.configuration.krate.as_ref());
    let krate = runtime.path();
    let states = States::of(&helper);
    let enumeration = states.definition(&helper, &runtime);

    let signature = &helper.function.sig;
    let (name, visibility) = (&signature.ident, &helper.function.vis);
    let (docs, others): (Vec<_>, Vec<_>) =
        helper.function.attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let diagram = graph::documentation(&helper).map(|text| quote!(#[doc = #text]));
    let id = id_of(name);
    let mut graph = graph::constant(&helper);
    let mut waits = waits::of(&helper);
    let mut undos = undos::of(&helper);
    let mut block = body::rewrite(block, &helper, &states, problems);
    let mut lints = None;
    if helper.calls_of_itself().next().is_some() || helper.is_left_out() {
        // It was reported, in better words than those for cycles of constants and futures, for a body
        // that gives nothing, or for a step without a state.
        graph = quote!(__private::Graph::EMPTY);
        waits.clear();
        undos.clear();
        lints = Some(quote!(#[allow(unused_variables)]));
        block = parse_quote!({ __private::refused() });
    }
    let (inputs, generics) = (&signature.inputs, &signature.generics);
    let (parameters, _, bounds) = generics.split_for_impl();
    let parameters = (!generics.params.is_empty()).then_some(quote!(#parameters));
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let returned = &signature.output;

    // The function outside takes what the one inside takes; patterns are for the inside.
    let entered = Ident::new("entered", Span::mixed_site());
    let mut outer = inputs.clone();
    let mut arguments = Vec::new();
    for (index, input) in outer.iter_mut().enumerate() {
        let syn::FnArg::Typed(parameter) = input else { continue };
        let argument = match &*parameter.pat {
            Pat::Ident(pattern) if pattern.subpat.is_none() => pattern.ident.clone(),
            _ => format_ident!("argument{index}"),
        };
        *parameter.pat = parse_quote!(#argument);
        arguments.push(match &*parameter.ty {
            Type::Reference(_) if argument == handle => quote!(&#entered),
            _ if argument == handle => quote!(#entered),
            _ => quote!(#argument),
        });
    }
    let implementations = runtime.enclose(quote! {
        impl __private::DurableFn for #name {
            const GRAPH: __private::Graph = #graph;
            const WAITS: &'static [__private::Awaits] = &[#(#waits),*];
            const UNDOS: &'static [__private::Undo] = &[#(#undos),*];
        }
    });
    quote! {
        #(#docs)*
        #diagram
        #(#others)*
        #visibility fn #name #parameters (#outer)
            -> #krate::__private::Call<
                impl #krate::__private::Future<Output = #output> + #krate::__private::Send
            >
        #bounds
        {
            use #krate::__private;

            #lints
            #[allow(clippy::redundant_closure, reason = "a step's attempt is made into one")]
            async fn __body #parameters (#inputs) #returned #bounds #block

            let #entered = #handle.enter(#id);
            __private::Call::new(__private::Clone::clone(&#entered), async move { __body(#(#arguments),*).await })
        }

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        #enumeration

        #implementations
    }
}
