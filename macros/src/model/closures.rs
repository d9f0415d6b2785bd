use syn::visit::{self, Visit};
use syn::{Block, FnArg, Ident, Item, Macro, PatIdent, Signature};

use crate::parse::MacroArguments;

/// Of the variables that are given an `async` closure in a body, those that hold nothing else. A body
/// awaits nothing but durable operations, and so does a closure in it; so calling one is durable too.
pub(super) fn unambiguous(
    mut closures: Vec<Ident>,
    signature: &Signature,
    body: &Block,
) -> Vec<Ident> {
    if closures.is_empty() {
        return closures;
    }
    let mut bindings = Bindings(Vec::new());
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            bindings.visit_pat(&parameter.pat);
        }
    }
    bindings.visit_block(body);
    // Under a name that is bound again, a call may be another's.
    closures.retain(|closure| bindings.0.iter().filter(|name| *name == closure).count() == 1);
    closures
}

/// The names that a function binds.
struct Bindings(Vec<Ident>);

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        if let MacroArguments::Race(branches) = &arguments {
            branches.iter().for_each(|branch| self.visit_pat(&branch.pattern));
        }
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    /// A function in the body may have the name as well.
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Fn(function) = item {
            self.0.push(function.sig.ident.clone());
        }
    }
}
