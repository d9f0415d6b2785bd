use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::Path;

/// Where the crate `indelible` is found from the user's.
pub(crate) struct Runtime(TokenStream);

impl Runtime {
    pub(crate) fn at(path: Option<&Path>) -> Self {
        Self(path.map_or_else(|| quote!(::indelible), |path| path.to_token_stream()))
    }

    /// Puts items where `__private` names what the macros call, and nothing of the user's is
    /// shadowed by it.
    pub(crate) fn enclose(&self, items: TokenStream) -> TokenStream {
        let krate = &self.0;
        quote! {
            const _: () = {
                use #krate::__private;
                #items
            };
        }
    }
}

/// A constant duration.
pub(crate) fn constant(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(__private::Duration::new(#seconds, #nanos))
}
