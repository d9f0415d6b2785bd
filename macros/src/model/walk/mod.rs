//! One way through a body, on which all is gathered that the rules ask of it.

mod names;
mod variables;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprMatch,
    ExprMethodCall, ExprPath, Ident, Item, Macro, PatIdent, Path, Stmt, Token,
};

use self::names::{Names, Value};
use super::Handle;
use super::awaits::{Misawaited, is_operation};
use super::carried::{self, CarriedLoop};
use super::macros::MacroCall;
use super::occurrences::occurrences;
use super::restart::is_restart;
use super::step::{Method, Step, StepOption, matched};
use super::ungrouped::ungrouped;
use crate::parse::{MacroArguments, concurrency};

/// What the rules have to know of a body, gathered on one way through it.
#[derive(Default)]
pub(super) struct Contents {
    /// In the order of the source; none without a handle.
    pub(super) steps: Vec<Step>,
    pub(super) macros: Vec<MacroCall>,
    /// The calls of `step.restart(..)`, by their method.
    pub(super) restarts: Vec<Ident>,
    /// Each `matching(field = value)` and `undo(function)` that stands apart from its step.
    pub(super) strays: Vec<Ident>,
    pub(super) nested: Vec<Nested>,
    pub(super) unused: Vec<Unused>,
    /// The methods of the handle that are awaited though they give their values at once.
    pub(super) awaited_values: Vec<Ident>,
    /// The macros that are awaited though they await their branches.
    pub(super) awaited_macros: Vec<Ident>,
    pub(super) boxed: Vec<Boxed>,
    /// The calls of the body's own `async` closures, by what is called.
    pub(super) closure_calls: Vec<Ident>,
    /// Each `map` that is given an `async` closure by its name.
    pub(super) closure_maps: Vec<Ident>,
    /// The calls of functions that may be helpers, and that are never awaited, by what is called.
    pub(super) dropped_calls: Vec<Ident>,
    /// The calls of `step.join_all(..)` that are never awaited, by their method.
    pub(super) dropped_joins: Vec<Ident>,
    /// The variables that are given to `undo`.
    pub(super) held_undos: Vec<Ident>,
}

/// A step that is used in another's own code; both by their places among all.
pub(crate) struct Nested {
    pub(crate) place: Ident,
    pub(crate) inner: usize,
    pub(crate) outer: usize,
}

/// A step that is never awaited, by its place among all, and what stands there.
pub(crate) struct Unused {
    pub(crate) step: usize,
    pub(crate) place: TokenStream,
}

/// A step that is put in a box, by its place among all, and the box.
pub(crate) struct Boxed {
    pub(crate) step: usize,
    pub(crate) place: TokenStream,
}

impl Contents {
    pub(super) fn of(body: &Block, handle: Option<&Handle>) -> Self {
        let mut walk = Walk::new(handle);
        walk.visit_block(body);
        carried::number(&mut walk.contents.steps);
        walk.contents
    }
}

struct Walk<'h> {
    handle: Option<&'h Handle>,
    contents: Contents,
    /// The options of the step to whose root a chain of calls is followed, the last first.
    options: Vec<StepOption>,
    place: Place,
    /// What becomes of the expression that is visited next.
    fate: Fate,
    /// What the closures and loops around bind, as far as an operation built here may outlive it.
    bound: Vec<Ident>,
    /// The variables that hold operations and closures.
    names: Names,
    /// What the variable holds whose value is visited.
    held: Value,
    /// The steps that were built, or used by a name, so far.
    used: Vec<usize>,
    /// The step whose own code this is, by its place among all.
    outer: Option<usize>,
}

/// What becomes of what an expression gives.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    /// It is awaited where it is built.
    Awaited,
    /// It is awaited later, with others.
    Gathered,
    /// A variable holds it.
    Held,
    /// Nothing.
    Dropped,
    /// What cannot be told, or what does not matter as it is no operation.
    #[default]
    Other,
}

/// Where an operation is built, seen from where it is awaited.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    in_closure: bool,
    in_loop: bool,
    /// In an argument of a call: what is built here is handed on, not awaited.
    is_argument: bool,
    /// In a closure that something else calls, perhaps for each item: `map(|item| ..)`.
    is_called_for_each: bool,
    /// In an `async` block of which several may be in progress.
    is_one_of_many: bool,
}

impl Place {
    /// Whether what is built here may outlive what is bound around it.
    fn escapes(self) -> bool {
        self.in_closure || (self.in_loop && self.is_argument)
    }

