use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Ident, Path};

use crate::model::Step;

/// What is known of the helper that a step calls, before any run: its `GRAPH`, `WAITS` or `UNDOS`. Of a
/// type that is none's it is nothing: what is wrong is said where it is called.
pub(super) fn helper(what: &str, step: &Step) -> Option<TokenStream> {
    let helper = step.helper.as_ref().filter(|helper| !is_associated(helper))?;
    let what = Ident::new(what, Span::call_site());
    Some(quote!({
        #[allow(unused_imports)]
        use __private::NoHelper as _;
        __private::Known::<#helper>::#what
    }))
}

/// Whether a function is one of a type, which is no helper.
fn is_associated(function: &Path) -> bool {
    let ty = function.segments.iter().rev().nth(1);
    ty.is_some_and(|ty| ty.ident.to_string().starts_with(|first: char| first.is_ascii_uppercase()))
}
