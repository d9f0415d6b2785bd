use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, Ident, Item, Local, Macro, Pat, PatIdent};

use super::attempts::{assigns, attempts, changes, report_change, root};
use crate::model::{Handle, Method, WorkflowModel};
use crate::parse::MacroArguments;
use crate::problem::Problems;

/// A step changes nothing of the body's behind a lock or in a cell either.
pub(crate) fn is_not_changed(model: &WorkflowModel, problems: &Problems) {
    let mut shared =
        Shared { handle: model.handle.as_ref(), names: Vec::new(), others: Vec::new() };
    shared.visit_block(&model.function.block);
    // What is called the same elsewhere may be what is meant.
    shared.names.retain(|name| !shared.others.contains(name));
    if shared.names.is_empty() {
        return;
    }
    for (step, attempt) in attempts(model) {
        let mut changes = Changes { shared: &shared.names, own: Vec::new(), found: Vec::new() };
        changes.visit_expr(attempt);
        for (name, place) in changes.found {
            report_change(step, &name, &place, problems);
        }
    }
}

/// The variables of a body that hold what can be changed through a shared reference.
struct Shared<'m> {
    handle: Option<&'m Handle>,
    names: Vec<Ident>,
    /// All that hold something else.
    others: Vec<Ident>,
}

impl Shared<'_> {
    fn is_shared(&self, value: &Expr) -> bool {
        match value {
            // Another handle to the same.
            Expr::MethodCall(copy) if copy.method == "clone" => self.is_named(&copy.receiver),
            Expr::Call(call) => match called(call).as_slice() {
                [.., ty, new] if *new == "new" || *new == "default" || *new == "from" => {
                    holds_a_cell(ty) || call.args.first().is_some_and(|inner| self.is_shared(inner))
                }
                [.., clone] if *clone == "clone" => {
                    call.args.first().is_some_and(|original| self.is_named(original))
                }
                _ => false,
            },
            Expr::Reference(reference) => self.is_shared(&reference.expr),
            value => self.is_named(value),
        }
    }

    fn is_named(&self, value: &Expr) -> bool {
        match value {
            Expr::Reference(reference) => self.is_named(&reference.expr),
            value => root(value).is_some_and(|name| self.names.contains(name)),
        }
    }
}

impl<'ast> Visit<'ast> for Shared<'_> {
    fn visit_local(&mut self, local: &'ast Local) {
        let pattern = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            pattern => pattern,
        };
        match (pattern, &local.init) {
            (Pat::Ident(name), Some(init)) if self.is_shared(&init.expr) => {
                self.names.push(name.ident.clone());
            }
            _ => visit::visit_local(self, local),
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.others.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    /// What a step makes is its own.
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = self.handle.and_then(|handle| Method::of(call, handle));
        if !method.is_some_and(Method::runs_code) {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// The path of a function, by its names.
fn called(call: &ExprCall) -> Vec<&Ident> {
    match &*call.func {
        Expr::Path(function) => function.path.segments.iter().map(|it| &it.ident).collect(),
        _ => Vec::new(),
    }
}

/// Whether a type is changed through a shared reference.
fn holds_a_cell(ty: &Ident) -> bool {
    let cells = ["Mutex", "RwLock", "Cell", "RefCell", "OnceCell", "OnceLock"];
    cells.iter().any(|cell| ty == cell) || ty.to_string().starts_with("Atomic")
}

/// Where an attempt changes what is shared.
struct Changes<'m> {
    shared: &'m [Ident],
    /// The names that were bound so far.
    own: Vec<Ident>,
    found: Vec<(Ident, TokenStream)>,
}

impl Changes<'_> {
    fn shared(&self, place: &Expr) -> Option<Ident> {
        let name = root(place)?;
        (self.shared.contains(name) && !self.own.contains(name)).then(|| name.clone())
    }

    /// What was locked to get at a place: of `list.lock().unwrap().items`, `list`.
    fn locked(&self, place: &Expr) -> Option<Ident> {
        match place {
            Expr::MethodCall(call) if locks(&call.method) => self.shared(&call.receiver),
            Expr::MethodCall(call) if call.method == "unwrap" || call.method == "expect" => {
                self.locked(&call.receiver)
            }
            Expr::Await(awaited) => self.locked(&awaited.base),
            Expr::Try(tried) => self.locked(&tried.expr),
            Expr::Unary(dereferenced) => self.locked(&dereferenced.expr),
            Expr::Paren(inner) => self.locked(&inner.expr),
            Expr::Field(field) => self.locked(&field.base),
            Expr::Index(index) => self.locked(&index.expr),
            _ => None,
        }
    }
}

impl<'ast> Visit<'ast> for Changes<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let changed = match expression {
            Expr::MethodCall(call) if sets(&call.method) => self.shared(&call.receiver),
            Expr::MethodCall(call) if changes(&call.method) => self.locked(&call.receiver),
            Expr::Assign(assign) => self.locked(&assign.left),
            Expr::Binary(binary) if assigns(&binary.op) => self.locked(&binary.left),
            _ => None,
        };
        self.found.extend(changed.map(|name| (name, expression.to_token_stream())));
        visit::visit_expr(self, expression);
    }

    /// A variable is bound only after its value: `let mut total = total.lock()`.
    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            if matches!(&local.pat, Pat::Ident(guard) if guard.mutability.is_some()) {
                let locked = self.locked(&init.expr);
                self.found.extend(locked.map(|name| (name, init.expr.to_token_stream())));
            }
            self.visit_expr(&init.expr);
            if let Some((_, diverge)) = &init.diverge {
                self.visit_expr(diverge);
            }
        }
        self.visit_pat(&local.pat);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.own.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether a method of a lock gives what it holds, which may be read alone.
fn locks(method: &Ident) -> bool {
    ["lock", "try_lock", "blocking_lock"].iter().any(|name| method == name)
}

/// Whether a method of a lock, a cell or an atomic number is there to change what it holds.
fn sets(method: &Ident) -> bool {
    const SETTING: &[&str] = &[
        "write",
        "try_write",
        "blocking_write",
        "borrow_mut",
        "try_borrow_mut",
        "set",
        "replace",
        "replace_with",
        "swap",
        "take",
        "update",
        "store",
        "get_or_init",
        "compare_exchange",
        "compare_exchange_weak",
    ];
    SETTING.iter().any(|name| method == name) || method.to_string().starts_with("fetch_")
}
