//! Where the order shows in which something is iterated over.

use quote::ToTokens as _;
use syn::{Expr, ExprMethodCall, Ident, Pat, Stmt, Type};

use super::collections::{Known, turbofish};
use super::names::Names;
use crate::model::occurrences;

/// What a method makes of the order in which its receiver comes.
pub(super) enum Order {
    /// It gives the same for every order.
    Hidden,
    /// It gives something else for another order, even if it is counted or sorted afterwards.
    Fixed,
    /// What it gives has an order as well.
    Kept,
}

/// Whether a method of a hash table goes through it.
pub(super) fn iterates(method: &str) -> bool {
    is_of_sets(method)
        || matches!(
            method,
            "iter"
                | "iter_mut"
                | "into_iter"
                | "keys"
                | "into_keys"
                | "values"
                | "values_mut"
                | "into_values"
                | "drain"
                | "extract_if"
        )
}

/// Whether a method goes through what it is given.
pub(super) fn takes_items(method: &str) -> bool {
    matches!(method, "extend" | "chain" | "zip" | "eq" | "cmp" | "interleave")
}

/// Whether a method goes through two sets, of which one tells what the other is.
pub(super) fn is_of_sets(method: &str) -> bool {
    matches!(method, "union" | "intersection" | "difference" | "symmetric_difference")
}

impl Order {
    pub(super) fn of(call: &ExprMethodCall, method: &str, names: &Names) -> Self {
        let hidden_if = |is_hidden, otherwise| if is_hidden { Self::Hidden } else { otherwise };
        match method {
            "count" | "len" | "is_empty" | "any" | "all" | "contains" | "min" | "max" => {
                Self::Hidden
            }
            "collect" => {
                let known = turbofish(call).and_then(|ty| Known::of_type(ty, names));
                hidden_if(known.is_some_and(|it| it.is_indifferent()), Self::Kept)
            }
            "sum" | "product" => hidden_if(turbofish(call).is_some_and(is_exact), Self::Kept),
            // Two that compare as equal are told apart by what comes first, unless they are compared
            // as a whole.
            "min_by" | "max_by" => {
                hidden_if(compares(call, &["cmp", "total_cmp", "partial_cmp"]), Self::Fixed)
            }
            "fold" | "reduce" => hidden_if(compares(call, &["min", "max"]), Self::Fixed),
            "min_by_key" | "max_by_key" | "next" | "last" | "nth" | "find" | "find_map"
            | "position" | "take" | "skip" | "step_by" | "take_while" | "skip_while"
            | "map_while" | "scan" | "enumerate" | "zip" => Self::Fixed,
            method => hidden_if(method.starts_with("sorted"), Self::Kept),
        }
    }
}

/// Whether the last argument of a call compares two items by one of these methods, as they are:
/// `f64::max`, or `|a, b| a.max(*b)`.
fn compares(call: &ExprMethodCall, methods: &[&str]) -> bool {
    let is_one = |name: &Ident| methods.iter().any(|method| name == method);
    match call.args.last() {
        Some(Expr::Path(function)) => {
            function.path.segments.last().is_some_and(|name| is_one(&name.ident))
        }
        Some(Expr::Closure(closure)) => match &*closure.body {
            Expr::MethodCall(unwrapped) if unwrapped.method == "unwrap" => {
                matches!(&*unwrapped.receiver, Expr::MethodCall(inner) if is_as_it_is(inner, is_one))
            }
            Expr::MethodCall(inner) => is_as_it_is(inner, is_one),
            _ => false,
        },
        _ => false,
    }
}

fn is_as_it_is(call: &ExprMethodCall, is_one: impl Fn(&Ident) -> bool) -> bool {
    is_one(&call.method)
        && matches!(&*call.receiver, Expr::Path(path) if path.path.get_ident().is_some())
}

/// Whether numbers of a type have one sum, however they are added up. Floats are rounded on the way.
pub(super) fn is_exact(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let Some(name) = ty.path.get_ident().map(Ident::to_string) else { return false };
    let is_integer = || {
        let bits = name.strip_prefix(['u', 'i']);
        bits.is_some_and(|bits| matches!(bits, "8" | "16" | "32" | "64" | "128" | "size"))
    };
    name == "Duration" || name == "Decimal" || is_integer()
}

/// Whether what a statement fills is sorted before anything else is done with it.
pub(super) fn is_sorted_next(statement: &Stmt, later: &[Stmt]) -> bool {
    let Some(name) = filled(statement) else { return false };
    for statement in later {
        if let Stmt::Expr(Expr::MethodCall(call), _) = statement
            && is_on(call, name)
            && call.method.to_string().starts_with("sort")
        {
            return true;
        }
        let is_filled_again =
            !matches!(statement, Stmt::Local(_)) && filled(statement) == Some(name);
        if !is_filled_again && occurrences(&statement.to_token_stream(), name) > 0 {
            return false;
        }
    }
    false
}

/// The variable that a statement does nothing but fill: `let list = ..`, `list.extend(..)`, or
/// `for item in .. { list.push(..) }`.
fn filled(statement: &Stmt) -> Option<&Ident> {
    match statement {
        Stmt::Local(local) => {
            let pattern = match &local.pat {
                Pat::Type(typed) => &typed.pat,
                pattern => pattern,
            };
            match pattern {
                Pat::Ident(name) => Some(&name.ident),
                _ => None,
            }
        }
        Stmt::Expr(Expr::ForLoop(each), _) => match &*each.body.stmts {
            [Stmt::Expr(Expr::MethodCall(call), _)] => filled_by(call),
            _ => None,
        },
        Stmt::Expr(Expr::MethodCall(call), _) => filled_by(call),
        _ => None,
    }
}

fn filled_by(call: &ExprMethodCall) -> Option<&Ident> {
    let fills = call.method == "push" || call.method == "extend";
    match &*call.receiver {
        Expr::Path(path) if fills => path.path.get_ident(),
        _ => None,
    }
}

fn is_on(call: &ExprMethodCall, name: &Ident) -> bool {
    matches!(&*call.receiver, Expr::Path(path) if path.path.get_ident() == Some(name))
}
