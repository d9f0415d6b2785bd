use proc_macro2::Ident;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAsync, ExprClosure, ExprMethodCall, ExprReturn, Item, Macro, Stmt};

use crate::model::{Handle, WorkflowModel, is_restart};
use crate::parse::{MacroArguments, concurrency};
use crate::problem::{Problem, Problems};

/// A restart is what the body returns, on its own.
pub(crate) fn end_the_run(model: &WorkflowModel, problems: &Problems) {
    // Most have none, and are not gone through for them.
    if model.restarts.is_empty() {
        return;
    }
    let restarts = Restarts::of(model);
    for call in restarts.found.iter().filter(|restart| !restart.is_returned) {
        problems.report(
            Problem::at(&call.method, "a restart is what the body returns")
                .note("it ends this generation of the run, so code after it would never run")
                .help("return step.restart(..);"),
        );
    }
    for call in restarts.found.iter().filter(|restart| restart.is_returned && restart.is_beside) {
        problems.report(
            Problem::at(&call.method, "a run is not restarted beside other branches")
                .note(
                    "the other branches may still be running, and a restart drops their outcomes \
                     with the journal",
                )
                .help("let the branches end, and then return the restart"),
        );
    }
}

/// A helper restarts nothing: it does not know the input of the workflow that calls it.
pub(crate) fn are_not_in_a_helper(model: &WorkflowModel, problems: &Problems) {
    for method in &model.restarts {
        problems.report(
            Problem::at(method, "a restart stands in a workflow, not in a helper")
                .note("each workflow that calls the helper restarts with its own input")
                .help("return the next input to the workflow, and restart there"),
        );
    }
}

/// A call of `step.restart(..)`.
struct Restart {
    method: Ident,
    is_returned: bool,
    /// Other branches may be in progress.
    is_beside: bool,
}

struct Restarts<'m> {
    handle: Option<&'m Handle>,
    found: Vec<Restart>,
    is_returned: bool,
    is_beside: bool,
}

impl<'m> Restarts<'m> {
    fn of(model: &'m WorkflowModel) -> Self {
        let handle = model.handle.as_ref();
        let mut restarts = Self { handle, found: Vec::new(), is_returned: false, is_beside: false };
        restarts.last_of_block(&model.function.block);
        restarts
    }

    fn given(&mut self, is_returned: bool, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_returned, is_returned);
        visit(self);
        self.is_returned = outer;
    }

    fn beside(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_beside, true);
        visit(self);
        self.is_beside = outer;
    }

    /// A block whose last expression is what the body gives.
    fn last_of_block(&mut self, block: &Block) {
        let Some((last, before)) = block.stmts.split_last() else { return };
        before.iter().for_each(|statement| self.visit_stmt(statement));
        match last {
            Stmt::Expr(last, None) => self.last(last),
            last => self.visit_stmt(last),
        }
    }

    fn last(&mut self, expression: &Expr) {
        match expression {
            Expr::Block(inner) => self.last_of_block(&inner.block),
            Expr::If(branch) => {
                self.visit_expr(&branch.cond);
                self.last_of_block(&branch.then_branch);
                if let Some((_, otherwise)) = &branch.else_branch {
                    self.last(otherwise);
                }
            }
            Expr::Match(choice) => {
                self.visit_expr(&choice.expr);
                for arm in &choice.arms {
                    // Its guard is part of the pattern.
                    self.visit_pat(&arm.pat);
                    self.last(&arm.body);
                }
            }
            other => self.given(true, |restarts| restarts.visit_expr(other)),
        }
    }
}

impl<'ast> Visit<'ast> for Restarts<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::MethodCall(_) | Expr::Group(_) | Expr::Paren(_) => {
                visit::visit_expr(self, expression);
            }
            // Only the call itself is what is returned.
            other => self.given(false, |restarts| visit::visit_expr(restarts, other)),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if self.handle.is_some_and(|handle| is_restart(call, handle)) {
            let (method, is_beside) = (call.method.clone(), self.is_beside);
            self.found.push(Restart { method, is_returned: self.is_returned, is_beside });
        }
        self.given(false, |restarts| visit::visit_expr_method_call(restarts, call));
    }

    fn visit_expr_return(&mut self, returned: &'ast ExprReturn) {
        if let Some(value) = &returned.expr {
            self.given(true, |restarts| restarts.visit_expr(value));
        }
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.beside(|restarts| visit::visit_expr_async(restarts, block));
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.beside(|restarts| visit::visit_expr_closure(restarts, closure));
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        match &arguments {
            // The bodies begin when the other branches are gone.
            MacroArguments::Race(branches) => {
                for branch in branches {
                    self.beside(|restarts| restarts.visit_expr(&branch.operation));
                    self.visit_expr(&branch.body);
                }
            }
            _ if concurrency(call).is_some() => self.beside(|restarts| {
                arguments.expressions().into_iter().for_each(|each| restarts.visit_expr(each));
            }),
            _ => arguments.expressions().into_iter().for_each(|each| self.visit_expr(each)),
        }
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item(&mut self, _: &'ast Item) {}
}
