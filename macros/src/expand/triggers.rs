use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::runtime::Runtime;
use crate::model::TriggersModel;

/// An enum of triggers as a workflow's input. Everything that asks whether a variant's type is one
/// has the type's span, so that rustc says once if it is not.
pub(super) fn expand(model: &TriggersModel) -> TokenStream {
    let name = &model.item.ident;
    // That it is generic was reported; as an input it has nothing to say of its types.
    let is_generic = !model.item.generics.params.is_empty();
    let held = if is_generic { &[] } else { model.triggers.as_slice() };
    let (parameters, arguments, bounds) = model.item.generics.split_for_impl();
    let bounds = is_generic.then(|| {
        let bounds = bounds.map(|bounds| &bounds.predicates);
        quote!(where Self: __private::Send + 'static, #bounds)
    });
    let triggers =
        held.iter().map(|(_, ty)| quote_spanned!(ty.span()=> <#ty as __private::Cause>::TRIGGER));
    let unique = held.iter().enumerate().skip(1).map(|(index, (_, ty))| {
        quote_spanned! {ty.span()=>
            const _: () = __private::trigger_is_unique(
                <#name as __private::Input>::TRIGGERS, #index
            );
        }
    });
    let decode = held.iter().map(|(variant, ty)| {
        quote_spanned! {ty.span()=>
            if __name == <#ty as __private::Cause>::TRIGGER.name() {
                return <#ty as __private::Cause>::decode(&__data).map(Self::#variant);
            }
        }
    });
    let encode = held.iter().map(|(variant, ty)| {
        let write = quote_spanned!(ty.span()=> <#ty as __private::Cause>::encode_named);
        quote!(#name::#variant(__cause) => #write(__cause, __limit),)
    });
    // What has no trigger was reported.
    let rest =
        (held.is_empty() || !model.others.is_empty()).then(|| quote!(_ => __private::refused(),));
    Runtime::at(model.krate.as_ref()).enclose(quote! {
        #[automatically_derived]
        impl #parameters __private::Input for #name #arguments #bounds {
            type Start = Self;
            const TRIGGERS: &'static [__private::Trigger] = &[#(#triggers),*];
            const FORM: __private::Form = __private::Form::Named;
            type Subject = Self;

            fn subject(&self) -> &Self {
                self
            }

            fn decode(
                __data: &__private::TriggerData,
            ) -> __private::Result<Self, __private::Undecodable> {
                let (__name, __data) = __private::trigger(__data)?;
                #(#decode)*
                __private::no_trigger(&__name, Self::TRIGGERS)
            }

            fn encode(
                __start: &Self,
                __limit: __private::usize,
            ) -> __private::Result<__private::Payload, __private::EncodeError> {
                match __start {
                    #(#encode)*
                    #rest
                }
            }
        }
        #(#unique)*
    })
}
