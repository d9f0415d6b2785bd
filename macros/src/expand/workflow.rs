use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, Block, Path, ReturnType};

use super::runtime::{Runtime, constant};
use super::state::States;
use super::{body, cancels, graph, triggered, undos, waits};
use crate::model::{OnChange, WorkflowModel, step_handle};
use crate::problem::Problems;

pub(super) fn expand(mut workflow: WorkflowModel, problems: &Problems) -> TokenStream {
    let block = workflow.take_body();
    let runtime = Runtime::at(workflow.configuration.krate.as_ref());
    let states = States::of(&workflow);

    let (docs, others): (Vec<_>, Vec<_>) =
        workflow.function.attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let conditions: Vec<_> = others.iter().filter(|attribute| is_condition(attribute)).collect();
    let (name, visibility) = (workflow.name(), &workflow.function.vis);
    let enumeration = states.definition(&workflow, &runtime);
    let output_span = output_span(&workflow);
    let implementation = implementation(&workflow, &states, output_span);
    let body = if workflow.has_a_signature() && !workflow.is_left_out() {
        body(block, &workflow, &states, output_span, problems)
    } else {
        stand_in(&workflow)
    };
    let implementations = runtime.enclose([implementation, body].into_iter().collect());
    let diagram = graph::documentation(&workflow).map(|text| quote!(#[doc = #text]));
    let krate = runtime.path();
    quote! {
        #(#docs)*
        #diagram
        #(#conditions)*
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        #(#conditions)*
        #[doc(hidden)]
        #visibility fn #name() -> #krate::__private::Called<#name> {
            #krate::__private::Called::of()
        }

        #(#conditions)*
        #enumeration

        #(#conditions)*
        #implementations
    }
}

fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

/// `impl Workflow`.
fn implementation(workflow: &WorkflowModel, states: &States<'_>, output_span: Span) -> TokenStream {
    let (name, state, id) = (workflow.name(), &states.name, &workflow.id);
    let (input, output) = if workflow.has_a_signature() {
        (input_type(workflow), output_type(workflow, output_span))
    } else {
        (quote!(__private::Direct<()>), quote!(()))
    };
    let output = quote_spanned!(output_span=> type Output = #output;);
    let configuration = configuration(workflow);
    let cancels = cancels::constant(workflow, &input);
    let graph = graph::constant(workflow);
    let waits = constants("WAITS", quote!(__private::Awaits), waits::of(workflow));
    let checks = triggered::checks(workflow);
    quote! {
        impl __private::Workflow for #name {
            type Input = #input;
            #output
            type State = #state;
            __private::named! { #name = #id }
            #configuration
            const GRAPH: __private::Graph = #graph;
            #waits
            #cancels
        }
        #checks
    }
}

fn input_type(workflow: &WorkflowModel) -> TokenStream {
    let ty = workflow.parameters().next().map(|first| &first.ty);
    if workflow.configuration.direct {
        quote_spanned!(ty.span()=> __private::Direct<#ty>)
    } else {
        quote!(#ty)
    }
}

fn output_type(workflow: &WorkflowModel, output_span: Span) -> TokenStream {
    match &workflow.function.sig.output {
        ReturnType::Default => quote_spanned!(output_span=> <() as __private::Returns>::Output),
        ReturnType::Type(_, ty) => {
            quote_spanned!(output_span=> <#ty as __private::Returns>::Output)
        }
    }
}

/// Where rustc says that a workflow cannot return its type. Everything that asks for it has this
/// span, so that it says so once.
fn output_span(workflow: &WorkflowModel) -> Span {
    match &workflow.function.sig.output {
        ReturnType::Default => workflow.name().span(),
        ReturnType::Type(_, ty) => ty.span(),
    }
}

fn configuration(workflow: &WorkflowModel) -> Option<TokenStream> {
    let configuration = &workflow.configuration;
    let retries = configuration.retries.map(|retries| quote!(.retries(#retries)));
    let backoff = configuration.backoff.as_ref().map(|backoff| {
        let backoff = body::backoff(backoff);
        quote!(.backoff(#backoff))
    });
    let on_change = configuration.on_change.map(|on_change| match on_change {
        OnChange::Resume => quote!(.on_change(__private::OnChange::Resume)),
        OnChange::Pin => quote!(.on_change(__private::OnChange::Pin)),
    });
    let [cron, flow] = triggered::configured(workflow);
    let timeout = |method: TokenStream, timeout: Option<Duration>| {
        let timeout = constant(timeout?);
        Some(quote!(.#method(#timeout)))
    };
    let start = timeout(quote!(start_timeout), configuration.timeout.start);
    let finish = timeout(quote!(finish_timeout), configuration.timeout.finish);
    let name = workflow.name();
    let handler = |method: &str, handler: Option<&Path>| {
        let handler = handler.filter(|_| workflow.has_a_signature())?;
        let method = Ident::new(method, handler.span());
        Some(quote_spanned! {handler.span()=>
            .#method(__private::#method::<#name, _>(#handler))
        })
    };
    let on_failure = handler("on_failure", configuration.on_failure.as_ref());
    let on_cancel = handler("on_cancel", configuration.on_cancel.as_ref());
    let methods: TokenStream =
        [retries, backoff, on_change, cron, flow, start, finish, on_failure, on_cancel]
            .into_iter()
            .flatten()
            .collect();
    (!methods.is_empty())
        .then(|| quote!(const CONFIG: __private::Config = __private::Config::DEFAULT #methods;))
}

/// A constant of a trait by which it is empty.
fn constants(name: &str, of: TokenStream, values: Vec<TokenStream>) -> Option<TokenStream> {
    let name = Ident::new(name, Span::call_site());
    (!values.is_empty()).then(|| quote!(const #name: &'static [#of] = &[#(#values),*];))
}

/// `impl Body`: the function itself, with its body rewritten, and what calls it.
fn body(
    block: Block,
    workflow: &WorkflowModel,
    states: &States<'_>,
    output_span: Span,
    problems: &Problems,
) -> TokenStream {
    let name = workflow.name();
    let attributes = workflow
        .function
        .attrs
        .iter()
        .filter(|attribute| !attribute.path().is_ident("doc") && !is_condition(attribute));
    let (inputs, output) = (&workflow.function.sig.inputs, &workflow.function.sig.output);
    let block = body::rewrite(block, workflow, states, problems);

    let (mut parameters, mut lent) = (Vec::new(), Vec::new());
    for parameter in workflow.parameters().skip(1) {
        let ty = &parameter.ty;
        let made = quote_spanned!(ty.span()=> __private::parameter::<#ty>());
        // The step handle is of the run's own.
        if step_handle(parameter).is_none() {
            lent.push(quote!(#made.requirement()));
        }
        parameters.push(made);
    }
    let requirements = (!lent.is_empty()).then(|| {
        quote! {
            fn requirements() -> __private::Vec<__private::Requirement> {
                __private::requirements([#(#lent),*])
            }
        }
    });
    let context = Ident::new("context", Span::mixed_site());
    let input = Ident::new("input", Span::mixed_site());
    let given = if workflow.configuration.direct {
        quote!(__private::Direct(#input))
    } else {
        quote!(#input)
    };
    let begin = quote_spanned! {output_span=>
        __private::begin::<Self, _>(#context, |#given, #context| {
            __body(#input, #(#parameters.make(#context)),*)
        })
    };
    // An event has a schema; an input may have one.
    let input_schema = workflow.configuration.direct.then(|| quote!(__private::input_schema! {}));
    // `quote!` has rustc's lexer read each literal that is written in it, at each expansion.
    let reason = "a step's attempt is made into one";
    let undos = constants("UNDOS", quote!(__private::Undo), undos::of(workflow));
    quote! {
        impl __private::Body for #name {
            #undos

            #requirements

            #input_schema

            fn begin(#context: __private::Context) -> __private::BodyFuture {
                #(#attributes)*
                #[allow(clippy::redundant_closure, reason = #reason)]
                async fn __body(#inputs) #output #block

                #begin
            }
        }
    }
}

/// `impl Body` for a function whose signature is not a workflow's, or whose body is left out.
fn stand_in(workflow: &WorkflowModel) -> TokenStream {
    let name = workflow.name();
    quote! {
        impl __private::Body for #name {
            fn begin(_: __private::Context) -> __private::BodyFuture {
                __private::refused()
            }
        }
    }
}
