use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Item, Local, Pat, Stmt};

use crate::model::{Handle, Method, Step, WorkflowModel, occurrences};
use crate::problem::{Problem, Problems};

/// A durable operation is awaited: until then it does nothing.
pub(crate) fn are_used(model: &WorkflowModel, problems: &Problems) {
    let Some(handle) = &model.handle else { return };
    let block = &model.function.block;
    let mut unused = Unused { handle, body: block, found: Vec::new() };
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
    handle: &'m Handle,
    body: &'m Block,
    found: Vec<(Step, TokenStream)>,
}

impl Unused<'_> {
    /// An operation that is built here and not awaited in the same expression.
    fn operation(&self, expression: &Expr) -> Option<Step> {
        let Expr::MethodCall(call) = expression else { return None };
        let is_awaited = Method::at_root_of(call, self.handle)?.is_awaited();
        if is_awaited { Step::at_root_of(call, self.handle) } else { None }
    }

    fn unused(&mut self, expression: &Expr) {
        let step = self.operation(expression);
        self.found.extend(step.map(|step| (step, expression.to_token_stream())));
    }
}

impl<'ast> Visit<'ast> for Unused<'_> {
    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement {
            self.unused(expression);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            match &local.pat {
                Pat::Wild(_) => self.unused(&init.expr),
                Pat::Ident(name)
                    if self.operation(&init.expr).is_some()
                        && occurrences(&self.body.to_token_stream(), &name.ident) < 2 =>
                {
                    self.unused(&init.expr);
                }
                _ => {}
            }
        }
        visit::visit_local(self, local);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
