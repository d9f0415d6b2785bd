use syn::visit::{self, Visit};
use syn::{Block, Expr, FnArg, Ident, Item, Local, Pat, PatIdent, Signature};

/// The variables of a function that hold one of its `async` closures and nothing else. A body awaits
/// nothing but durable operations, and so does a closure in it; so calling one is durable too.
pub(super) fn closures(signature: &Signature, body: &Block) -> Vec<Ident> {
    let mut bindings = Bindings::default();
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            bindings.visit_pat(&parameter.pat);
        }
    }
    bindings.visit_block(body);
    let Bindings { mut closures, names } = bindings;
    // Under a name that is bound again, a call may be another's.
    closures.retain(|closure| names.iter().filter(|name| *name == closure).count() == 1);
    closures
}

#[derive(Default)]
struct Bindings {
    closures: Vec<Ident>,
    names: Vec<Ident>,
}

impl<'ast> Visit<'ast> for Bindings {
    fn visit_local(&mut self, local: &'ast Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && matches!(&*init.expr, Expr::Closure(closure) if closure.asyncness.is_some())
            && name.mutability.is_none()
        {
            self.closures.push(name.ident.clone());
        }
        visit::visit_local(self, local);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.names.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    /// A function in the body may have the name as well.
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Fn(function) = item {
            self.names.push(function.sig.ident.clone());
        }
    }
}
