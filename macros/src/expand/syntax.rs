//! Expressions as syntax. Tokens that are made of a part of the body are copied for each expression
//! around it; syntax is made into tokens once, with the whole body.

use proc_macro2::{Ident, Span};
use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::token::Paren;
use syn::{
    Expr, ExprCall, ExprClosure, ExprMethodCall, ExprPath, Path, PathSegment, ReturnType, Token,
};

/// `first::second`
pub(super) fn path(names: [Ident; 2]) -> Expr {
    let segments = names.into_iter().map(PathSegment::from).collect();
    let path = Path { leading_colon: None, segments };
    Expr::Path(ExprPath { attrs: Vec::new(), qself: None, path })
}

/// `|| body`
pub(super) fn closure(body: Expr) -> Expr {
    let (first, _) = ends(&body);
    Expr::Closure(ExprClosure {
        attrs: Vec::new(),
        lifetimes: None,
        modifiers: Default::default(),
        constness: None,
        asyncness: None,
        capture: None,
        inputs_begin: Token![|](first),
        inputs: Punctuated::new(),
        inputs_end: Token![|](first),
        output: ReturnType::Default,
        body: Box::new(body),
    })
}

/// `__private::durable(operation)`.
pub(super) fn durable(operation: Expr) -> Expr {
    match operation {
        // Those of the call are enough.
        Expr::Paren(inner) => durable(*inner.expr),
        operation => given_to("durable", operation),
    }
}

/// `__private::seen(call)`.
pub(super) fn seen(call: Expr) -> Expr {
    given_to("seen", call)
}

/// `__private::Probe(value).__pass()`, which is the value, unless rustc refuses its type.
pub(super) fn probed(probe: &str, value: Expr) -> Expr {
    let (first, last) = ends(&value);
    // What rustc underlines.
    let place = match &value {
        Expr::MethodCall(call) => call.method.span(),
        Expr::Call(_) => first,
        _ => last,
    };
    Expr::MethodCall(ExprMethodCall {
        attrs: Vec::new(),
        receiver: Box::new(given_to(probe, value)),
        dot_token: Token![.](last),
        method: Ident::new("__pass", place),
        turbofish: None,
        paren_token: Paren(last),
        args: Punctuated::new(),
    })
}

/// A call of a function of the runtime, spanned so that rustc underlines the whole argument, once, if
/// it does not fit.
fn given_to(function: &str, argument: Expr) -> Expr {
    let (first, last) = ends(&argument);
    let function = ["__private", function].map(|name| Ident::new(name, first));
    Expr::Call(ExprCall {
        attrs: Vec::new(),
        func: Box::new(path(function)),
        paren_token: Paren(last),
        args: [argument].into_iter().collect(),
    })
}

/// The spans of an expression's first token and of its last. Those of the usual operations are known
/// without their tokens.
fn ends(expression: &Expr) -> (Span, Span) {
    match expression {
        Expr::MethodCall(call) if call.attrs.is_empty() => {
            (ends(&call.receiver).0, call.paren_token.span.join())
        }
        Expr::Call(call) if call.attrs.is_empty() => {
            (ends(&call.func).0, call.paren_token.span.join())
        }
        Expr::Path(ExprPath { attrs, qself: None, path }) if attrs.is_empty() => {
            match path.get_ident() {
                Some(name) => (name.span(), name.span()),
                None => ends_of_tokens(expression),
            }
        }
        other => ends_of_tokens(other),
    }
}

fn ends_of_tokens(expression: &Expr) -> (Span, Span) {
    let mut tokens = expression.to_token_stream().into_iter();
    let first = tokens.next().map_or_else(Span::call_site, |token| token.span());
    (first, tokens.last().map_or(first, |token| token.span()))
}
