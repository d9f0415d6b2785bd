//! Awaits of what is no operation as it stands.

use syn::{Expr, ExprMethodCall, Ident};

use super::Handle;
use super::step::{Method, Step};
use super::ungrouped::ungrouped;
use crate::parse::concurrency;

/// What stands before an `.await` in place of an operation.
pub(crate) enum Misawaited<'e> {
    /// A method of the handle that gives its value at once: `step.now().await`.
    Value(&'e Ident),
    /// Operations that are awaited together already: `join!(..).await`.
    Joined(&'e Ident),
    /// A step or a helper's call in a box: `Box::pin(step.run(..)).await`. The box, and what is in it.
    Boxed(&'e Expr, &'e Expr),
}

impl<'e> Misawaited<'e> {
    pub(crate) fn of(awaited: &'e Expr, handle: &Handle) -> Option<Self> {
        match ungrouped(awaited) {
            Expr::MethodCall(call) if gives_a_value(call, handle) => {
                Some(Self::Value(&call.method))
            }
            Expr::Macro(call) if concurrency(&call.mac).is_some() => {
                Some(Self::Joined(&call.mac.path.segments.last()?.ident))
            }
            Expr::Call(call) if is_box(&call.func) => {
                let operation = call.args.first()?;
                is_operation(operation, handle).then_some(Self::Boxed(&call.func, operation))
            }
            _ => None,
        }
    }
}

/// Whether an expression builds a step or calls what may be a helper.
pub(super) fn is_operation(value: &Expr, handle: &Handle) -> bool {
    match ungrouped(value) {
        Expr::MethodCall(chain) => match Method::at_root_of(chain, handle) {
            Some(method) => method.is_awaited(),
            // A helper's call may be given a name.
            None => chain.method == "key" && is_operation(&chain.receiver, handle),
        },
        Expr::Call(call) => Step::of_call(call, handle).is_some(),
        _ => false,
    }
}

fn gives_a_value(call: &ExprMethodCall, handle: &Handle) -> bool {
    let values = ["now", "uuid", "random", "attribute", "trace_context", "restart"];
    values.iter().any(|value| call.method == value) && handle.is(&call.receiver)
}

/// Whether a function is `Box::pin` or `Box::new`.
fn is_box(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    let mut names = function.path.segments.iter().rev().map(|segment| &segment.ident);
    names.next().is_some_and(|name| name == "pin" || name == "new")
        && names.next().is_some_and(|ty| ty == "Box")
}
