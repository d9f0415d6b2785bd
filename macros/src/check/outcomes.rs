use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Expr, Ident, Item, Local, Pat, Stmt};

use crate::model::{Step, WorkflowModel, occurrences};
use crate::problem::{Problem, Problems};

/// A durable operation is awaited: until then it does nothing.
pub(crate) fn are_used(model: &WorkflowModel, problems: &Problems) {
    let Some(handle) = &model.handle else { return };
    let block = &model.function.block;
    let mut unused = Unused { handle, body: block.to_token_stream(), found: Vec::new() };
    unused.visit_block(block);
    let found = unused.found.into_iter();
    for (step, place) in found.filter(|(_, place)| !model.allows("used_outcomes", place)) {
        problems.report(
            Problem::at(&place, format!("the step {} is never awaited", step.title()))
                .note("a step does nothing until it is awaited, so it would never be done")
                .help("add `.await` at its end, or await it in `join!`"),
        );
    }
}

struct Unused<'m> {
    handle: &'m Ident,
    body: TokenStream,
    found: Vec<(Step, TokenStream)>,
}

impl Unused<'_> {
    /// An operation that is built here and not awaited in the same expression.
    fn operation(&mut self, expression: &Expr) {
        if let Expr::MethodCall(call) = expression
            && let Some(step) = Step::at_root_of(call, self.handle)
            && step.method.is_awaited()
        {
            self.found.push((step, expression.to_token_stream()));
        }
    }
}

impl<'ast> Visit<'ast> for Unused<'_> {
    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement {
            self.operation(expression);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            match &local.pat {
                Pat::Wild(_) => self.operation(&init.expr),
                Pat::Ident(name) if occurrences(&self.body, &name.ident) < 2 => {
                    self.operation(&init.expr);
                }
                _ => {}
            }
        }
        visit::visit_local(self, local);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