    /// Whether others that are built here may be in progress at the same time.
    fn is_repeated(self) -> bool {
        self.is_called_for_each || (self.in_loop && self.is_argument)
    }

    fn is_concurrent(self) -> bool {
        self.is_one_of_many || self.is_repeated()
    }

    /// Whether what is used here has its outcome before the code around it goes on.
    fn is_awaited_here(self) -> bool {
        !(self.in_loop || self.in_closure || self.is_one_of_many)
    }
}

impl<'h> Walk<'h> {
    fn new(handle: Option<&'h Handle>) -> Self {
        Self {
            handle,
            contents: Contents::default(),
            options: Vec::new(),
            place: Place::default(),
            fate: Fate::default(),
            bound: Vec::new(),
            names: Names::default(),
            held: Value::default(),
            used: Vec::new(),
            outer: None,
        }
    }

    /// Visits an expression of whose value something becomes.
    fn given(&mut self, expression: &Expr, fate: Fate) {
        self.fate = fate;
        self.visit_expr(expression);
    }

    /// What is awaited where it is built: nothing around it is gone before.
    fn awaited(&mut self, expression: &Expr) {
        let place = Place { is_one_of_many: self.place.is_one_of_many, ..Place::default() };
        let outer = (std::mem::replace(&mut self.place, place), std::mem::take(&mut self.bound));
        self.given(expression, Fate::Awaited);
        (self.place, self.bound) = outer;
    }

    /// What is awaited side by side with others. A closure's steps that are used in two branches are
    /// in progress at the same time.
    fn branch(&mut self, branch: &Expr, others: &mut Vec<usize>) {
        let before = self.used.len();
        self.awaited(branch);
        let steps = self.used[before..].to_vec();
        for &step in steps.iter().filter(|step| others.contains(step)) {
            self.contents.steps[step].is_concurrent = true;
        }
        others.extend(steps);
    }

    fn push(&mut self, mut step: Step) -> usize {
        self.settle(&mut step);
        self.add(step)
    }

    /// What can be told of a step from where it is built.
    fn settle(&self, step: &mut Step) {
        step.is_concurrent = self.place.is_concurrent();
        if self.place.escapes() {
            step.pass(&self.bound);
        }
    }

    fn add(&mut self, step: Step) -> usize {
        let inner = self.contents.steps.len();
        if let Some(outer) = self.outer {
            self.contents.nested.push(Nested { place: step.name.clone(), inner, outer });
        }
        self.used.push(inner);
        self.contents.steps.push(step);
        inner
    }

    /// The options that were met on the way to the operation at the root of a chain.
    fn take_options(&mut self) -> Vec<StepOption> {
        let mut options = std::mem::take(&mut self.options);
        options.reverse();
        options
    }

    /// Whether a chain of method calls begins with a variable that holds an operation, or the call of
    /// one that holds a closure.
    fn is_chain(&self, call: &ExprMethodCall) -> bool {
        match ungrouped(&call.receiver) {
            Expr::MethodCall(receiver) => self.is_chain(receiver),
            receiver => self.named(receiver).is_some(),
        }
    }

    /// Whether a variable is named that holds an `async` closure.
    fn holds_async_closure(&mut self, value: &Expr) -> bool {
        self.named(value).is_some_and(|index| {
            let closure = self.names.get(index).value.closure;
            closure.is_some_and(|closure| closure.is_async)
        })
    }

    /// A helper's call, perhaps with a name of its own.
    fn is_call_of_helper(&self, expression: &Expr) -> bool {
        matches!(ungrouped(expression), Expr::Call(call) if self.helper(call).is_some())
    }

    /// Reads a call as a helper's. No variable names one: which it is has to be known before any run.
    fn helper(&self, call: &ExprCall) -> Option<Step> {
        let step = Step::of_call(call, self.handle?)?;
        let name = step.helper.as_ref().and_then(Path::get_ident);
        (!name.is_some_and(|name| self.names.is_variable(name))).then_some(step)
    }

    fn within(&mut self, place: Place, visit: impl FnOnce(&mut Self)) {
        let outer = (std::mem::replace(&mut self.place, place), self.bound.len());
        self.scope(visit);
        self.place = outer.0;
        self.bound.truncate(outer.1);
    }

    /// What is bound in a loop is gone when it goes round.
    fn in_loop(&mut self, visit: impl FnOnce(&mut Self)) {
        self.within(Place { in_loop: true, is_argument: false, ..self.place }, visit);
    }

