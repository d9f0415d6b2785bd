use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprMethodCall, Ident,
    Item, Local, Macro, Pat, PatIdent, Stmt, Token,
};

use super::carried::{self, CarriedLoop};
use super::step::{Method, Step, StepOption};
use super::uses::{Uses, occurrences};
use crate::parse::{MacroArguments, concurrency};

/// The steps of a body, in the order of the source.
pub(crate) fn steps(body: &Block, handle: &Ident) -> Vec<Step> {
    let mut found = Steps::new(handle);
    found.visit_block(body);
    carried::number(&mut found.steps);
    found.steps
}

/// The steps in an expression, in the order of the source.
pub(crate) fn steps_in(expression: &Expr, handle: &Ident) -> Vec<Step> {
    let mut found = Steps::new(handle);
    found.visit_expr(expression);
    found.steps
}

struct Steps<'h> {
    handle: &'h Ident,
    steps: Vec<Step>,
    /// The options of the step to whose root a chain of calls is followed, the last first.
    options: Vec<StepOption>,
    place: Place,
    /// What the closures and loops around bind, as far as an operation built here may outlive it.
    bound: Vec<Ident>,
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

impl<'h> Steps<'h> {
    fn new(handle: &'h Ident) -> Self {
        Self {
            handle,
            steps: Vec::new(),
            options: Vec::new(),
            place: Place::default(),
            bound: Vec::new(),
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

    /// A helper's call, if it is one.
    fn call(&mut self, expression: &Expr) {
        if let Some(call) = Step::of_call(expression, self.handle) {
            self.found(call);
        }
    }

    fn found(&mut self, mut step: Step) {
        step.is_concurrent = self.place.is_one_of_many || self.place.is_repeated();
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
        self.steps.push(step);
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
        let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init) else {
            return self.visit_local(local);
        };
        let is_operation = match &*init.expr {
            Expr::MethodCall(call) => {
                Method::at_root_of(call, self.handle).is_some_and(Method::is_awaited)
                    || Step::of_call(&init.expr, self.handle).is_some()
            }
            Expr::Call(_) => Step::of_call(&init.expr, self.handle).is_some(),
            Expr::Closure(closure) => closure.asyncness.is_some(),
            _ => false,
        };
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

    fn arguments(&mut self, arguments: &Punctuated<Expr, Token![,]>) {
        let place = Place { is_argument: true, ..self.place };
        self.within(place, |steps| {
            for argument in arguments {
                steps.visit_expr(argument);
                if steps.place.in_loop {
                    steps.call(argument);
                }
            }
        });
    }
}

impl<'ast> Visit<'ast> for Steps<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        if let Expr::ForLoop(inner) = expression {
            self.visit_expr(&inner.expr);
        }
        if let Some(carried) = CarriedLoop::of(expression) {
            self.found(carried.head());
        }
        match expression {
            Expr::Loop(_) | Expr::While(_) => {
                self.in_loop(|steps| visit::visit_expr(steps, expression));
            }
            _ => visit::visit_expr(self, expression),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(mut step) = Step::of(call, self.handle) {
            step.options = std::mem::take(&mut self.options);
            step.options.reverse();
            let runs = step.attempt.is_some();
            self.found(step);
            if runs {
                // What it does is no part of the body; a step in there is refused.
                return self.within(Place::default(), |steps| {
                    call.args.iter().for_each(|argument| steps.visit_expr(argument));
                });
            }
        } else if Method::at_root_of(call, self.handle).is_some() {
            self.options.push(StepOption::of(call));
        }
        self.visit_expr(&call.receiver);
        self.arguments(&call.args);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        self.visit_expr(&call.func);
        self.arguments(&call.args);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
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
            return self.within(Place { is_one_of_many, ..Place::default() }, |steps| {
                steps.visit_expr(&closure.body);
            });
        }
        let place = Place {
            in_closure: true,
            in_loop: false,
            is_argument: false,
            is_called_for_each: self.place.is_argument,
            ..self.place
        };
        self.within(place, |steps| {
            closure.inputs.iter().for_each(|input| steps.visit_pat(input));
            steps.visit_expr(&closure.body);
            if let Some(given) = given(&closure.body)
                && place.is_called_for_each
            {
                steps.call(given);
            }
        });
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        let is_one_of_many = self.place.is_one_of_many || self.place.is_repeated();
        self.within(Place { is_one_of_many, ..Place::default() }, |steps| {
            steps.visit_block(&block.block);
        });
    }

    fn visit_expr_for_loop(&mut self, inner: &'ast ExprForLoop) {
        self.in_loop(|steps| {
            steps.visit_pat(&inner.pat);
            steps.visit_block(&inner.body);
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

/// What a closure's body gives.
fn given(body: &Expr) -> Option<&Expr> {
    let Expr::Block(block) = body else { return Some(body) };
    match block.block.stmts.last() {
        Some(Stmt::Expr(last, None)) => Some(last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::format_ident;
    use syn::parse_quote;

    use super::*;
    use crate::model::StepId;

    fn ids(body: Block) -> Vec<(Method, String)> {
        let steps = steps(&body, &format_ident!("step"));
        let ids = steps.into_iter().map(|step| match step.id {
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
}
