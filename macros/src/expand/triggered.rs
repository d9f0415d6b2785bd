//! What starts a workflow: its schedule, the conditions and keys over its events, its batches, and that
//! these fit its first parameter.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::limits::{self, called, key_of_event};
use super::runtime::constant;
use crate::model::{Batch, Cron, CronOptions, Filter, WorkflowModel};

/// The calls that add to its `Config`.
pub(super) fn configured(workflow: &WorkflowModel) -> [Option<TokenStream>; 2] {
    [workflow.configuration.cron.as_ref().map(schedule), flow(workflow)]
}

fn schedule(cron: &Cron) -> TokenStream {
    let CronOptions { zone, catch_up, dst, jitter } = &cron.options;
    let (fields, zone) = (&cron.schedule.fields, zone.unwrap_or("UTC"));
    let dst = dst.as_ref().map(|dst| quote!(.with_dst(__private::Dst::#dst)));
    let jitter = jitter.as_ref().map(|(jitter, _)| {
        let jitter = constant(*jitter);
        quote!(.with_jitter(#jitter))
    });
    let cron = quote!(__private::Cron::new(#fields, #zone, __private::CatchUp::#catch_up));
    quote!(.cron(#cron #dst #jitter))
}

/// What becomes of its events, if not each of them starts a run.
fn flow(workflow: &WorkflowModel) -> Option<TokenStream> {
    let configuration = &workflow.configuration;
    let conditions = configuration.filters.iter().map(filter);
    let filters = (!configuration.filters.is_empty())
        .then(|| quote!(.filters(const { &[#(#conditions),*] })));
    let batch = configuration.batch.as_ref().map(|batch| {
        let (max, timeout, key) = (batch.max, constant(batch.timeout), batch_key(workflow, batch));
        quote!(.batch(__private::Batch::new(#max, #timeout) #key))
    });
    let limits = limits::methods(workflow);
    let methods: TokenStream = [filters, batch].into_iter().flatten().chain(limits).collect();
    (!methods.is_empty()).then(|| quote!(.flow(__private::Flow::DEFAULT #methods)))
}

/// The key of its batches: a closure over the event that its list is of.
fn batch_key(workflow: &WorkflowModel, batch: &Batch) -> Option<TokenStream> {
    let key = key_of_event(batch.key.as_ref()?, &list(workflow)?);
    Some(quote!(.key(#key)))
}

/// The first parameter as what a batch is given as. It is asked for with one span, so that rustc says
/// once if it is no list.
fn list(workflow: &WorkflowModel) -> Option<TokenStream> {
    let configuration = &workflow.configuration;
    let (name, first) = (configuration.batched.as_ref()?, workflow.parameters().next()?);
    let ty = &first.ty;
    let is_input = workflow.has_a_signature() && !configuration.direct;
    is_input.then(|| quote_spanned!(name.span()=> <#ty as __private::Batched>))
}

/// What is held against the first parameter, whose type only rustc knows.
pub(super) fn checks(workflow: &WorkflowModel) -> Option<TokenStream> {
    let configuration = &workflow.configuration;
    if !workflow.has_a_signature() || configuration.direct {
        return None;
    }
    let first = workflow.parameters().next()?;
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
    let schedule = configuration.scheduled.as_ref().map(|name| {
        let triggers = triggers(name.span());
        quote_spanned!(name.span()=> const _: () = __private::cron_has_its_tick(#triggers);)
    });
    let batch = list(workflow).map(|list| {
        let span = configuration.batched.as_ref().map_or(Span::call_site(), Ident::span);
        quote_spanned!(span=> const _: &str = <#list::Event as __private::Event>::NAME;)
    });
    let of_events = ["rate_limit", "debounce", "idempotency"].iter().filter_map(|argument| {
        let name = configuration.limits.word(argument)?;
        let triggers = triggers(name.span());
        Some(quote_spanned! {name.span()=>
            const _: () = __private::events_start_it(#triggers, #argument);
        })
    });
    // What was refused is not missing.
    let debounced = configuration.limits.word("debounce");
    let is_whole = configuration.scheduled.is_some() == configuration.cron.is_some()
        && configuration.batched.is_some() == configuration.batch.is_some()
        && debounced.is_some() == configuration.limits.debounce.is_some();
    let served = is_whole.then(
        || quote_spanned!(first.ty.span()=> const _: () = __private::input_is_served::<#name>();),
    );
    Some(quote!(#(#filters)* #schedule #batch #(#of_events)* #served))
}

/// A closure that captures nothing, over an event that is read where it is asked.
fn filter(filter: &Filter) -> TokenStream {
    let Filter { event, condition, .. } = filter;
    let (text, name) = (filter.text(), called("event"));
    let passes = quote_spanned! {condition.span()=>
        |#name: &#event| -> __private::bool { #condition }
    };
    quote! {
        __private::Filter::new(
            <#event as __private::Event>::NAME, #text, |data| __private::read(data, #passes)
        )
    }
}