    fn scope(&mut self, visit: impl FnOnce(&mut Self)) {
        let depth = self.names.depth();
        visit(self);
        for index in self.names.leave(depth) {
            let variable = self.names.get(index);
            if variable.is_used || variable.value.closure.is_some() {
                continue;
            }
            let calls = variable.value.calls.iter().map(|call| call.name.clone());
            self.contents.dropped_calls.extend(calls);
            let place = std::mem::take(&mut variable.written);
            if let Some(&step) = self.names.steps_of(index).first() {
                self.contents.unused.push(Unused { step, place });
            }
        }
    }

    fn block(&mut self, block: &Block, fate: Fate) {
        self.scope(|walk| {
            for statement in &block.stmts {
                if let Stmt::Item(Item::Fn(function)) = statement {
                    walk.names.hide(&function.sig.ident);
                }
            }
            let last = block.stmts.len().saturating_sub(1);
            for (index, statement) in block.stmts.iter().enumerate() {
                let fate = if index == last { fate } else { Fate::Other };
                match statement {
                    Stmt::Local(local) => walk.local(local),
                    Stmt::Expr(expression, None) => walk.given(expression, fate),
                    Stmt::Expr(expression, Some(_)) => walk.given(expression, Fate::Dropped),
                    Stmt::Macro(call) => walk.macro_call(&call.mac, fate),
                    Stmt::Item(_) => {}
                }
            }
        });
    }

    /// The arguments of a step that runs code. The code is no part of the body, and a step in there is
    /// refused.
    fn arguments_of(&mut self, step: usize, arguments: &Punctuated<Expr, Token![,]>) {
        let code = self.contents.steps[step].id.arguments();
        self.within(Place::default(), |walk| {
            for (index, argument) in arguments.iter().enumerate() {
                let is_code = index == code;
                let outer = if is_code { Some(step) } else { walk.outer };
                let around = std::mem::replace(&mut walk.outer, outer);
                walk.given(argument, if is_code { Fate::Awaited } else { Fate::Other });
                walk.outer = around;
            }
        });
    }

    /// The arguments of another call; what becomes of them is `Other` if it is not known. A helper's
    /// call that is gathered in a loop is awaited later.
    fn arguments(&mut self, arguments: &Punctuated<Expr, Token![,]>, fate: Fate) {
        let fate = if fate == Fate::Other && self.place.in_loop { Fate::Gathered } else { fate };
        let place = Place { is_argument: true, ..self.place };
        self.within(place, |walk| {
            arguments.iter().for_each(|argument| walk.given(argument, fate));
        });
    }

    fn method_call(&mut self, call: &ExprMethodCall, mut fate: Fate) {
        let Some(handle) = self.handle else {
            return visit::visit_expr_method_call(self, call);
        };
        let joins = call.method == "join_all" && handle.is(&call.receiver);
        if joins && fate == Fate::Dropped {
            self.contents.dropped_joins.push(call.method.clone());
        }
        if call.method == "map" && call.args.iter().any(|it| self.holds_async_closure(it)) {
            self.contents.closure_maps.push(call.method.clone());
        }
        if let Some(mut step) = Step::of(call, handle) {
            step.options = self.take_options();
            let (method, runs_code) = (step.method, step.attempt.is_some());
            let index = self.push(step);
            if fate == Fate::Held && method.is_awaited() {
                self.held.steps.push(index);
            }
            if runs_code {
                return self.arguments_of(index, &call.args);
            }
            fate = Fate::Other;
        } else if Method::at_root_of(call, handle).is_some() {
            self.options.push(StepOption::of(call));
            if let (true, Some(Expr::Path(undo))) = (call.method == "undo", call.args.first())
                && let Some(name) = undo.path.get_ident()
                && self.names.is_variable(name)
            {
                self.contents.held_undos.push(name.clone());
            }
            // That the whole chain is dropped was seen.
            fate = if fate == Fate::Dropped { Fate::Other } else { fate };
        } else if is_restart(call, handle) {
            self.contents.restarts.push(call.method.clone());
        } else if call.method == "matching" && call.args.iter().any(|it| matched(it).is_some()) {
            self.contents.strays.push(call.method.clone());
        } else if self.is_chain(call) {
            if call.method == "undo" {
                self.contents.strays.push(call.method.clone());
            }
            self.options.push(StepOption::of(call));
        } else if call.method == "key" && self.is_call_of_helper(&call.receiver) {
            self.options.push(StepOption::of(call));
            // No other function gives something that takes a name.
            fate = if fate == Fate::Other { Fate::Gathered } else { fate };
        } else {
            fate = Fate::Other;
        }
        self.given(&call.receiver, fate);
        self.arguments(&call.args, if joins { Fate::Gathered } else { Fate::Other });
    }

