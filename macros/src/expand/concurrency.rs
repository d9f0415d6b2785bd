use proc_macro2::{Ident, Span};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Macro};

use super::syntax::durable;
use crate::check::most_and_least;
use crate::parse::{Concurrency, MacroArguments, RaceBranch};

/// A macro that awaits its branches side by side, as an expression.
pub(super) fn expand(kind: Concurrency, call: &Macro, arguments: &MacroArguments) -> Expr {
    let span = call.path.span();
    let function = match (kind, arguments) {
        (_, MacroArguments::Race(branches)) => return race(span, branches),
        (Concurrency::TryJoin, _) => quote_spanned!(span=> try_join),
        _ => quote_spanned!(span=> join),
    };
    let branches = arguments.expressions().into_iter().map(|branch| durable(branch.clone()));
    if !most_and_least(kind).contains(&branches.len()) {
        // It was reported, in better words than those for tuples of the wrong size.
        return Expr::Verbatim(quote_spanned!(span=> (#(#branches.await,)*)));
    }
    Expr::Verbatim(quote_spanned!(span=> __private::#function((#(#branches,)*)).await))
}

/// The bodies of a race stand outside of its futures, so that `?`, `break` and `return` work in
/// them. The futures are gone before one of them begins.
fn race(span: Span, branches: &[RaceBranch]) -> Expr {
    if !most_and_least(Concurrency::Race).contains(&branches.len()) {
        let operations = branches.iter().map(|branch| &branch.operation);
        let refused = quote_spanned!(span=> {
            let _ = (#(#operations,)*);
            __private::refused()
        });
        return Expr::Verbatim(refused);
    }
    let winners = format_ident!("Race{}", branches.len(), span = span);
    let winner = Ident::new("__winner", Span::mixed_site());
    let operations = branches.iter().map(|branch| durable(branch.operation.clone()));
    let arms = branches.iter().zip('A'..).map(|(RaceBranch { pattern, body, .. }, letter)| {
        let variant = format_ident!("{letter}", span = span);
        quote_spanned!(span=> __private::#winners::#variant(#pattern) => #body,)
    });
    Expr::Verbatim(quote_spanned! {span=>
        {
            let #winner = __private::race((#(#operations,)*)).await;
            match #winner { #(#arms)* }
        }
    })
}
