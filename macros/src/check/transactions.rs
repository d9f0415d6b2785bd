use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{
    Expr, ExprAwait, ExprClosure, ExprForLoop, ExprLet, ExprMatch, Ident, Item, Local, Macro, Pat,
    PatIdent,
};

use crate::model::{Method, Step, WorkflowModel, occurrences, transaction};
use crate::parse::{MacroArguments, concurrency};
use crate::problem::{Problem, Problems};

/// A transaction is given an `async` closure that takes it.
pub(crate) fn take_a_closure(model: &WorkflowModel, problems: &Problems) {
    for (step, work) in works(model) {
        if transaction(work).is_none() {
            problems.report(
                Problem::at(
                    work,
                    format!(
                        "the transaction {} is not given an `async` closure that takes it",
                        step.title()
                    ),
                )
                .note("its statements run on the connection on which their outcome is committed")
                .help("write `async |tx| { .. }`, and run the statements on `tx`"),
            );
        }
    }
}

/// A transaction awaits nothing but itself.
pub(crate) fn await_only_themselves(model: &WorkflowModel, problems: &Problems) {
    for (step, work) in works(model) {
        let Some(closure) = transaction(work) else { continue };
        let foreign = foreign(closure).into_iter();
        for foreign in foreign.filter(|foreign| !is_nested(foreign, model)) {
            problems.report(
                Problem::at(
                    &foreign,
                    format!("the transaction {} awaits something else here", step.title()),
                )
                .note(
                    "it keeps its locks meanwhile, and runs again if another transaction was in its \
                     way; the database takes back what it did there, but not what it does here",
                )
                .help("do this in a step of its own before, and use its value in the transaction"),
            );
        }
    }
}

/// Whether there are steps in what is awaited, which were reported as that.
fn is_nested(awaited: &Expr, model: &WorkflowModel) -> bool {
    let tokens = awaited.to_token_stream();
    model.nested.iter().any(|nested| is_among(&nested.place, &tokens))
}

fn is_among(place: &Ident, tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(name) => name == *place && name.span().start() == place.span().start(),
        TokenTree::Group(group) => is_among(place, &group.stream()),
        _ => false,
    })
}

fn works(model: &WorkflowModel) -> impl Iterator<Item = (&Step, &Expr)> {
    let transactions = model.steps.iter().filter(|step| step.method == Method::Transaction);
    transactions.filter_map(|step| Some((step, step.attempt.as_ref()?)))
}

/// What is awaited that has nothing to do with the transaction.
fn foreign(closure: &ExprClosure) -> Vec<Expr> {
    let mut awaited = Awaited { derived: Vec::new(), foreign: Vec::new() };
    awaited.bind(&closure.inputs[0]);
    awaited.visit_expr(&closure.body);
    awaited.foreign
}

struct Awaited {
    /// The transaction, and what was made with it.
    derived: Vec<Ident>,
    foreign: Vec<Expr>,
}

impl Awaited {
    fn bind(&mut self, pattern: &Pat) {
        Names(&mut self.derived).visit_pat(pattern);
    }

    fn is_derived(&self, expression: &Expr) -> bool {
        let tokens = expression.to_token_stream();
        self.derived.iter().any(|name| occurrences(&tokens, name) > 0)
    }

    fn awaited(&mut self, operation: &Expr) {
        if !self.is_derived(operation) {
            self.foreign.push(operation.clone());
        }
    }

    /// What a statement gave is data; the transaction is no longer in it.
    fn bind_if_derived(&mut self, pattern: &Pat, value: &Expr) {
        let mut awaits = Awaits(false);
        awaits.visit_expr(value);
        if !awaits.0 && self.is_derived(value) {
            self.bind(pattern);
        }
    }
}

impl<'ast> Visit<'ast> for Awaited {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.awaited(&awaited.base);
        visit::visit_expr_await(self, awaited);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        let awaited = match &arguments {
            MacroArguments::Race(branches) => branches.iter().map(|it| &it.operation).collect(),
            _ if concurrency(call).is_some() => arguments.expressions(),
            _ => Vec::new(),
        };
        // A block awaits what is awaited in it.
        let awaited = awaited.into_iter().filter(|it| !matches!(it, Expr::Async(_)));
        awaited.for_each(|operation| self.awaited(operation));
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init {
            self.bind_if_derived(&local.pat, &init.expr);
        }
    }

    fn visit_expr_let(&mut self, condition: &'ast ExprLet) {
        visit::visit_expr_let(self, condition);
        self.bind_if_derived(&condition.pat, &condition.expr);
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        choice.arms.iter().for_each(|arm| self.bind_if_derived(&arm.pat, &choice.expr));
        visit::visit_expr_match(self, choice);
    }

    fn visit_expr_for_loop(&mut self, inner: &'ast ExprForLoop) {
        self.bind_if_derived(&inner.pat, &inner.expr);
        visit::visit_expr_for_loop(self, inner);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether something is awaited, other than the beginning of a transaction within.
struct Awaits(bool);

impl<'ast> Visit<'ast> for Awaits {
    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.0 |= !matches!(&*awaited.base, Expr::MethodCall(call) if call.method == "begin");
        visit::visit_expr_await(self, awaited);
    }
}

/// The names that a pattern binds.
struct Names<'n>(&'n mut Vec<Ident>);

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn what_macros_await_is_seen() {
        let foreign = foreign(&parse_quote!(async |tx| {
            println!("{}", shop.price().await?);
            let (paid, sent) = tokio::join!(shop.charge(), query.execute(&mut tx));
            tokio::join!(async { query.execute(&mut tx).await }, async { shop.mail().await });
            assert!(paid.is_ok());
        }));
        let foreign: Vec<_> = foreign.iter().map(|it| it.to_token_stream().to_string()).collect();
        assert_eq!(foreign, ["shop . price ()", "shop . charge ()", "shop . mail ()"]);
    }
}
