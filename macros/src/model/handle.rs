use proc_macro2::{TokenStream, TokenTree};
use syn::{Expr, Ident, Local, Pat};

use super::bindings::bindings;
use super::ungrouped::ungrouped;

/// The parameter through which a body performs its steps.
pub(crate) struct Handle {
    pub(crate) name: Ident,
    /// The same, to be compared often: an identifier of rustc's is asked for its text each time.
    text: String,
    /// The variables that hold it as well: `let again = step.clone();`.
    others: Vec<String>,
}

impl Handle {
    pub(crate) fn new(name: Ident) -> Self {
        Self { text: name.to_string(), name, others: Vec::new() }
    }

    /// Learns the names of variables that are given it.
    pub(super) fn learn(&mut self, local: &Local) {
        for binding in bindings(local) {
            if let (Pat::Ident(name), value) = binding
                && is_handle(value, self)
                && name.ident != self.text
            {
                self.others.push(name.ident.to_string());
            }
        }
    }

    /// Whether it goes by its parameter's name alone.
    pub(crate) fn has_one_name(&self) -> bool {
        self.others.is_empty()
    }

    /// Whether it is named among tokens.
    pub(crate) fn is_among(&self, tokens: &TokenStream) -> bool {
        tokens.clone().into_iter().any(|token| match token {
            TokenTree::Ident(name) => self.is_named(&name),
            TokenTree::Group(group) => self.is_among(&group.stream()),
            _ => false,
        })
    }

    /// Whether an expression is the handle.
    pub(super) fn is(&self, expression: &Expr) -> bool {
        matches!(expression, Expr::Path(path)
            if path.path.get_ident().is_some_and(|name| self.is_named(name)))
    }

    /// Whether a name is the handle's.
    pub(super) fn is_named(&self, name: &Ident) -> bool {
        name == self.text.as_str() || self.others.iter().any(|other| name == other)
    }
}

/// Whether an argument is the handle, borrowed or cloned.
pub(super) fn is_handle(argument: &Expr, handle: &Handle) -> bool {
    match ungrouped(argument) {
        Expr::Reference(reference) => is_handle(&reference.expr, handle),
        Expr::MethodCall(call) if call.method == "clone" => is_handle(&call.receiver, handle),
        other => handle.is(other),
    }
}
