//! A body's own code, without what its steps do.

use std::borrow::Cow;
use std::ops::Range;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAssign, ExprCall, ExprMethodCall, ExprPath, FnArg, Item, ItemFn, Local, Macro,
    Pat, Path, Stmt, Token, Type,
};

use super::collections::Known;
use super::names::Names;
use super::order::{Order, is_exact, is_of_sets, is_sorted_next, iterates, takes_items};
use super::sources::{Source, UNORDERED};
use crate::check::scopes::{self, Scoped, captures};
use crate::model::{Handle, Method, occurrences};
use crate::parse::MacroArguments;

/// What a body would do differently the next time.
pub(super) struct Found {
    pub(super) place: TokenStream,
    pub(super) what: String,
    pub(super) source: &'static Source,
    /// From its name alone.
    pub(super) is_guessed: bool,
    /// An order that is not seen to show yet: what comes behind may hide it.
    is_open: bool,
}

type Arguments = Punctuated<Expr, Token![,]>;

pub(super) struct Body<'m> {
    handle: Option<&'m Handle>,
    names: Names,
    found: Vec<Found>,
}

impl<'m> Body<'m> {
    /// What there is in a function, in the order of the source.
    pub(super) fn of(function: &ItemFn, handle: Option<&'m Handle>) -> Vec<Found> {
        let mut body = Self { handle, names: Names::default(), found: Vec::new() };
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

/// Clocks, chance and the world around.
impl Body<'_> {
    /// A path, and what it is called with.
    fn path(&mut self, path: &Path, arguments: Option<&Arguments>) {
        let names: Vec<_> = path.segments.iter().map(|name| name.ident.to_string()).collect();
        let is_variable = names.len() == 1 && self.names.is_bound(&names[0]);
        if is_variable {
            return;
        }
        let written = names.join("::");
        let known = match self.names.imported(&names[0]) {
            Some(target) => Source::of(&format!("{target}{}", &written[names[0].len()..])),
            None => Source::of(&written),
        };
        if let Some(source) = known.or_else(|| self.guess(path, arguments)) {
            let place = path.to_token_stream();
            self.found.push(Found::of(source, place, written, known.is_none()));
        }
    }

    /// What a function is by its name: one of a type's that takes nothing, or one that is called
    /// without the step handle.
    fn guess(&self, path: &Path, arguments: Option<&Arguments>) -> Option<&'static Source> {
        let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
        let (function, ty) = (names.next()?, names.next());
        let source = Source::by_name(ty, function)?;
        let takes_the_handle = |argument: &Expr| {
            self.handle
                .is_some_and(|handle| occurrences(&argument.to_token_stream(), &handle.name) > 0)
        };
        let fits = match (ty, arguments) {
            (Some(_), arguments) => arguments.is_none_or(Punctuated::is_empty),
            (None, Some(arguments)) => !arguments.iter().any(takes_the_handle),
            (None, None) => false,
        };
        fits.then_some(source)
    }

    /// What a method is by its name, on a value of which no more is known.
    fn guess_method(&mut self, call: &ExprMethodCall, name: &str) {
        let Some(source) = Source::by_method(name, call.args.len()) else { return };
        if !matches!(Known::of_value(&call.receiver, &self.names), Some(Known::Handle)) {
            let place = call.method.to_token_stream();
            self.found.push(Found::of(source, place, name.to_owned(), true));
        }
    }

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

/// Hash tables, and where their order shows.
impl Body<'_> {
    /// Something is iterated over.
    fn iterated(&mut self, value: &Expr) {
        if let Some(Known::Hashed(name)) = Known::of_value(value, &self.names) {
            self.unordered(name.to_token_stream(), name.to_string());
        }
    }

    fn unordered(&mut self, place: TokenStream, what: String) {
        self.found.push(Found { is_open: true, ..Found::of(&UNORDERED, place, what, false) });
    }

    /// The order does not show in which something was iterated over there.
    fn hide(&mut self, range: Range<usize>) {
        let mut index = 0;
        self.found.retain(|found| {
            index += 1;
            !(found.is_open && range.contains(&(index - 1)))
        });
    }

    /// The order shows in which something was iterated over since then.
    fn fix(&mut self, since: usize) {
        self.found[since..].iter_mut().for_each(|found| found.is_open = false);
    }

    /// A macro shows each of its arguments, by `Debug` or as JSON.
    fn shown(&mut self, call: &Macro, arguments: &MacroArguments) {
        arguments.expressions().into_iter().for_each(|argument| self.iterated(argument));
        for token in call.tokens.clone() {
            let TokenTree::Literal(literal) = token else { continue };
            let text = literal.to_string();
            let captured: Vec<_> = self
                .names
                .tables()
                .filter(|name| captures(&text, name))
                .map(str::to_owned)
                .collect();
            for name in captured {
                self.unordered(literal.to_token_stream(), name);
            }
        }
    }

