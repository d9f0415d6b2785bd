//! A body's own code, without what its steps do.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::discouraged::Speculative as _;
use syn::parse::{ParseStream, Parser as _};
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAssign, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprMethodCall, ExprPath,
    FnArg, Ident, Item, ItemFn, Local, Macro, Pat, Stmt,
};

use super::known::Known;
use super::names::Names;
use super::order::{
    Order, collected_into_a_list, collects, filled_by, goes_through, is_asked_whether_there_is_one,
    is_of_sets, is_sorted_next, iterates, only_inserts, takes_items,
};
use super::sources::{Source, unqualified};
use crate::check::scopes::{self, Scoped};
use crate::model::{Handle, Method};
use crate::parse::{MacroArguments, concurrency};

/// What a body would do differently the next time.
pub(super) struct Found {
    pub(super) place: TokenStream,
    pub(super) finding: Finding,
    /// An order that is not seen to show yet: what comes behind may hide it.
    pub(super) is_open: bool,
}

pub(super) enum Finding {
    Seen {
        what: String,
        source: &'static Source,
        /// From its name alone.
        is_guessed: bool,
    },
    /// Something is iterated over of which only rustc knows whether it is a hash table: at this `for`, or
    /// by this method.
    Asked(Ident),
}

pub(super) struct Body<'m> {
    pub(super) handle: Option<&'m Handle>,
    pub(super) names: Names,
    /// What is known of what the block gave that was left last.
    given: Option<Known>,
    /// How many operations stand before here whose order is the body's.
    operations: usize,
    pub(super) found: Vec<Found>,
}

impl<'m> Body<'m> {
    /// What there is in a function, in the order of the source.
    pub(super) fn of(function: &ItemFn, handle: Option<&'m Handle>) -> Vec<Found> {
        let names = Names::default();
        let mut body = Self { handle, names, given: None, operations: 0, found: Vec::new() };
        for parameter in &function.sig.inputs {
            if let FnArg::Typed(parameter) = parameter {
                let known = Known::of_type(&parameter.ty, &body.names);
                body.bind_known(&parameter.pat, known.as_ref());
            }
        }
        body.visit_block(&function.block);
        body.found
    }
}

impl Found {
    pub(super) fn seen(
        source: &'static Source,
        place: TokenStream,
        what: String,
        is_guessed: bool,
    ) -> Self {
        Self { place, finding: Finding::Seen { what, source, is_guessed }, is_open: false }
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self.finding, Finding::Asked(_))
    }
}

impl Body<'_> {
    /// Tokens that are no list of expressions: the expressions that there are among them.
    fn tokens(&mut self, tokens: TokenStream, visit: &mut dyn FnMut(&mut Self, &Expr)) {
        let each = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let ahead = input.fork();
                if let Ok(expression) = ahead.parse::<Expr>() {
                    input.advance_to(&ahead);
                    visit(self, &expression);
                } else if let TokenTree::Group(group) = input.parse()? {
                    self.tokens(group.stream(), visit);
                }
            }
            Ok(())
        };
        // Each of them is a token tree at least, so nothing is left that could not be read.
        let _ = each.parse2(tokens);
    }
}

