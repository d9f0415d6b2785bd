use proc_macro2::{LineColumn, Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, ExprMethodCall, Ident, Item, Local, Macro, Pat, PatIdent, Stmt};

use super::scopes::{self, Scoped, captures};
use crate::model::{CarriedLoop, Method, WorkflowModel, matched};
use crate::parse::MacroArguments;
use crate::problem::{Problem, Problems};

const WHY: &str = "the journal of its earlier iterations is dropped at its head, and a resumed run \
                   begins there";

/// `#[carried]` stands on a loop at the body's top level, and names variables.
pub(crate) fn stands_at_the_top(model: &WorkflowModel, problems: &Problems) {
    let top: Vec<_> = loops(model).map(|(_, carried)| start(carried.attribute)).collect();
    for attribute in &model.carried {
        if !top.contains(&start(attribute)) {
            problems.report(
                Problem::at(attribute, "a carried loop stands at the body's top level")
                    .note(
                        "the loop drops entries from the journal at its head, and code around it \
                         or beside it would still need them",
                    )
                    .help(
                        "put it beside the body's first statements, or make it a workflow of its \
                         own and `invoke` it",
                    ),
            );
        }
    }
    for (_, carried) in loops(model).filter(|(_, carried)| carried.variables().is_none()) {
        problems.report(
            Problem::at(carried.attribute, "`#[carried]` lists variables")
                .note(WHY)
                .help("#[carried(cursor, total)]"),
        );
    }
}

/// A helper has no carried loop: it may be called anywhere.
pub(crate) fn is_not_in_a_helper(model: &WorkflowModel, problems: &Problems) {
    for head in model.steps.iter().filter(|step| step.method == Method::Carried) {
        problems.report(
            Problem::at(&head.name, "a carried loop stands in a workflow, not in a helper")
                .note("a helper may be called in a loop or side by side with others")
                .help("write the loop in the workflow, and call the helper in it"),
        );
    }
}

/// A carried loop carries every outer `let mut` that it uses.
pub(crate) fn is_complete(model: &WorkflowModel, problems: &Problems) {
    for (index, carried) in loops(model) {
        let Some(variables) = carried.variables() else { continue };
        let outer = mutable(model, index);
        let Some(expression) = expression(&model.function.block.stmts[index]) else { continue };
        let mut uses = Uses { names: &outer, bound: Vec::new(), found: Vec::new() };
        match expression {
            // What it goes through is evaluated before it.
            Expr::ForLoop(inner) => scopes::visit_for_body(&mut uses, inner),
            other => uses.visit_expr(other),
        }
        let mut named = Vec::new();
        for (name, place) in uses.found {
            if variables.contains(&name) || named.contains(&name) {
                continue;
            }
            let all: Vec<_> = variables.iter().chain([&name]).map(ToString::to_string).collect();
            problems.report(
                Problem::at(&place, format!("the loop uses `{name}` and does not carry it"))
                    .note(format!("{WHY}: `{name}` would be what it was before the loop"))
                    .help(format!("#[carried({})]", all.join(", "))),
            );
            named.push(name);
        }
    }
}

/// The carried loops at the body's top level, with the places of their statements.
fn loops(model: &WorkflowModel) -> impl Iterator<Item = (usize, CarriedLoop<'_>)> {
    let statements = model.function.block.stmts.iter().enumerate();
    statements
        .filter_map(|(index, statement)| Some((index, CarriedLoop::of(expression(statement)?)?)))
}

fn expression(statement: &Stmt) -> Option<&Expr> {
    match statement {
        Stmt::Expr(expression, _) => Some(expression),
        Stmt::Local(local) => local.init.as_ref().map(|init| &*init.expr),
        _ => None,
    }
}

fn start(attribute: &Attribute) -> LineColumn {
    attribute.path().span().start()
}

/// The variables in scope at a statement that may have changed by then.
fn mutable(model: &WorkflowModel, index: usize) -> Vec<Ident> {
    let mut found = Mutable(Vec::new());
    model.parameters().for_each(|parameter| found.visit_pat(&parameter.pat));
    for statement in &model.function.block.stmts[..index] {
        let Stmt::Local(local) = statement else { continue };
        found.visit_pat(&local.pat);
        // What is reached through a reference is as good as the variable itself.
        let borrows = local.init.as_ref().is_some_and(|init| {
            matches!(&*init.expr, Expr::Reference(reference) if reference.mutability.is_some())
        });
        if let Pat::Ident(name) = &local.pat
            && borrows
        {
            found.0.push(name.ident.clone());
        }
    }
    found.0
}

struct Mutable(Vec<Ident>);

impl<'ast> Visit<'ast> for Mutable {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0.retain(|name| *name != pattern.ident);
        if pattern.mutability.is_some() {
            self.0.push(pattern.ident.clone());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Where some variables are used, apart from others of their names.
struct Uses<'n> {
    names: &'n [Ident],
    /// What is bound inside and in scope.
    bound: Vec<Ident>,
    found: Vec<(Ident, TokenStream)>,
}

impl Uses<'_> {
    fn used(&mut self, name: &Ident, place: TokenStream) {
        if self.names.contains(name) && !self.bound.contains(name) {
            self.found.push((name.clone(), place));
        }
    }

    /// Tokens that are no expressions, and the variables that format strings capture.
    fn tokens(&mut self, tokens: TokenStream, only_text: bool) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match &token {
                TokenTree::Group(group) => self.tokens(group.stream(), only_text),
                // `name = value` names an argument.
                TokenTree::Ident(_) if tokens.next_if(is_equals).is_some() => {}
                TokenTree::Ident(name) if !only_text => {
                    self.used(name, name.to_token_stream());
                }
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    for name in self.names {
                        if captures(&text, &name.to_string()) {
                            self.used(name, token.to_token_stream());
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_equals(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct)
        if punct.as_char() == '=' && punct.spacing() == Spacing::Alone)
}

impl Scoped for Uses<'_> {
    fn scope(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = self.bound.len();
        visit(self);
        self.bound.truncate(outer);
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        scopes::visit_expr(self, expression);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.used(name, name.to_token_stream());
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.bound.push(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.scope(|uses| visit::visit_block(uses, block));
    }

    fn visit_local(&mut self, local: &'ast Local) {
        scopes::visit_local(self, local);
    }

    /// `matching(field = value)` names a field.
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method != "matching" {
            return visit::visit_expr_method_call(self, call);
        }
        self.visit_expr(&call.receiver);
        for argument in &call.args {
            self.visit_expr(matched(argument).map_or(argument, |(_, value)| value));
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else {
            return self.tokens(call.tokens.clone(), false);
        };
        scopes::visit_arguments(self, &arguments);
        self.tokens(call.tokens.clone(), true);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
