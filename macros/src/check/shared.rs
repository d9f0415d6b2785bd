use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, Ident, Item, Local, Macro, Pat, PatIdent, Type};

use super::attempts::{assigns, changes, report_change, root};
use super::scopes::{self, Scoped};
use crate::model::{Handle, Method, Step, WorkflowModel};
use crate::parse::MacroArguments;
use crate::problem::Problems;

/// A step changes nothing of the body's behind a lock or in a cell either.
pub(crate) fn is_not_changed(model: &WorkflowModel, problems: &Problems) {
    let Some(handle) = &model.handle else { return };
    for Change { step, name, place } in Changes::in_body(&model.function.block, handle) {
        report_change(&step, &name, &place, problems);
    }
}

/// A step changes what a variable of the body shares.
struct Change {
    /// What the step is called.
    step: String,
    name: Ident,
    place: TokenStream,
}

struct Changes<'m> {
    handle: &'m Handle,
    /// What is in scope, the innermost last, and whether it can be changed through a shared reference.
    bound: Vec<(Ident, bool)>,
    /// What the step is called whose code this is, and how much was bound before it.
    step: Option<(String, usize)>,
    found: Vec<Change>,
}

impl<'m> Changes<'m> {
    fn in_body(body: &Block, handle: &'m Handle) -> Vec<Change> {
        let mut changes = Self { handle, bound: Vec::new(), step: None, found: Vec::new() };
        changes.visit_block(body);
        changes.found
    }

    /// The variable that a place is part of, if that is shared, and how many were bound before it.
    fn shared<'e>(&self, place: &'e Expr) -> Option<(&'e Ident, usize)> {
        let name = root(place)?;
        let index = self.bound.iter().rposition(|(known, _)| known == name)?;
        self.bound[index].1.then_some((name, index))
    }

    /// Whether a value can be changed through a shared reference.
    fn is_shared(&self, value: &Expr) -> bool {
        match value {
            // Another handle to the same.
            Expr::MethodCall(copy) if copy.method == "clone" => self.is_shared(&copy.receiver),
            Expr::Reference(reference) => self.is_shared(&reference.expr),
            Expr::Call(call) => {
                let made = match called(call).as_slice() {
                    [.., ty, _] => holds_a_cell(ty),
                    _ => false,
                };
                made || (hands_on(call) && call.args.iter().any(|held| self.is_shared(held)))
            }
            value => self.shared(value).is_some(),
        }
    }

    /// What was locked to get at a place: of `list.lock().unwrap().items`, `list`.
    fn locked<'e>(&self, place: &'e Expr) -> Option<(&'e Ident, usize)> {
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

    /// A variable is changed; one that the step has made itself is its own.
    fn changed(&mut self, variable: Option<(&Ident, usize)>, place: &Expr) {
        if let (Some((name, index)), Some((step, outer))) = (variable, &self.step)
            && index < *outer
        {
            let (step, name) = (step.clone(), name.clone());
            self.found.push(Change { step, name, place: place.to_token_stream() });
        }
    }
}

