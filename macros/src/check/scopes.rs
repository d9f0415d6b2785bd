//! A way through code that knows where what is bound is in scope.

use syn::visit::{self, Visit};
use syn::{Expr, ExprForLoop, Local, Pat};

use crate::model::matched;
use crate::parse::MacroArguments;

/// What goes through code and tells apart variables of one name.
///
/// Its `visit_expr`, `visit_block`, `visit_local` and `visit_macro` are those of this module, perhaps
/// with something before or behind.
pub(super) trait Scoped: for<'ast> Visit<'ast> {
    /// Visits something, and forgets what was bound in it.
    fn scope(&mut self, visit: impl FnOnce(&mut Self));

    /// Binds what a pattern finds in a value.
    fn bind(&mut self, pattern: &Pat, _value: &Expr) {
        self.visit_pat(pattern);
    }
}

pub(super) fn visit_expr<S: Scoped>(scoped: &mut S, expression: &Expr) {
    match expression {
        Expr::Closure(_) | Expr::While(_) => {
            scoped.scope(|inner| visit::visit_expr(inner, expression));
        }
        Expr::If(branch) => {
            scoped.scope(|inner| {
                inner.visit_expr(&branch.cond);
                inner.visit_block(&branch.then_branch);
            });
            if let Some((_, otherwise)) = &branch.else_branch {
                scoped.visit_expr(otherwise);
            }
        }
        Expr::Match(choice) => {
            scoped.visit_expr(&choice.expr);
            for arm in &choice.arms {
                scoped.scope(|inner| {
                    inner.bind(&arm.pat, &choice.expr);
                    inner.visit_expr(&arm.body);
                });
            }
        }
        Expr::Let(condition) => {
            scoped.visit_expr(&condition.expr);
            scoped.bind(&condition.pat, &condition.expr);
        }
        Expr::ForLoop(each) => {
            scoped.visit_expr(&each.expr);
            visit_for_body(scoped, each);
        }
        _ => visit::visit_expr(scoped, expression),
    }
}

/// A `for` loop without what it goes through.
pub(super) fn visit_for_body<S: Scoped>(scoped: &mut S, each: &ExprForLoop) {
    scoped.scope(|inner| {
        inner.visit_pat(&each.pat);
        inner.visit_block(&each.body);
    });
}

/// A variable is bound only after its value.
pub(super) fn visit_local<S: Scoped>(scoped: &mut S, local: &Local) {
    let Some(init) = &local.init else { return scoped.visit_pat(&local.pat) };
    scoped.visit_expr(&init.expr);
    if let Some((_, diverge)) = &init.diverge {
        scoped.visit_expr(diverge);
    }
    scoped.bind(&local.pat, &init.expr);
}

/// The arguments of a macro. In `name = value`, the name is an argument's.
pub(super) fn visit_arguments<S: Scoped>(scoped: &mut S, arguments: &MacroArguments) {
    match arguments {
        MacroArguments::Race(branches) => {
            for branch in branches {
                scoped.visit_expr(&branch.operation);
                scoped.scope(|inner| {
                    inner.visit_pat(&branch.pattern);
                    inner.visit_expr(&branch.body);
                });
            }
        }
        MacroArguments::Matches(matches) => {
            scoped.visit_expr(&matches.value);
            scoped.scope(|inner| {
                inner.bind(&matches.pattern, &matches.value);
                if let Some((_, guard)) = &matches.guard {
                    inner.visit_expr(guard);
                }
            });
        }
        MacroArguments::List(_) | MacroArguments::Repeat(..) => {
            for argument in arguments.expressions() {
                scoped.visit_expr(matched(argument).map_or(argument, |(_, value)| value));
            }
        }
    }
}

/// Whether a format string captures a variable.
pub(super) fn captures(text: &str, variable: &str) -> bool {
    let mut places = text.match_indices('{').map(|(place, _)| &text[place + 1..]);
    places.any(|rest| rest.strip_prefix(variable).is_some_and(|rest| rest.starts_with([':', '}'])))
}
