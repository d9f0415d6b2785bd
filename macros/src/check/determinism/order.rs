//! Where the order shows in which something is iterated over.

use quote::ToTokens;
use syn::{
    BinOp, Expr, ExprBinary, ExprForLoop, ExprMethodCall, Ident, Local, Pat, Path, Stmt, Type,
};

use super::known::Known;
use super::names::Names;
use super::seen::turbofish;
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

/// `table.iter().find(..).is_some()`: which one it is does not show.
pub(super) fn is_asked_whether_there_is_one(call: &ExprMethodCall) -> Option<&ExprMethodCall> {
    let Expr::MethodCall(looked_for) = &*call.receiver else { return None };
    let one_of = |call: &ExprMethodCall, methods: &[&str]| {
        methods.iter().any(|method| call.method == method)
    };
    (one_of(call, &["is_some", "is_none"])
        && one_of(looked_for, &["next", "last", "nth", "find", "find_map", "position"]))
    .then_some(looked_for)
}

impl Order {
    pub(super) fn of(call: &ExprMethodCall, method: &str, names: &Names) -> Self {
        let hidden_if = |is_hidden, otherwise| if is_hidden { Self::Hidden } else { otherwise };
        match method {
            "count" | "len" | "is_empty" | "any" | "all" | "contains" | "min" | "max" => {
                Self::Hidden
            }
            "collect" | "sum" | "product" => {
                let given = turbofish(call).and_then(|ty| Known::of_type(ty, names));
                hidden_if(given.is_some_and(|given| given.gathers(method)), Self::Kept)
            }
            // Two that compare as equal are told apart by what comes first, unless they are compared
            // as a whole.
            "min_by" | "max_by" => {
                let as_they_are = compares(call, &["cmp", "total_cmp", "partial_cmp"]);
                hidden_if(as_they_are || breaks_ties(call), Self::Fixed)
            }
            "min_by_key" | "max_by_key" => hidden_if(breaks_ties(call), Self::Fixed),
            "fold" | "reduce" => {
                hidden_if(compares(call, &["min", "max"]) || adds_up(call), Self::Fixed)
            }
            "next" | "last" | "nth" | "find" | "find_map" | "position" | "take" | "skip"
            | "step_by" | "take_while" | "skip_while" | "map_while" | "scan" | "enumerate"
            | "zip" => Self::Fixed,
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
    is_one(&call.method) && variable(&call.receiver).is_some()
}

/// Whether items that are equal in one thing are told apart by another: `|(id, sum)| (sum, id)`, or
/// `|a, b| a.1.cmp(b.1).then(a.0.cmp(b.0))`.
fn breaks_ties(call: &ExprMethodCall) -> bool {
    let Some(Expr::Closure(closure)) = call.args.first() else { return false };
    match &*closure.body {
        Expr::Tuple(_) => true,
        Expr::MethodCall(comparison) => {
            comparison.method == "then" || comparison.method == "then_with"
        }
        _ => false,
    }
}

/// Whether a call adds up whole numbers: `fold(0, |sum, item| sum + item.price)`.
fn adds_up(call: &ExprMethodCall) -> bool {
    let mut arguments = call.args.iter();
    let (Some(first), Some(Expr::Closure(closure))) = (arguments.next(), arguments.next()) else {
        return false;
    };
    let (Some(Pat::Ident(sum)), Expr::Binary(added)) = (closure.inputs.first(), &*closure.body)
    else {
        return false;
    };
    is_whole(first)
        && matches!(added.op, BinOp::Add(_) | BinOp::Mul(_))
        && variable(&added.left) == Some(&sum.ident)
        && !mentions(&added.right, &sum.ident)
}

fn is_whole(value: &Expr) -> bool {
    matches!(Known::of_value(value, &Names::default()), Some(Known::Number))
}

/// Whether what a statement fills is sorted before anything else is done with it.
pub(super) fn is_sorted_next(statement: &Stmt, later: &[Stmt]) -> bool {
    let name = match statement {
        Stmt::Local(local) => bound(&local.pat),
        statement => filled(statement),
    };
    let Some(name) = name else { return false };
    for statement in later {
        if let Stmt::Expr(Expr::MethodCall(call), _) = statement
            && variable(&call.receiver) == Some(name)
            && call.method.to_string().starts_with("sort")
        {
            return true;
        }
        if filled(statement) != Some(name) && mentions(statement, name) {
            return false;
        }
    }
    false
}

fn bound(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(name) => Some(&name.ident),
        Pat::Type(typed) => bound(&typed.pat),
        _ => None,
    }
}

/// The variable that a loop does nothing but fill: `for item in .. { list.push(item); }`.
pub(super) fn filled_by(each: &ExprForLoop) -> Option<&Ident> {
    match &*each.body.stmts {
        [only] => filled(only),
        _ => None,
    }
}

/// Whether a loop does nothing but insert into something: a set or a map of which nothing is known.
pub(super) fn only_inserts(each: &ExprForLoop) -> bool {
    matches!(&*each.body.stmts, [Stmt::Expr(Expr::MethodCall(call), _)] if call.method == "insert")
}

/// Whether a call is a `collect()` that does not say into what.
pub(super) fn collects(call: &ExprMethodCall) -> bool {
    call.method == "collect" && call.turbofish.is_none()
}

/// What is collected into a variable that is declared as a list, in which an order shows, and the list:
/// `let names: Vec<_> = names.keys().collect();`.
pub(super) fn collected_into_a_list(local: &Local) -> Option<(&Expr, &Expr)> {
    let (Pat::Type(typed), Some(init)) = (&local.pat, &local.init) else { return None };
    match &*init.expr {
        list @ Expr::MethodCall(call) if collects(call) && is_list(&typed.ty) => {
            Some((&call.receiver, list))
        }
        _ => None,
    }
}

fn is_list(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let name = ty.path.segments.last().map(|name| &name.ident);
    name.is_some_and(|name| ["Vec", "VecDeque", "String"].iter().any(|list| name == list))
}

/// The variable that a statement does nothing but fill, with nothing that it holds already:
/// `list.extend(..)`, `total += item.price`, or `if item.is_due { list.push(item); }`.
fn filled(statement: &Stmt) -> Option<&Ident> {
    let Stmt::Expr(expression, _) = statement else { return None };
    match expression {
        Expr::ForLoop(each) => filled_by(each).filter(|name| !mentions(&each.expr, name)),
        Expr::If(branch) if branch.else_branch.is_none() => match &*branch.then_branch.stmts {
            [only] => filled(only).filter(|name| !mentions(&branch.cond, name)),
            _ => None,
        },
        Expr::MethodCall(call) => {
            let fills = ["push", "insert", "extend"].iter().any(|method| call.method == method);
            let name = variable(&call.receiver).filter(|_| fills)?;
            (!call.args.iter().any(|argument| mentions(argument, name))).then_some(name)
        }
        Expr::Binary(added) if matches!(added.op, BinOp::AddAssign(_) | BinOp::MulAssign(_)) => {
            let name = variable(&added.left).or_else(|| counted(added))?;
            (!mentions(&added.right, name)).then_some(name)
        }
        _ => None,
    }
}

/// The collection in which something is counted: `*counts.entry(key).or_insert(0) += 1`.
fn counted(added: &ExprBinary) -> Option<&Ident> {
    let Expr::Unary(count) = &*added.left else { return None };
    let Expr::MethodCall(or_insert) = &*count.expr else { return None };
    let Expr::MethodCall(entry) = &*or_insert.receiver else { return None };
    let counts = entry.method == "entry"
        && (or_insert.args.first().is_some_and(is_whole) || is_whole(&added.right));
    if counts { variable(&entry.receiver) } else { None }
}

fn variable(value: &Expr) -> Option<&Ident> {
    match value {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

fn mentions(code: &impl ToTokens, name: &Ident) -> bool {
    occurrences(&code.to_token_stream(), name) > 0
}

/// Whether a function goes through what it is given: to gather it, or to write it down.
pub(super) fn goes_through(function: &Path) -> bool {
    let name = function.segments.last().map(|name| name.ident.to_string());
    matches!(
        name.as_deref(),
        Some(
            "from_iter"
                | "zip"
                | "chain"
                | "to_string"
                | "to_string_pretty"
                | "to_vec"
                | "to_vec_pretty"
                | "to_value"
                | "to_writer"
        )
    )
}