    fn function_call(&mut self, call: &ExprCall, fate: Fate) {
        let Expr::Path(ExprPath { path: function, .. }) = &*call.func else {
            self.visit_expr(&call.func);
            return self.arguments(&call.args, Fate::Other);
        };
        if let Some((name, index)) = self.variable(function) {
            if self.names.get(index).value.closure.is_some_and(|closure| closure.is_async) {
                self.contents.closure_calls.push(name.clone());
            }
            self.used(index, name, fate, true);
        } else if let Some(step) = self.helper(call) {
            self.call_of_helper(step, fate);
        }
        if is_constructor(function) {
            return call.args.iter().for_each(|argument| self.given(argument, fate));
        }
        let drops = function.segments.last().is_some_and(|name| name.ident == "drop");
        self.arguments(&call.args, if drops { Fate::Dropped } else { Fate::Other });
    }

    /// Whether a function that is given the handle is a helper shows where it is awaited.
    fn call_of_helper(&mut self, mut step: Step, fate: Fate) {
        step.options = self.take_options();
        match fate {
            Fate::Awaited | Fate::Gathered => {
                self.push(step);
            }
            Fate::Held => {
                self.settle(&mut step);
                self.held.calls.push(step);
            }
            Fate::Dropped => self.contents.dropped_calls.push(step.name),
            Fate::Other => {}
        }
    }

    fn macro_call(&mut self, call: &Macro, fate: Fate) {
        let arguments = MacroArguments::parse(call);
        let in_step = self.outer.is_some();
        self.contents.macros.push(MacroCall::new(call, arguments.as_ref(), in_step));
        let Some(arguments) = arguments else {
            let used = self.names.known().filter(|(name, _)| occurrences(&call.tokens, name) > 0);
            let used: Vec<_> = used.map(|(_, index)| index).collect();
            used.into_iter().for_each(|index| self.names.get(index).is_used = true);
            return;
        };
        let mut others = Vec::new();
        match &arguments {
            MacroArguments::Race(branches) => {
                for branch in branches {
                    self.branch(&branch.operation, &mut others);
                    self.scope(|walk| {
                        walk.visit_pat(&branch.pattern);
                        walk.visit_expr(&branch.body);
                    });
                }
            }
            _ if concurrency(call).is_some() => {
                let branches = arguments.expressions().into_iter();
                branches.for_each(|branch| self.branch(branch, &mut others));
            }
            _ => {
                let fate = if call.path.is_ident("vec") { fate } else { Fate::Other };
                arguments.expressions().into_iter().for_each(|each| self.given(each, fate));
            }
        }
    }

    fn closure(&mut self, closure: &ExprClosure, fate: Fate) {
        let is_called_for_each = self.place.is_argument;
        let place = if closure.asyncness.is_some() {
            // Like a block that is awaited with each call.
            let is_one_of_many = self.place.is_one_of_many || is_called_for_each;
            Place { is_one_of_many, ..Place::default() }
        } else {
            Place {
                in_closure: true,
                in_loop: false,
                is_argument: false,
                is_called_for_each,
                ..self.place
            }
        };
        let fate = match fate {
            _ if closure.asyncness.is_some() => Fate::Other,
            Fate::Held | Fate::Awaited => fate,
            _ if is_called_for_each => Fate::Gathered,
            _ => Fate::Other,
        };
        self.within(place, |walk| {
            closure.inputs.iter().for_each(|input| walk.visit_pat(input));
            walk.given(&closure.body, fate);
        });
    }

    fn arms(&mut self, choice: &ExprMatch, fate: Fate) {
        self.visit_expr(&choice.expr);
        for arm in &choice.arms {
            self.scope(|walk| {
                walk.visit_pat(&arm.pat);
                walk.given(&arm.body, fate);
            });
        }
    }