impl Scoped for Body<'_> {
    fn scope(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = self.names.enter();
        visit(self);
        self.names.leave(outer);
    }

    fn bind(&mut self, pattern: &Pat, value: &Expr) {
        let known = match value {
            Expr::Block(_) | Expr::If(_) => self.given.take(),
            value => Known::of_value(value, &self.names),
        };
        self.bind_known(pattern, known.as_ref());
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let Expr::ForLoop(each) = expression else {
            return scopes::visit_expr(self, expression);
        };
        let before = self.found.len();
        self.iterated_at(&each.expr, Ident::new("for", each.for_token.span));
        let operations = self.operations;
        scopes::visit_expr(self, expression);
        if self.operations > operations {
            return self.fix(before);
        }
        let filled = filled_by(each).and_then(|name| self.names.known(name));
        if filled.is_some_and(|it| it.is_indifferent() || matches!(it, Known::Number)) {
            self.hide(before..self.found.len());
        }
        if only_inserts(each) {
            self.hide_asked(before..self.found.len());
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.path(&unqualified(path), None);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let before = self.found.len();
        let Expr::Path(function) = &*call.func else {
            return visit::visit_expr_call(self, call);
        };
        let path = unqualified(function);
        self.path(&path, Some(&call.args));
        if goes_through(&path) {
            call.args.iter().for_each(|argument| self.iterated(argument));
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        if Known::made_by(&path, &self.names).is_some_and(|made| made.is_indifferent()) {
            self.hide(before..self.found.len());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(method) = self.handle.and_then(|handle| Method::of(call, handle)) {
            // What it does is its own; an id, a duration or an event is the body's.
            if !method.runs_code() {
                call.args.iter().for_each(|argument| self.visit_expr(argument));
            }
            // An id or a number is made where it stands; the others, where they are awaited.
            self.operations += usize::from(!method.is_awaited());
            return;
        }
        let method = call.method.to_string();
        let before = self.found.len();
        if let Some(looked_for) = is_asked_whether_there_is_one(call) {
            let operations = self.operations;
            self.visit_expr(&looked_for.receiver);
            looked_for.args.iter().for_each(|argument| self.visit_expr(argument));
            if self.operations == operations {
                self.hide(before..self.found.len());
            }
            return;
        }
        if iterates(&method) {
            self.iterated_at(&call.receiver, call.method.clone());
        }
        self.visit_expr(&call.receiver);
        let receiver = before..self.found.len();
        let is_named = self.found[receiver.clone()].iter().any(|found| !found.is_asked());
        // What it is called on may have been named already: `Instant::now().elapsed()`.
        if !is_named {
            self.guess_method(call, &method);
        }
        if takes_items(&method) || (is_of_sets(&method) && !is_named) {
            call.args.iter().for_each(|argument| self.iterated(argument));
        }
        for argument in &call.args {
            let operations = self.operations;
            self.visit_expr(argument);
            if matches!(argument, Expr::Closure(_)) && self.operations > operations {
                self.fix(before);
            }
        }
        match Order::of(call, &method, &self.names) {
            Order::Hidden => self.hide(receiver),
            Order::Fixed => self.fix(before),
            Order::Kept => {}
        }
        if method == "extend" {
            if self.is_indifferent(&call.receiver) {
                self.hide(before..self.found.len());
            } else {
                self.hide_asked(before..self.found.len());
            }
        }
        if collects(call) {
            self.hide_asked(before..self.found.len());
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        visit::visit_expr_await(self, awaited);
        self.operations += 1;
    }

    /// What stands in there is begun elsewhere, and told from others by its key.
    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        let operations = self.operations;
        visit::visit_expr_async(self, block);
        self.operations = operations;
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        let operations = self.operations;
        visit::visit_expr_closure(self, closure);
        if closure.asyncness.is_some() {
            self.operations = operations;
        }
    }

    fn visit_expr_assign(&mut self, assign: &'ast ExprAssign) {
        let before = self.found.len();
        visit::visit_expr_assign(self, assign);
        if let Expr::Path(variable) = &*assign.left
            && let Some(variable) = variable.path.get_ident()
            && let Some(known) = Known::of_value(&assign.right, &self.names)
        {
            self.names.learn(variable, known);
        }
        if self.is_indifferent(&assign.left) {
            self.hide(before..self.found.len());
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.scope(|body| {
            // Items are known in the whole block.
            for statement in &block.stmts {
                match statement {
                    Stmt::Item(Item::Use(item)) => body.names.import(&item.tree),
                    Stmt::Item(Item::Fn(item)) => body.names.bind(&item.sig.ident, None),
                    _ => {}
                }
            }
            for (index, statement) in block.stmts.iter().enumerate() {
                let before = body.found.len();
                body.visit_stmt(statement);
                let has_open = body.found[before..].iter().any(|found| found.is_open);
                if has_open && is_sorted_next(statement, &block.stmts[index + 1..]) {
                    body.hide(before..body.found.len());
                }
                // What a block gives may still be sorted.
                if !matches!(statement, Stmt::Expr(_, None)) {
                    body.fix(before);
                }
            }
            body.given = match block.stmts.last() {
                Some(Stmt::Expr(last, None)) => Known::of_value(last, &body.names),
                _ => None,
            };
        });
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let before = self.found.len();
        match collected_into_a_list(local) {
            Some((iterator, list)) => {
                self.visit_expr(iterator);
                self.bind(&local.pat, list);
            }
            None => scopes::visit_local(self, local),
        }
        if let (Pat::Type(typed), Some(init)) = (&local.pat, &local.init) {
            let hides = match Known::of_type(&typed.ty, &self.names) {
                Some(Known::Number) => adds_up(&init.expr),
                known => known.is_some_and(|known| known.is_indifferent()),
            };
            if hides {
                self.hide(before..self.found.len());
            }
        }
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        self.bind_known(pattern, None);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|name| name.ident.to_string());
        let name = name.as_deref().unwrap_or_default();
        if name == "stringify" {
            return;
        }
        self.path(&call.path, None);
        self.operations += usize::from(concurrency(call).is_some());
        let shows = matches!(name, "format" | "format_args" | "write" | "writeln" | "json");
        match MacroArguments::parse(call) {
            Some(arguments) => {
                if shows {
                    self.shown(call, &arguments);
                }
                scopes::visit_arguments(self, &arguments);
            }
            None => self.tokens(call.tokens.clone(), &mut |body, expression| {
                if shows {
                    body.iterated(expression);
                }
                body.visit_expr(expression);
            }),
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Static(item) = item {
            self.visit_expr(&item.expr);
        }
    }
}

fn adds_up(value: &Expr) -> bool {
    matches!(value, Expr::MethodCall(call) if call.method == "sum" || call.method == "product")
}
