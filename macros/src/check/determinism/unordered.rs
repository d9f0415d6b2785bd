//! Hash tables, whose order differs from process to process, as far as it can be seen that something is
//! one, and where their order does not show.

use quote::ToTokens as _;
use syn::{Expr, ExprMethodCall, Local, Pat, Stmt, Type};

use crate::model::occurrences;

/// Whether a type or a path is plainly a hash table.
fn is_unordered(path: &syn::Path) -> bool {
    path.segments.iter().any(|name| name.ident == "HashMap" || name.ident == "HashSet")
}

pub(super) fn makes_unordered(local: &Local) -> bool {
    if let Pat::Type(typed) = &local.pat
        && let Type::Path(ty) = &*typed.ty
    {
        return is_unordered(&ty.path);
    }
    match local.init.as_ref().map(|init| &*init.expr) {
        Some(Expr::Call(call)) => {
            matches!(&*call.func, Expr::Path(function) if is_unordered(&function.path))
        }
        Some(Expr::MethodCall(call)) if call.method == "collect" => {
            let turbofish = call.turbofish.to_token_stream().to_string();
            turbofish.contains("HashMap") || turbofish.contains("HashSet")
        }
        _ => false,
    }
}

/// Whether a call's outcome does not depend on the order of what it goes through.
pub(super) fn orders(call: &ExprMethodCall) -> bool {
    let name = call.method.to_string();
    match name.as_str() {
        "collect" => call.turbofish.as_ref().is_some_and(|turbofish| {
            let ty = turbofish.to_token_stream().to_string();
            ["BTreeMap", "BTreeSet", "HashMap", "HashSet"].iter().any(|table| ty.contains(table))
        }),
        "count" | "any" | "all" | "min" | "max" => true,
        name => name.starts_with("sorted"),
    }
}

/// Whether a type has an order of its own, or none that shows.
pub(super) fn is_ordered_type(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let tables = ["BTreeMap", "BTreeSet", "HashMap", "HashSet"];
    ty.path.segments.last().is_some_and(|name| tables.iter().any(|table| name.ident == table))
}

/// Whether a variable is sorted before anything else is done with it.
pub(super) fn is_sorted_next(statement: &Stmt, later: &[Stmt]) -> bool {
    let Stmt::Local(Local { pat, .. }) = statement else { return false };
    let pattern = match pat {
        Pat::Type(typed) => &typed.pat,
        pattern => pattern,
    };
    let Pat::Ident(name) = pattern else { return false };
    let is_sorting = |later: &Stmt| match later {
        Stmt::Expr(Expr::MethodCall(call), _) => {
            let is_it = matches!(&*call.receiver, Expr::Path(path)
                if path.path.is_ident(&name.ident));
            is_it && call.method.to_string().starts_with("sort")
        }
        _ => false,
    };
    let Some(sorting) = later.iter().position(is_sorting) else { return false };
    let is_used = |later: &Stmt| occurrences(&later.to_token_stream(), &name.ident) > 0;
    !later[..sorting].iter().any(is_used)
}
