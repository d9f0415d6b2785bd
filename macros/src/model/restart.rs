use syn::{Expr, ExprMethodCall, Ident};

/// Whether a call begins the run anew: `step.restart(input)`.
pub(crate) fn is_restart(call: &ExprMethodCall, handle: &Ident) -> bool {
    call.method == "restart"
        && matches!(&*call.receiver, Expr::Path(receiver) if receiver.path.is_ident(handle))
}
