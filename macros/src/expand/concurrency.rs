use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Macro, Pat};

use super::syntax::durable;
use crate::check::most_and_least;
use crate::parse::{Concurrency, MacroArguments, RaceBranch, awaited_already, is_a_list};

/// A macro that awaits its branches side by side, as an expression. One that was refused takes a form about
/// which rustc has nothing to add.
pub(super) fn expand(kind: Concurrency, call: &Macro, arguments: &MacroArguments) -> Expr {
    let span = call.path.span();
    if arguments.branches().any(is_a_list) {
        let branches = arguments.branches();
        let taken = quote!({ let _ = (#(#branches,)*); __private::refused::<()>() });
        return Expr::Verbatim(taken);
    }
    let is_allowed = most_and_least(kind).contains(&arguments.branches().count());
    let is_awaited = arguments.branches().any(|branch| awaited_already(branch).is_some());
    let function = match (kind, arguments) {
        (_, MacroArguments::Race(branches)) if is_allowed && !is_awaited => {
            return race(span, branches);
        }
        (_, MacroArguments::Race(branches)) => return refused_race(span, branches),
        (Concurrency::TryJoin, _) if is_allowed => quote_spanned!(span=> try_join),
        _ if is_allowed && !is_awaited => quote_spanned!(span=> join),
        _ => {
            let branches = arguments.branches().map(awaited);
            return Expr::Verbatim(quote_spanned!(span=> (#(#branches,)*)));
        }
    };
    let branches = arguments.branches().map(|branch| durable(operation(branch).clone()));
    Expr::Verbatim(quote_spanned!(span=> __private::#function((#(#branches,)*)).await))
}

/// What a branch awaits, if it was refused for that, or else the branch.
fn operation(branch: &Expr) -> &Expr {
    match branch {
        Expr::Await(awaited) => &awaited.base,
        Expr::Try(tried) if awaited_already(branch).is_some() => operation(&tried.expr),
        branch => branch,
    }
}

/// What a branch gives, where it is awaited by itself.
fn awaited(branch: &Expr) -> TokenStream {
    if awaited_already(branch).is_some() {
        return quote!(#branch);
    }
    let operation = durable(branch.clone());
    quote!(#operation.await)
}

/// The bodies of a race stand outside of its futures, so that `?`, `break` and `return` work in
/// them. The futures are gone before one of them begins.
fn race(span: Span, branches: &[RaceBranch]) -> Expr {
    let winners = format_ident!("Race{}", branches.len(), span = span);
    // Where rustc says which outcomes no pattern covers.
    let uncovered = branches.iter().find(|branch| !covers_all(&branch.pattern));
    let place = uncovered.map_or_else(Span::call_site, |branch| branch.pattern.span());
    let winner = Ident::new("__winner", Span::mixed_site().located_at(place));
    let operations = branches.iter().map(|branch| durable(branch.operation.clone()));
    let arms = branches.iter().zip('A'..).map(|(branch, letter)| {
        let RaceBranch { pattern, body, .. } = branch;
        let variant = format_ident!("{letter}", span = span);
        // What it leaves out was reported.
        let rest = branch
            .is_refutable()
            .then(|| quote!(__private::#winners::#variant(_) => __private::refused(),));
        quote_spanned!(span=> __private::#winners::#variant(#pattern) => #body, #rest)
    });
    Expr::Verbatim(quote_spanned! {span=>
        {
            let #winner = __private::race((#(#operations,)*)).await;
            match #winner { #(#arms)* }
        }
    })
}

/// Whether a pattern plainly fits whatever the operation gives.
fn covers_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) | Pat::Rest(_) => true,
        Pat::Ident(name) => name.subpat.is_none(),
        Pat::Tuple(tuple) => tuple.elems.iter().all(covers_all),
        Pat::Type(typed) => covers_all(&typed.pat),
        _ => false,
    }
}

/// A race that was refused: each body with what its branch gives.
fn refused_race(span: Span, branches: &[RaceBranch]) -> Expr {
    let mut refused = None;
    for branch in branches.iter().rev() {
        let RaceBranch { pattern, operation, body, .. } = branch;
        let operation = awaited(operation);
        let rest = branch.is_refutable().then(|| quote!(_ => __private::refused(),));
        let branch = quote_spanned!(span=> { match #operation { #pattern => #body, #rest } });
        refused = Some(match refused {
            Some(rest) => quote_spanned!(span=> if __private::refused() #branch else { #rest }),
            None => branch,
        });
    }
    Expr::Verbatim(refused.unwrap_or_else(|| quote_spanned!(span=> {})))
}
