use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAwait, ExprForLoop, ExprLet, ExprMatch, Ident, Item, Local, Pat, PatIdent};

use crate::model::{Method, Step, WorkflowModel, has_steps, occurrences, transaction};
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
    let Some(handle) = &model.handle else { return };
    for (step, work) in works(model) {
        let Some(closure) = transaction(work) else { continue };
        let mut awaited = Awaited { derived: Vec::new(), foreign: Vec::new() };
        awaited.bind(&closure.inputs[0]);
        awaited.visit_expr(&closure.body);
        // A step in there was reported as that.
        let is_a_step = |foreign: &Expr| has_steps(foreign, handle);
        for foreign in awaited.foreign.iter().filter(|foreign| !is_a_step(foreign)) {
            problems.report(
                Problem::at(
                    foreign,
                    format!("the transaction {} awaits something else here", step.title()),
                )
                .note(
                    "it keeps its locks meanwhile, and runs again from its start when another \
                     transaction was in its way: what else it does is done again, and is not taken \
                     back",
                )
                .help("do this in a step of its own before, and use its value in the transaction"),
            );
        }
    }
}

fn works(model: &WorkflowModel) -> impl Iterator<Item = (&Step, &Expr)> {
    let transactions = model.steps.iter().filter(|step| step.method == Method::Transaction);
    transactions.filter_map(|step| Some((step, step.attempt.as_ref()?)))
}

/// What is awaited that has nothing to do with the transaction.
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
        if !self.is_derived(&awaited.base) {
            self.foreign.push((*awaited.base).clone());
        }
        visit::visit_expr_await(self, awaited);
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