    fn async_block(&mut self, block: &ExprAsync, fate: Fate) {
        let before = self.used.len();
        let is_one_of_many = self.place.is_concurrent();
        self.within(Place { is_one_of_many, ..Place::default() }, |walk| {
            walk.visit_block(&block.block);
        });
        if fate == Fate::Held {
            self.held.inner.extend_from_slice(&self.used[before..]);
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let fate = std::mem::take(&mut self.fate);
        if let Expr::ForLoop(inner) = expression {
            self.visit_expr(&inner.expr);
        }
        if self.handle.is_some()
            && let Some(carried) = CarriedLoop::of(expression)
        {
            self.push(carried.head());
        }
        match expression {
            Expr::Paren(inner) => self.given(&inner.expr, fate),
            Expr::Group(inner) => self.given(&inner.expr, fate),
            Expr::Reference(inner) => self.given(&inner.expr, fate),
            Expr::Block(inner) => self.block(&inner.block, fate),
            Expr::If(branch) => {
                self.scope(|walk| {
                    walk.visit_expr(&branch.cond);
                    walk.block(&branch.then_branch, fate);
                });
                if let Some((_, otherwise)) = &branch.else_branch {
                    self.given(otherwise, fate);
                }
            }
            Expr::Match(choice) => self.arms(choice, fate),
            Expr::Array(all) => all.elems.iter().for_each(|each| self.given(each, fate)),
            Expr::Tuple(all) => all.elems.iter().for_each(|each| self.given(each, fate)),
            Expr::Struct(all) => {
                all.fields.iter().for_each(|field| self.given(&field.expr, fate));
                all.rest.iter().for_each(|rest| self.visit_expr(rest));
            }
            Expr::Assign(assign) if matches!(*assign.left, Expr::Infer(_)) => {
                self.given(&assign.right, Fate::Dropped);
            }
            Expr::Loop(_) | Expr::While(_) => {
                self.in_loop(|walk| visit::visit_expr(walk, expression));
            }
            Expr::Path(path) => {
                if let Some((name, index)) = self.variable(&path.path) {
                    self.used(index, name, fate, false);
                }
            }
            Expr::Let(condition) => {
                self.visit_expr(&condition.expr);
                self.visit_pat(&condition.pat);
            }
            Expr::MethodCall(call) => {
                let step = self.contents.steps.len();
                self.method_call(call, fate);
                let method = || Method::at_root_of(call, self.handle?);
                if fate == Fate::Dropped && method().is_some_and(Method::is_awaited) {
                    let place = expression.to_token_stream();
                    self.contents.unused.push(Unused { step, place });
                }
            }
            // What is asked for an outcome before it is awaited is no operation any more.
            Expr::Try(tried) => {
                let handle = self.handle;
                let is_operation = handle.is_some_and(|handle| is_operation(&tried.expr, handle));
                self.given(&tried.expr, if is_operation { Fate::Dropped } else { Fate::Other });
            }
            Expr::Call(call) => self.function_call(call, fate),
            Expr::Macro(call) => self.macro_call(&call.mac, fate),
            Expr::Closure(closure) => self.closure(closure, fate),
            Expr::Async(block) => self.async_block(block, fate),
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        let step = self.contents.steps.len();
        self.awaited(&awaited.base);
        match self.handle.and_then(|handle| Misawaited::of(&awaited.base, handle)) {
            Some(Misawaited::Value(method)) => self.contents.awaited_values.push(method.clone()),
            Some(Misawaited::Joined(name)) if self.outer.is_none() => {
                self.contents.awaited_macros.push(name.clone());
            }
            Some(Misawaited::Boxed(function, _)) if self.contents.steps.len() > step => {
                self.contents.boxed.push(Boxed { step, place: function.to_token_stream() });
            }
            _ => {}
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.block(block, Fate::Other);
    }

    fn visit_expr_for_loop(&mut self, inner: &'ast ExprForLoop) {
        self.in_loop(|walk| {
            walk.visit_pat(&inner.pat);
            walk.visit_block(&inner.body);
        });
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if self.place.in_closure || self.place.in_loop {
            self.bound.push(pattern.ident.clone());
        }
        self.names.shadow(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether a function only puts its arguments into something: `Some(..)`, `Job(..)`, `Box::pin(..)`.
fn is_constructor(function: &Path) -> bool {
    let mut names = function.segments.iter().rev().map(|segment| &segment.ident);
    match (names.next(), names.next()) {
        (Some(function), Some(ty)) if ty == "Box" => function == "new" || function == "pin",
        (Some(name), _) => name.to_string().starts_with(|first: char| first.is_ascii_uppercase()),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests;
