use syn::ExprMethodCall;

use super::Handle;

/// Whether a call begins the run anew: `step.restart(input)`.
pub(crate) fn is_restart(call: &ExprMethodCall, handle: &Handle) -> bool {
    call.method == "restart" && handle.is(&call.receiver)
}