    fn bind_known(&mut self, pattern: &Pat, known: Option<&Known>) {
        match pattern {
            Pat::Ident(name) => {
                self.names.bind(&name.ident, known.cloned());
                visit::visit_pat_ident(self, name);
            }
            Pat::Type(typed) => {
                let of_type = Known::of_type(&typed.ty, &self.names);
                self.bind_known(&typed.pat, of_type.as_ref().or(known));
            }
            Pat::Reference(reference) => self.bind_known(&reference.pat, known),
            Pat::Paren(inner) => self.bind_known(&inner.pat, known),
            // `Some(table)`
            Pat::TupleStruct(held) if held.elems.len() == 1 => {
                self.bind_known(&held.elems[0], known);
            }
            Pat::Tuple(tuple) => {
                for (index, pattern) in tuple.elems.iter().enumerate() {
                    let known = match known {
                        Some(Known::Tuple(all)) => all.get(index).and_then(Option::as_ref),
                        _ => None,
                    };
                    self.bind_known(pattern, known);
                }
            }
            other => visit::visit_pat(self, other),
        }
    }
}

impl Found {
    fn of(source: &'static Source, place: TokenStream, what: String, is_guessed: bool) -> Self {
        Self { place, what, source, is_guessed, is_open: false }
    }
}

impl Scoped for Body<'_> {
    fn scope(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = self.names.enter();
        visit(self);
        self.names.leave(outer);
    }

    fn bind(&mut self, pattern: &Pat, value: &Expr) {
        let known = Known::of_value(value, &self.names);
        self.bind_known(pattern, known.as_ref());
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if let Expr::ForLoop(each) = expression {
            self.iterated(&each.expr);
        }
        scopes::visit_expr(self, expression);
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
            return;
        }
        let method = call.method.to_string();
        let before = self.found.len();
        if iterates(&method) {
            self.iterated(&call.receiver);
        }
        self.visit_expr(&call.receiver);
        let receiver = before..self.found.len();
        // What it is called on may have been named already: `Instant::now().elapsed()`.
        if receiver.is_empty() {
            self.guess_method(call, &method);
        }
        if takes_items(&method) || (is_of_sets(&method) && receiver.is_empty()) {
            call.args.iter().for_each(|argument| self.iterated(argument));
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        match Order::of(call, &method, &self.names) {
            Order::Hidden => self.hide(receiver),
            Order::Fixed => self.fix(before),
            Order::Kept => {}
        }
        if method == "extend" && self.is_indifferent(&call.receiver) {
            self.hide(before..self.found.len());
        }
    }

    fn visit_expr_assign(&mut self, assign: &'ast ExprAssign) {
        let before = self.found.len();
        visit::visit_expr_assign(self, assign);
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
        });
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let before = self.found.len();
        scopes::visit_local(self, local);
        if let (Pat::Type(typed), Some(init)) = (&local.pat, &local.init)
            && (Known::of_type(&typed.ty, &self.names).is_some_and(|it| it.is_indifferent())
                || (adds_up(&init.expr) && is_exact(&typed.ty)))
        {
            self.hide(before..self.found.len());
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

impl Body<'_> {
    fn is_indifferent(&self, value: &Expr) -> bool {
        Known::of_value(value, &self.names).is_some_and(|known| known.is_indifferent())
    }
}

/// Whether a function goes through what it is given: to gather it, or to write it down.
fn goes_through(function: &Path) -> bool {
    let name = function.segments.last().map(|name| name.ident.to_string());
    matches!(
        name.as_deref(),
        Some(
            "from_iter"
                | "zip"
                | "chain"
                | "to_string"
                | "to_string_pretty"
                | "to_vec"
                | "to_vec_pretty"
                | "to_value"
                | "to_writer"
        )
    )
}

fn adds_up(value: &Expr) -> bool {
    matches!(value, Expr::MethodCall(call) if call.method == "sum" || call.method == "product")
}

/// `<Type>::function` as `Type::function`.
fn unqualified(path: &ExprPath) -> Cow<'_, Path> {
    match path.qself.as_ref().map(|of| (&*of.ty, of.position)) {
        Some((Type::Path(of), 0)) => {
            let mut full = of.path.clone();
            full.segments.extend(path.path.segments.iter().cloned());
            Cow::Owned(full)
        }
        _ => Cow::Borrowed(&path.path),
    }
}
