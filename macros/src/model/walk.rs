use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprMethodCall, Ident,
    Item, Local, Macro, Pat, PatIdent, Stmt, Token,
};

use super::Handle;
use super::carried::{self, CarriedLoop};
use super::macros::MacroCall;
use super::restart::is_restart;
use super::step::{Method, Step, StepOption, matched};
use super::uses::{Uses, occurrences};
use crate::parse::{MacroArguments, concurrency};

/// What the rules have to know of a body, gathered on one way through it.
#[derive(Default)]
pub(super) struct Contents {
    /// In the order of the source; none without a handle.
    pub(super) steps: Vec<Step>,
    pub(super) macros: Vec<MacroCall>,
    /// The calls of `step.restart(..)`, by their method.
    pub(super) restarts: Vec<Ident>,
    /// Each `matching(field = value)` that stands apart from a wait.
    pub(super) stray_matchings: Vec<Ident>,
    /// The variables that are given an `async` closure.
    pub(super) closures: Vec<Ident>,
}

impl Contents {
    pub(super) fn of(body: &Block, handle: Option<&Handle>) -> Self {
        let mut walk = Walk::new(handle);
        walk.visit_block(body);
        carried::number(&mut walk.contents.steps);
        walk.contents
    }
}

/// Whether an expression has steps in it.
pub(crate) fn has_steps(expression: &Expr, handle: &Handle) -> bool {
    let mut walk = Walk::new(Some(handle));
    walk.visit_expr(expression);
    !walk.contents.steps.is_empty()
}

struct Walk<'h> {
    handle: Option<&'h Handle>,
    contents: Contents,
    /// The options of the step to whose root a chain of calls is followed, the last first.
    options: Vec<StepOption>,
    place: Place,
    /// What the closures and loops around bind, as far as an operation built here may outlive it.
    bound: Vec<Ident>,
    /// The step whose own code this is, by its place among all.
    outer: Option<usize>,
}

/// Where an operation is built, seen from where it is awaited.
#[derive(Clone, Copy, Default)]
struct Place {
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
}

impl<'h> Walk<'h> {
    fn new(handle: Option<&'h Handle>) -> Self {
        Self {
            handle,
            contents: Contents::default(),
            options: Vec::new(),
            place: Place::default(),
            bound: Vec::new(),
            outer: None,
        }
    }

    /// What is awaited where it is built: nothing around it is gone before.
    fn awaited(&mut self, expression: &Expr) {
        let place = Place { is_one_of_many: self.place.is_one_of_many, ..Place::default() };
        let outer = (std::mem::replace(&mut self.place, place), std::mem::take(&mut self.bound));
        self.visit_expr(expression);
        self.call(expression);
        (self.place, self.bound) = outer;
    }

    /// The helpers' calls among what an expression gives.
    fn call(&mut self, expression: &Expr) {
        let Some(handle) = self.handle else { return };
        each_given(expression, &mut |given| {
            if let Some(call) = Step::of_call(given, handle) {
                self.push(call);
            }
        });
    }

    fn push(&mut self, mut step: Step) {
        step.is_concurrent = self.place.is_one_of_many || self.place.is_repeated();
        step.outer = self.outer;
        if let Some(attempt) = &step.attempt
            && self.place.escapes()
        {
            let attempt = attempt.to_token_stream();
            let mut passing: Vec<Ident> = Vec::new();
            for name in &self.bound {
                if !passing.contains(name) && occurrences(&attempt, name) > 0 {
                    passing.push(name.clone());
                }
            }
            step.passing = passing;
        }
        self.contents.steps.push(step);
    }

    fn within(&mut self, place: Place, visit: impl FnOnce(&mut Self)) {
        let outer = (std::mem::replace(&mut self.place, place), self.bound.len());
        visit(self);
        self.place = outer.0;
        self.bound.truncate(outer.1);
    }

    /// What is bound in a loop is gone when it goes round.
    fn in_loop(&mut self, visit: impl FnOnce(&mut Self)) {
        self.within(Place { in_loop: true, is_argument: false, ..self.place }, visit);
    }

    /// What is built here and awaited later, or handed on: `let wait = step.sleep(..);`.
    fn bound(&mut self, local: &Local, later: &[Stmt]) {
        let pattern = match &local.pat {
            Pat::Type(typed) => &typed.pat,
            pattern => pattern,
        };
        let (Pat::Ident(name), Some(init)) = (pattern, &local.init) else {
            return self.visit_local(local);
        };
        let is_closure =
            matches!(&*init.expr, Expr::Closure(closure) if closure.asyncness.is_some());
        if is_closure && name.mutability.is_none() {
            self.contents.closures.push(name.ident.clone());
        }
        let mut is_operation = is_closure;
        if let Some(handle) = self.handle {
            each_given(&init.expr, &mut |given| {
                is_operation |= Step::of_call(given, handle).is_some()
                    || matches!(given, Expr::MethodCall(call)
                        if Method::at_root_of(call, handle).is_some_and(Method::is_awaited));
            });
        }
        if !is_operation {
            return self.visit_local(local);
        }
        let uses = Uses::of(&name.ident, later);
        let place = Place { is_argument: uses.elsewhere > 0, ..self.place };
        let outer = std::mem::replace(&mut self.place, place);
        self.visit_local(local);
        // Whether a function that is given the handle is a helper shows where it is awaited.
        if uses.awaited > 0 {
            self.call(&init.expr);
        }
        self.place = outer;
    }

