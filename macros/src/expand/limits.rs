//! Which events start runs, and how many of those run at a time: calls that add to a workflow's `Flow`, with
//! keys as closures over what starts it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::runtime::constant;
use crate::model::{Concurrency, Debounce, Hold, Key, Limits, Mode, Scope, WorkflowModel};

/// The calls that add to its `Flow`.
pub(super) fn methods(workflow: &WorkflowModel) -> Vec<TokenStream> {
    let Limits {
        concurrency,
        throttle,
        rate_limit,
        debounce,
        singleton,
        idempotency,
        priority,
        ..
    } = &workflow.configuration.limits;
    // A third one was reported.
    let mut methods: Vec<_> =
        concurrency.iter().take(2).map(|concurrency| slots(workflow, concurrency)).collect();
    methods.extend(throttle.as_ref().map(|throttle| {
        let (limit, per, burst) = (throttle.limit, constant(throttle.per), throttle.burst);
        let by = by(workflow, throttle.key.as_ref());
        quote!(.throttle(__private::Throttle::new(#limit, #per, #burst) #by))
    }));
    methods.extend(rate_limit.as_ref().map(|rate| {
        let (limit, per, by) = (rate.limit, constant(rate.per), by(workflow, rate.key.as_ref()));
        quote!(.rate_limit(__private::RateLimit::new(#limit, #per) #by))
    }));
    methods.extend(debounce.as_ref().map(|debounce| window(workflow, debounce)));
    methods.extend(singleton.as_ref().map(|singleton| {
        let mode = match singleton.mode {
            Mode::Skip => quote!(Skip),
            Mode::Cancel => quote!(Cancel),
            Mode::Latest => quote!(Latest),
        };
        let by = by(workflow, singleton.key.as_ref());
        quote!(.singleton(__private::Singleton::new(__private::Single::#mode) #by))
    }));
    methods.extend(idempotency.as_ref().and_then(|idempotency| {
        let (key, within) =
            (key_of_input(workflow, &idempotency.key)?, constant(idempotency.within));
        Some(quote!(.idempotency(__private::Idempotency::new(#key, #within))))
    }));
    methods.extend(priority.as_ref().and_then(|priority| {
        let (Key(expression), text) = (priority, priority.text());
        let seconds = quote_spanned!(expression.span()=> __private::seconds(#expression));
        let of = question(workflow, priority, &seconds)?;
        Some(quote!(.priority(__private::Priority::new(#text, #of))))
    }));
    methods
}

fn slots(workflow: &WorkflowModel, concurrency: &Concurrency) -> TokenStream {
    let (limit, by) = (concurrency.limit, by(workflow, concurrency.key.as_ref()));
    let scope = match &concurrency.scope {
        Scope::Workflow => None,
        Scope::App => Some(quote!(.within(__private::Scope::App))),
        Scope::Named(name) => Some(quote!(.within(__private::Scope::Named(#name)))),
    };
    let hold = match concurrency.hold {
        None | Some(Hold::Active) => None,
        Some(Hold::Run) => Some(quote!(.held(__private::Hold::Run))),
    };
    quote!(.concurrency(__private::Concurrency::new(#limit) #by #scope #hold))
}

fn window(workflow: &WorkflowModel, debounce: &Debounce) -> TokenStream {
    let period = constant(debounce.period);
    let max = debounce.max.as_ref().map(|(max, _)| {
        let max = constant(*max);
        quote!(.at_most(#max))
    });
    let key = debounce.key.as_ref().and_then(|key| match workflow.subject() {
        "events" => {
            let ty = &workflow.parameters().next().filter(|_| workflow.has_a_signature())?.ty;
            Some(key_of_event(key, &quote!(<#ty as __private::Batched>)))
        }
        _ => key_of_input(workflow, key),
    });
    let by = key.map(|key| quote!(.by(#key)));
    quote!(.debounce(__private::Debounce::new(#period) #max #by))
}

fn by(workflow: &WorkflowModel, key: Option<&Key>) -> Option<TokenStream> {
    let key = key_of_input(workflow, key?)?;
    Some(quote!(.by(#key)))
}

/// A key that sees the input of a run.
fn key_of_input(workflow: &WorkflowModel, key: &Key) -> Option<TokenStream> {
    let Key(expression) = key;
    let text = quote_spanned!(expression.span()=> __private::key_text(&(#expression)));
    let of = question(workflow, key, &text)?;
    let text = key.text();
    Some(quote!(__private::Key::new(#text, #of)))
}

/// A closure that captures nothing, over an input that is read where it is asked.
fn question(workflow: &WorkflowModel, key: &Key, answer: &TokenStream) -> Option<TokenStream> {
    if !workflow.has_a_signature() {
        return None;
    }
    // That the parameter can start a workflow is asked for with its own span, so that rustc underlines it
    // if it cannot.
    let input = workflow.parameters().next()?.ty.span();
    let (workflow, name) = (workflow.name(), called(workflow.subject()));
    let subject = quote_spanned!(input=> &__private::Subject<#workflow>);
    let read = quote_spanned!(input=> __private::read_input::<#workflow, _>);
    let question = quote_spanned!(key.0.span()=> |#name: #subject| #answer);
    Some(quote_spanned!(input=> |data| #read(data, #question)))
}

/// A key that sees one event of a list.
pub(super) fn key_of_event(key: &Key, list: &TokenStream) -> TokenStream {
    let (Key(expression), text, name) = (key, key.text(), called("event"));
    let of = quote_spanned! {expression.span()=>
        |#name: &#list::Event| __private::key_text(&(#expression))
    };
    quote!(__private::Key::new(#text, |data| __private::read(data, #of)))
}

/// A name that conditions and keys know.
pub(super) fn called(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