impl Scoped for Changes<'_> {
    fn scope(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = self.bound.len();
        visit(self);
        self.bound.truncate(outer);
    }

    fn bind(&mut self, pattern: &Pat, value: &Expr) {
        let (name, is_declared) = match pattern {
            Pat::Type(typed) => (&*typed.pat, mentions_a_cell(&typed.ty)),
            pattern => (pattern, false),
        };
        let Pat::Ident(name) = name else { return self.visit_pat(pattern) };
        if name.mutability.is_some() {
            self.changed(self.locked(value), value);
        }
        self.bound.push((name.ident.clone(), is_declared || self.is_shared(value)));
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
        self.changed(changed, expression);
        scopes::visit_expr(self, expression);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let runs_code = Method::of(call, self.handle).is_some_and(Method::runs_code);
        if !runs_code || self.step.is_some() {
            return visit::visit_expr_method_call(self, call);
        }
        if self.bound.iter().any(|(_, is_shared)| *is_shared)
            && let Some(step) = Step::of(call, self.handle)
        {
            self.step = Some((step.title(), self.bound.len()));
            call.args.iter().for_each(|argument| self.visit_expr(argument));
            self.step = None;
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.scope(|inner| visit::visit_block(inner, block));
    }

    fn visit_local(&mut self, local: &'ast Local) {
        scopes::visit_local(self, local);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.bound.push((pattern.ident.clone(), false));
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            scopes::visit_arguments(self, &arguments);
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

/// Whether what a function gives holds what it is given: `Arc::new(..)`, `Arc::clone(..)`.
fn hands_on(call: &ExprCall) -> bool {
    let name = called(call).last().map(ToString::to_string);
    matches!(name.as_deref(), Some("new" | "from" | "clone"))
}

/// Whether a type is changed through a shared reference.
fn holds_a_cell(ty: &Ident) -> bool {
    let cells = ["Mutex", "RwLock", "Cell", "RefCell", "OnceCell", "OnceLock"];
    cells.iter().any(|cell| ty == cell) || ty.to_string().starts_with("Atomic")
}

/// The same, of a type that may hold one: `Arc<Mutex<_>>`.
fn mentions_a_cell(ty: &Type) -> bool {
    let mut tokens = ty.to_token_stream().into_iter();
    tokens.any(|token| matches!(token, TokenTree::Ident(name) if holds_a_cell(&name)))
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

#[cfg(test)]
mod tests {
    use quote::format_ident;
    use syn::parse_quote;

    use super::*;

    fn changed(body: &Block) -> Vec<String> {
        let handle = Handle::new(format_ident!("step"));
        let found = Changes::in_body(body, &handle).into_iter();
        found.map(|change| format!("{} in {}", change.name, change.step)).collect()
    }

    #[test]
    fn what_a_variable_shares_is_known_by_how_it_is_made() {
        let body = parse_quote!({
            let count = AtomicU32::new(0);
            let list = Arc::new(Mutex::new(Vec::new()));
            let again = Arc::clone(&list);
            let same = again.clone();
            let lent = &count;
            let inner = Mutex::new(1);
            let outer = Arc::new(inner);
            let declared: Arc<RwLock<u32>> = Default::default();
            let plain = Sender::new(1);
            step.run("a", async {
                count.fetch_add(1);
            })
            .await?;
            step.run("b", async {
                same.lock().unwrap().push(1);
            })
            .await?;
            step.run("c", async move {
                lent.store(1);
            })
            .await?;
            step.run("d", async {
                let mut value = outer.lock().unwrap();
            })
            .await?;
            step.run("e", async {
                *declared.write().await += 1;
            })
            .await?;
            step.run("f", async {
                plain.replace(2);
            })
            .await?;
        });
        assert_eq!(
            changed(&body),
            ["count in `a`", "same in `b`", "lent in `c`", "outer in `d`", "declared in `e`"]
        );
    }

    #[test]
    fn what_is_read_or_changed_in_the_body_is_let_be() {
        let body = parse_quote!({
            let list = Mutex::new(Vec::new());
            let count = AtomicU32::new(0);
            list.lock().unwrap().push(1);
            step.run("a", async { Ok(list.lock().unwrap().len()) }).await?;
            step.run("b", async { Ok(count.load()) }).await?;
            count.store(2);
        });
        assert!(changed(&body).is_empty());
    }

    #[test]
    fn variables_of_one_name_are_told_apart() {
        let body = parse_quote!({
            let list = Mutex::new(Vec::new());
            step.run("own", async {
                let list = Mutex::new(1);
                list.set(2);
            })
            .await?;
            step.run("inner", async {
                {
                    let list = 1;
                }
                let Some(one) = first else {
                    list.lock().unwrap().push(1);
                    return;
                };
            })
            .await?;
            let list = Vec::new();
            step.run("other", async {
                list.swap(0, 1);
            })
            .await?;
        });
        assert_eq!(changed(&body), ["list in `inner`"]);
    }
}
