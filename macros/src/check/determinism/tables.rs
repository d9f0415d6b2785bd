//! Hash tables, and where their order shows.

use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit as _};
use syn::{Expr, Ident, Macro, Pat};

use super::body::{Body, Finding, Found};
use super::known::Known;
use super::order::iterates;
use super::sources::UNORDERED;
use crate::check::scopes::captures;
use crate::parse::MacroArguments;

impl Body<'_> {
    /// Something is iterated over.
    pub(super) fn iterated(&mut self, value: &Expr) {
        if let Some(Known::Hashed(name)) = Known::of_value(value, &self.names) {
            self.unordered(name.to_token_stream(), name.to_string());
        }
    }

    /// The same, in a loop or by a method. If nothing is known of it, rustc is asked what it is.
    pub(super) fn iterated_at(&mut self, value: &Expr, asked: Ident) {
        if may_be_a_table(value) && Known::of_value(value, &self.names).is_none() {
            let (place, finding) = (value.to_token_stream(), Finding::Asked(asked));
            self.found.push(Found { place, finding, is_open: true });
        } else {
            self.iterated(value);
        }
    }

    fn unordered(&mut self, place: TokenStream, what: String) {
        self.found.push(Found { is_open: true, ..Found::seen(&UNORDERED, place, what, false) });
    }

    /// The order does not show in which something was iterated over there.
    pub(super) fn hide(&mut self, range: Range<usize>) {
        self.found.extract_if(range, |found| found.is_open).for_each(drop);
    }

    /// What rustc would be asked about there is put into something that may be without an order.
    pub(super) fn hide_asked(&mut self, range: Range<usize>) {
        self.found.extract_if(range, |found| found.is_open && found.is_asked()).for_each(drop);
    }

    /// The order shows in which something was iterated over since then.
    pub(super) fn fix(&mut self, since: usize) {
        self.found[since..].iter_mut().for_each(|found| found.is_open = false);
    }

    /// A macro shows each of its arguments, by `Debug` or as JSON.
    pub(super) fn shown(&mut self, call: &Macro, arguments: &MacroArguments) {
        arguments.expressions().into_iter().for_each(|argument| self.iterated(argument));
        for token in call.tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let text = literal.to_string();
            let captured: Vec<_> = self
                .names
                .tables()
                .filter(|name| captures(&text, name))
                .map(str::to_owned)
                .collect();
            for name in captured {
                self.unordered(literal.to_token_stream(), name);
            }
        }
    }

    /// Binds what a pattern finds in a value of which something is known.
    pub(super) fn bind_known(&mut self, pattern: &Pat, known: Option<&Known>) {
        match pattern {
            Pat::Ident(name) => {
                self.names.bind(&name.ident, known.cloned());
                visit::visit_pat_ident(self, name);
            }
            Pat::Type(typed) => {
                let of_type = Known::of_type(&typed.ty, &self.names);
                self.bind_known(&typed.pat, of_type.as_ref().or(known));
            }
            Pat::Reference(reference) => self.bind_known(&reference.pat, known),
            Pat::Paren(inner) => self.bind_known(&inner.pat, known),
            Pat::Guard(guarded) => {
                self.bind_known(&guarded.pat, known);
                self.visit_expr(&guarded.guard);
            }
            // `Some(table)`
            Pat::TupleStruct(held) if held.elems.len() == 1 => {
                self.bind_known(&held.elems[0], known);
            }
            Pat::Tuple(tuple) => {
                for (index, pattern) in tuple.elems.iter().enumerate() {
                    let known = match known {
                        Some(Known::Tuple(all)) => all.get(index).and_then(Option::as_ref),
                        _ => None,
                    };
                    self.bind_known(pattern, known);
                }
            }
            other => visit::visit_pat(self, other),
        }
    }

    /// Whether a value is a collection that is the same, however it was filled.
    pub(super) fn is_indifferent(&self, value: &Expr) -> bool {
        Known::of_value(value, &self.names).is_some_and(|known| known.is_indifferent())
    }
}

/// Whether a value of which nothing is known could be a hash table: it is no range, and no iterator that
/// a chain of calls has made of something.
fn may_be_a_table(value: &Expr) -> bool {
    match value {
        Expr::MethodCall(call) => {
            !iterates(&call.method.to_string()) && may_be_a_table(&call.receiver)
        }
        Expr::Reference(reference) => may_be_a_table(&reference.expr),
        Expr::Paren(inner) => may_be_a_table(&inner.expr),
        Expr::Range(_) | Expr::Array(_) | Expr::Repeat(_) | Expr::Lit(_) | Expr::Macro(_) => false,
        _ => true,
    }
}
