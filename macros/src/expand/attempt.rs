//! What a step does, as a closure that makes a new future for each attempt.

use proc_macro2::Ident;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, ExprAwait, ExprMethodCall, Pat, PatIdent, Type};

use super::results::settle_error;
use super::syntax::closure;
use crate::check;
use crate::model::transaction_mut;
use crate::problem::Problems;

/// What a step does that it may not.
pub(super) struct Refused {
    exits: bool,
    changes: bool,
}

impl Refused {
    /// Reads what a step does, as written. What it may not do was reported, so where nothing was,
    /// nothing is looked for again.
    pub(super) fn of(attempt: &Expr, mutable: &[Ident], problems: &Problems) -> Self {
        let may_be = !problems.is_empty();
        Self {
            exits: may_be && !check::exits(attempt).is_empty(),
            changes: may_be && !check::mutations(attempt, mutable).is_empty(),
        }
    }

    pub(super) fn is_any(&self) -> bool {
        self.exits || self.changes
    }
}

/// Makes a step's argument a closure that makes a new future for each attempt and borrows what it
/// needs.
///
/// An argument that was refused takes a form about which rustc has nothing to add.
///
/// Gives whether it catches errors that are still to be made a `Failure`.
pub(super) fn attempt(
    argument: &mut Expr,
    refused: &Refused,
    error: Option<Type>,
    may_catch: bool,
) -> bool {
    if refused.exits {
        // `f().await?` is what the step was to give, and `f(x?)` what it was to do.
        let around = if matches!(argument, Expr::Try(_)) { quote!(gives) } else { quote!(does) };
        *argument = Expr::Verbatim(quote!(__private::#around(#argument)));
        return false;
    }
    let catches = settle_error(argument, error, may_catch);
    lazy(argument);
    if refused.changes {
        *argument = Expr::Verbatim(quote!(__private::once(#argument)));
    }
    catches
}

/// As [`attempt`], with a clone of each value that may be gone by then.
pub(super) fn attempt_with(values: &[Ident], argument: &mut Expr, error: Option<Type>) -> Expr {
    let catches = settle_error(argument, error, true);
    let clones = values.iter().map(|value| {
        let span = value.span();
        quote_spanned!(span=> __private::Clone::clone(&#value))
    });
    let future = match argument {
        Expr::Closure(_) => quote!((#argument)().await),
        Expr::Async(block) => {
            block.capture = None;
            quote!(#block.await)
        }
        future => quote!((#future).await),
    };
    let outcome = if catches { quote!(__private::caught(#future)) } else { future };
    // An `async` closure borrows what it finds around it and owns what it is given.
    Expr::Verbatim(quote!((#(#clones,)*), async |(#(#values,)*)| #outcome))
}

/// A transaction's closure, which owns its transaction and borrows all else, with a clone of each
/// value that may be gone by then.
///
/// One that was refused takes a form about which rustc has nothing to add.
///
/// Gives also whether it catches errors that are still to be made a `Failure`.
pub(super) fn work(
    values: &[Ident],
    refused: bool,
    argument: &mut Expr,
    may_catch: bool,
) -> (Expr, bool) {
    let catches = settle_error(argument, None, may_catch);
    let Some(closure) = transaction_mut(argument) else {
        let nothing = quote!(async |_: __private::Tx| {
            __private::refused::<__private::Result<(), __private::Failure>>()
        });
        return (Expr::Verbatim(nothing), false);
    };
    // Its methods take it as `&mut`, so nothing is gained by having that written each time.
    let name = match &closure.inputs[0] {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => {
            quote!(#[allow(unused_mut)] mut #ident: __private::Tx)
        }
        typed @ Pat::Type(_) => typed.to_token_stream(),
        other => quote!(#other: __private::Tx),
    };
    let body = &closure.body;
    if refused {
        return (Expr::Verbatim(quote!(__private::once_with(async |#name| #body))), catches);
    }
    if values.is_empty() {
        return (Expr::Verbatim(quote!(async |#name| #body)), catches);
    }
    let clones = values.iter().map(|value| {
        let span = value.span();
        quote_spanned!(span=> __private::Clone::clone(&#value))
    });
    let outcome = if catches {
        quote!(__private::caught(async { #body }.await))
    } else {
        body.to_token_stream()
    };
    let work = quote!((#(#clones,)*), async |(#(#values,)*), #name| #outcome);
    (Expr::Verbatim(work), false)
}

fn lazy(argument: &mut Expr) {
    if let Expr::Closure(closure) = argument {
        if closure.asyncness.take().is_some() {
            let body = match &*closure.body {
                Expr::Block(body) if body.label.is_none() => quote!(async #body),
                body => quote!(async { #body }),
            };
            *closure.body = Expr::Verbatim(body);
        }
        return;
    }
    let mut future = std::mem::replace(argument, Expr::PLACEHOLDER);
    if let Expr::Async(block) = &mut future {
        block.capture = None;
    } else if !outlives_its_closure(&future) {
        let span = future.span();
        let awaited = ExprAwait {
            attrs: Vec::new(),
            base: Box::new(future),
            dot_token: Default::default(),
            await_token: syn::token::Await(span),
        };
        future = Expr::Verbatim(quote_spanned!(span=> async { #awaited }));
    }
    *argument = closure(future);
}

/// Whether a future's expression borrows nothing that ends with the closure around it: it calls a
/// function with what outlives the closure or is given away. Such a closure needs no `async` block,
/// which costs rustc as much as all else about a step.
fn outlives_its_closure(future: &Expr) -> bool {
    match future {
        Expr::Call(call) => {
            matches!(*call.func, Expr::Path(_)) && call.args.iter().all(is_kept_or_given)
        }
        Expr::MethodCall(call) => is_call_on_place(call),
        _ => false,
    }
}

fn is_kept_or_given(argument: &Expr) -> bool {
    match argument {
        Expr::Lit(_) | Expr::Path(_) => true,
        Expr::Reference(reference) => reference.mutability.is_none() && is_place(&reference.expr),
        Expr::MethodCall(call) => is_call_on_place(call),
        other => is_place(other),
    }
}

fn is_call_on_place(call: &ExprMethodCall) -> bool {
    is_place(&call.receiver) && call.args.iter().all(is_kept_or_given)
}

/// A variable, or a field of one. What is not named as a variable is a constant, which each mention
/// makes anew.
fn is_place(expression: &Expr) -> bool {
    match expression {
        Expr::Path(path) => path.path.get_ident().is_some_and(|name| {
            !name.to_string().starts_with(|first: char| first.is_ascii_uppercase())
        }),
        Expr::Field(field) => is_place(&field.base),
        _ => false,
    }
}
