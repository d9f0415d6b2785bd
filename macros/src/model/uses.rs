//! How a body uses its variables.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAwait, Ident, Item, Macro, Stmt};

use crate::parse::{MacroArguments, concurrency};

/// How a variable that holds an operation, or a closure that makes one, is used.
#[derive(Default)]
pub(super) struct Uses {
    /// As `name.await` or `name(..).await`, or as a branch of `join!`.
    pub(super) awaited: usize,
    pub(super) elsewhere: usize,
}

impl Uses {
    pub(super) fn of(name: &Ident, later: &[Stmt]) -> Self {
        let mut awaits = Awaits { name, found: 0 };
        let mut tokens = TokenStream::new();
        for statement in later {
            awaits.visit_stmt(statement);
            statement.to_tokens(&mut tokens);
        }
        let elsewhere = occurrences(&tokens, name).saturating_sub(awaits.found);
        Self { awaited: awaits.found, elsewhere }
    }
}

struct Awaits<'n> {
    name: &'n Ident,
    found: usize,
}

impl Awaits<'_> {
    fn awaited(&mut self, operation: &Expr) {
        let is_it =
            |value: &Expr| matches!(value, Expr::Path(path) if path.path.is_ident(self.name));
        let found = match operation {
            Expr::Call(call) => is_it(&call.func),
            // `wait.timeout("1h").await`
            Expr::MethodCall(call) => return self.awaited(&call.receiver),
            other => is_it(other),
        };
        self.found += usize::from(found);
    }
}

impl<'ast> Visit<'ast> for Awaits<'_> {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.awaited(&awaited.base);
        visit::visit_expr_await(self, awaited);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        match &arguments {
            MacroArguments::Race(branches) => {
                branches.iter().for_each(|branch| self.awaited(&branch.operation));
            }
            // Several calls of a closure side by side are told apart by keys alone.
            _ if concurrency(call).is_some() => {
                let branches = arguments.expressions().into_iter();
                let plain = branches.filter(|branch| !matches!(branch, Expr::Call(_)));
                plain.for_each(|branch| self.awaited(branch));
            }
            _ => {}
        }
        arguments.expressions().into_iter().for_each(|each| self.visit_expr(each));
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// How often a variable's name occurs, in macros too. After a dot it is a field's or a method's.
pub(crate) fn occurrences(tokens: &TokenStream, name: &Ident) -> usize {
    let mut after_dot = false;
    let mut count = 0;
    for token in tokens.clone() {
        count += match &token {
            TokenTree::Ident(ident) => usize::from(*ident == *name && !after_dot),
            TokenTree::Group(group) => occurrences(&group.stream(), name),
            // Format strings capture variables by name.
            TokenTree::Literal(literal) => {
                usize::from(literal.to_string().contains(&format!("{{{name}")))
            }
            TokenTree::Punct(_) => 0,
        };
        after_dot = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
    }
    count
}