    /// The arguments of a step that runs code. The code is no part of the body, and a step in there is
    /// refused.
    fn arguments_of(&mut self, step: Step, arguments: &Punctuated<Expr, Token![,]>) {
        let (code, place) = (step.id.arguments(), self.contents.steps.len());
        self.push(step);
        self.within(Place::default(), |walk| {
            for (index, argument) in arguments.iter().enumerate() {
                let outer = if index == code { Some(place) } else { walk.outer };
                let around = std::mem::replace(&mut walk.outer, outer);
                walk.visit_expr(argument);
                if index == code {
                    walk.call(match argument {
                        Expr::Closure(closure) => &closure.body,
                        future => future,
                    });
                }
                walk.outer = around;
            }
        });
    }

    /// The arguments of another call. A helper's call among them is awaited later if it is given to
    /// `join_all`, or gathered in a loop.
    fn arguments(&mut self, arguments: &Punctuated<Expr, Token![,]>, joins: bool) {
        let place = Place { is_argument: true, ..self.place };
        self.within(place, |walk| {
            for argument in arguments {
                walk.visit_expr(argument);
                if joins || walk.place.in_loop {
                    walk.call(argument);
                }
            }
        });
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if let Expr::ForLoop(inner) = expression {
            self.visit_expr(&inner.expr);
        }
        if self.handle.is_some()
            && let Some(carried) = CarriedLoop::of(expression)
        {
            self.push(carried.head());
        }
        match expression {
            Expr::Loop(_) | Expr::While(_) => {
                self.in_loop(|walk| visit::visit_expr(walk, expression));
            }
            _ => visit::visit_expr(self, expression),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(handle) = self.handle {
            if let Some(mut step) = Step::of(call, handle) {
                step.options = std::mem::take(&mut self.options);
                step.options.reverse();
                if step.attempt.is_some() {
                    return self.arguments_of(step, &call.args);
                }
                self.push(step);
            } else if Method::at_root_of(call, handle).is_some() {
                self.options.push(StepOption::of(call));
            } else if is_restart(call, handle) {
                self.contents.restarts.push(call.method.clone());
            } else if call.method == "matching" && call.args.iter().any(|it| matched(it).is_some())
            {
                self.contents.stray_matchings.push(call.method.clone());
            }
        }
        self.visit_expr(&call.receiver);
        let joins =
            call.method == "join_all" && self.handle.is_some_and(|it| it.is(&call.receiver));
        self.arguments(&call.args, joins);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        self.visit_expr(&call.func);
        self.arguments(&call.args, false);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let arguments = MacroArguments::parse(call);
        let in_step = self.outer.is_some();
        self.contents.macros.push(MacroCall::new(call, arguments.as_ref(), in_step));
        let Some(arguments) = arguments else { return };
        match &arguments {
            MacroArguments::Race(branches) => {
                for branch in branches {
                    self.awaited(&branch.operation);
                    self.visit_pat(&branch.pattern);
                    self.visit_expr(&branch.body);
                }
            }
            _ if concurrency(call).is_some() => {
                arguments.expressions().into_iter().for_each(|branch| self.awaited(branch));
            }
            _ => arguments.expressions().into_iter().for_each(|each| self.visit_expr(each)),
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.awaited(&awaited.base);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        for (index, statement) in block.stmts.iter().enumerate() {
            match statement {
                Stmt::Local(local) => self.bound(local, &block.stmts[index + 1..]),
                other => self.visit_stmt(other),
            }
        }
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        if closure.asyncness.is_some() {
            // Like a block that is awaited with each call.
            let is_one_of_many = self.place.is_one_of_many || self.place.is_argument;
            return self.within(Place { is_one_of_many, ..Place::default() }, |walk| {
                walk.visit_expr(&closure.body);
            });
        }
        let place = Place {
            in_closure: true,
            in_loop: false,
            is_argument: false,
            is_called_for_each: self.place.is_argument,
            ..self.place
        };
        self.within(place, |walk| {
            closure.inputs.iter().for_each(|input| walk.visit_pat(input));
            walk.visit_expr(&closure.body);
            if place.is_called_for_each {
                walk.call(&closure.body);
            }
        });
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        let is_one_of_many = self.place.is_one_of_many || self.place.is_repeated();
        self.within(Place { is_one_of_many, ..Place::default() }, |walk| {
            walk.visit_block(&block.block);
        });
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
        visit::visit_pat_ident(self, pattern);
    }

    /// An item in a body has nothing to do with the run.
    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Visits what an expression gives, through blocks, branches, collections and `Some(..)`.
fn each_given(expression: &Expr, visit: &mut dyn FnMut(&Expr)) {
    match expression {
        Expr::Paren(inner) => each_given(&inner.expr, visit),
        Expr::Group(inner) => each_given(&inner.expr, visit),
        Expr::Block(inner) => last_of(&inner.block, visit),
        Expr::If(branch) => {
            last_of(&branch.then_branch, visit);
            if let Some((_, otherwise)) = &branch.else_branch {
                each_given(otherwise, visit);
            }
        }
        Expr::Match(choice) => choice.arms.iter().for_each(|arm| each_given(&arm.body, visit)),
        Expr::Array(all) => all.elems.iter().for_each(|each| each_given(each, visit)),
        Expr::Tuple(all) => all.elems.iter().for_each(|each| each_given(each, visit)),
        Expr::Call(call) if is_named(&call.func, &["Some", "Ok"]) => {
            call.args.iter().for_each(|value| each_given(value, visit));
        }
        Expr::Macro(call) if call.mac.path.is_ident("vec") => {
            if let Some(all) = MacroArguments::parse(&call.mac) {
                all.expressions().into_iter().for_each(|each| each_given(each, visit));
            }
        }
        other => visit(other),
    }
}

fn last_of(block: &Block, visit: &mut dyn FnMut(&Expr)) {
    if let Some(Stmt::Expr(last, None)) = block.stmts.last() {
        each_given(last, visit);
    }
}

fn is_named(function: &Expr, names: &[&str]) -> bool {
    matches!(function, Expr::Path(function)
        if names.iter().any(|name| function.path.is_ident(name)))
}

#[cfg(test)]
mod tests {
    use quote::format_ident;
    use syn::parse_quote;

    use super::*;
    use crate::model::StepId;

    fn ids(body: Block) -> Vec<(Method, String)> {
        let contents = Contents::of(&body, Some(&Handle::new(format_ident!("step"))));
        let ids = contents.steps.into_iter().map(|step| match step.id {
            StepId::Literal(_, id) => (step.method, id),
            StepId::Other(_) => (step.method, "other".to_owned()),
            StepId::Missing(_) => (step.method, "missing".to_owned()),
        });
        ids.collect()
    }

    #[test]
    fn steps_are_found_in_the_order_of_the_source() {
        let found = ids(parse_quote!({
            let ticket = step.run("fetch", desk.ticket(id)).retries(2).await?;
            if step.random("toss") > 0.5 {
                step.sleep("wait", "1s").await;
            }
            let name = format!("{}", step.run("name", desk.name()).await?);
            join!(step.run("left", a()), async { step.run("right", b()).await });
            step.run(name, c()).await?;
            step.uuid();
            other.run("not-a-step");
        }));
        let found: Vec<_> = found.iter().map(|(method, id)| (*method, id.as_str())).collect();
        assert_eq!(
            found,
            [
                (Method::Run, "fetch"),
                (Method::Random, "toss"),
                (Method::Sleep, "wait"),
                (Method::Run, "name"),
                (Method::Run, "left"),
                (Method::Run, "right"),
                (Method::Run, "other"),
                (Method::Uuid, "missing"),
            ]
        );
    }

    #[test]
    fn helpers_are_found_wherever_they_are_awaited() {
        let found = ids(parse_quote!({
            (tell(&step, 1)).await;
            if urgent { ring(&step) } else { tell((&step), 2) }.await;
            let later: _ = match n {
                1 => Some(tell(&step.clone(), 3)),
                _ => None,
            };
            later.await;
            step.join_all([tell(&step, 4).key(4), ring(&step)]).await;
            step.join_all(vec![tell(&step, 5).key(5)]).await;
            step.join_all(ns.iter().filter_map(|n| Some(tell(&step, n).key(n)))).await;
            let now = clock::now(&step);
        }));
        let helpers: Vec<_> = found.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(helpers, ["tell", "ring", "tell", "tell", "tell", "ring", "tell", "tell"]);
    }

    #[test]
    fn a_helper_that_a_step_runs_stands_in_it() {
        let body = parse_quote!({
            step.run("a", tell(&step, 1)).await?;
            step.run("b", || tell(&step, 1)).await?;
        });
        let steps = Contents::of(&body, Some(&Handle::new(format_ident!("step")))).steps;
        let outer: Vec<_> = steps.iter().map(|step| step.outer).collect();
        assert_eq!(outer, [None, Some(0), None, Some(2)]);
    }

    #[test]
    fn a_helper_that_is_joined_in_a_loop_is_found_once() {
        let found = ids(parse_quote!({
            for n in ns {
                let all = step.join_all([tell(&step, n).key(n)]);
                all.await;
            }
        }));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn without_a_handle_there_are_no_steps() {
        let body = parse_quote!({
            #[carried(total)]
            loop {
                total += 1;
            }
        });
        assert!(Contents::of(&body, None).steps.is_empty());
    }
}
