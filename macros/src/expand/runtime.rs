use std::time::Duration;

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::Path;

/// Where the crate `indelible` is found from the user's.
pub(crate) struct Runtime(TokenStream);

impl Runtime {
    /// Where `crate = path` says, or under the name that `Cargo.toml` gives it.
    pub(crate) fn at(path: Option<&Path>) -> Self {
        Self(path.map_or_else(dependency, |path| path.to_token_stream()))
    }

    /// The crate's path.
    pub(crate) fn path(&self) -> &TokenStream {
        &self.0
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

/// The crate as a dependency of the one that is compiled. In its own tests and examples, and where it
/// is no direct dependency, it goes by its own name.
fn dependency() -> TokenStream {
    match crate_name("indelible") {
        Ok(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            quote!(::#name)
        }
        Ok(FoundCrate::Itself) | Err(_) => quote!(::indelible),
    }
}

/// A constant duration.
pub(crate) fn constant(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(__private::Duration::new(#seconds, #nanos))
}
