//! What starts a workflow, as constants: conditions and keys over its events, its schedule, its
//! batches, and that these fit its first parameter.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::runtime::constant;
use crate::model::{Batch, Configuration, Cron, Filter, WorkflowModel};

/// The constants of `impl Workflow`.
pub(super) fn constants(configuration: &Configuration) -> TokenStream {
    let filters = configuration.filters.iter().map(filter);
    let filters = (!configuration.filters.is_empty())
        .then(|| quote!(const FILTERS: &'static [__private::Filter] = &[#(#filters),*];));
    quote!(#filters)
}

/// The calls that add to its `Config`.
pub(super) fn configured(configuration: &Configuration) -> TokenStream {
    let cron = configuration.cron.as_ref().map(|Cron { expression, zone, catch_up, .. }| {
        quote!(.cron(__private::Cron::new(#expression, #zone, __private::CatchUp::#catch_up)))
    });
    let batch = configuration.batch.as_ref().map(|Batch { max, timeout, .. }| {
        let timeout = constant(*timeout);
        quote!(.batch(__private::Batch::new(#max, #timeout)))
    });
    quote!(#cron #batch)
}

/// What is held against the first parameter, whose type only rustc knows.
pub(super) fn checks(workflow: &WorkflowModel) -> TokenStream {
    let configuration = &workflow.configuration;
    let first = workflow.parameters().next();
    let Some(first) = first.filter(|_| workflow.has_a_signature() && !configuration.direct) else {
        return TokenStream::new();
    };
    let name = workflow.name();
    // Where the parameter cannot start a workflow, that is said of the workflow's input alone.
    let triggers = |span: Span| quote_spanned!(span=> <#name as __private::Workflow>::TRIGGERS);
    let filters = configuration.filters.iter().map(|filter| {
        let (event, span) = (&filter.event, filter.event.span());
        let triggers = triggers(span);
        quote_spanned! {span=>
            const _: () = __private::filter_has_its_trigger(
                #triggers, <#event as __private::Event>::NAME
            );
        }
    });
    let (span, check) = match &configuration.scheduled {
        Some(name) => (name.span(), quote_spanned!(name.span()=> cron_has_its_tick)),
        None => (first.ty.span(), quote_spanned!(first.ty.span()=> tick_has_its_cron)),
    };
    let triggers = triggers(span);
    let tick = quote_spanned!(span=> const _: () = __private::#check(#triggers););
    quote!(#(#filters)* #tick)
}

/// A closure that captures nothing, over an event that is read where it is asked.
fn filter(filter: &Filter) -> TokenStream {
    let Filter { event, condition, .. } = filter;
    let (text, name) = (filter.text(), event_name());
    let passes = quote_spanned! {condition.span()=>
        |#name: &#event| -> __private::bool { #condition }
    };
    quote! {
        __private::Filter::new(
            <#event as __private::Event>::NAME, #text, |data| __private::read(data, #passes)
        )
    }
}

/// What conditions and keys call the event.
fn event_name() -> Ident {
    Ident::new("event", Span::call_site())
}
