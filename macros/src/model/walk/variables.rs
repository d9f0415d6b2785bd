//! The variables that hold operations: an operation need not be awaited where it is built.

use quote::ToTokens as _;
use syn::visit::Visit as _;
use syn::{Expr, Ident, Local, Pat, Path};

use super::names::{Closure, Value, Variable};
use super::{Fate, Nested, Place, Unused, Walk};
use crate::model::bindings::bindings;
use crate::model::ungrouped::ungrouped;

/// What a variable is given.
enum Given {
    /// The closure of another variable.
    Alias(usize),
    Value(Value),
}

impl Walk<'_> {
    /// `let wait = step.sleep(..);`
    pub(super) fn local(&mut self, local: &Local) {
        let bindings = bindings(local);
        let given: Vec<_> =
            bindings.iter().map(|(pattern, value)| self.value(pattern, value)).collect();
        if let Some((_, diverge)) = local.init.as_ref().and_then(|init| init.diverge.as_ref()) {
            self.visit_expr(diverge);
        }
        // A variable is bound only after its value.
        self.visit_pat(&local.pat);
        for ((pattern, value), given) in bindings.into_iter().zip(given) {
            if let Pat::Ident(name) = pattern {
                self.bind(&name.ident, value, given);
            }
        }
    }

    /// Visits what a pattern is given.
    fn value(&mut self, pattern: &Pat, value: &Expr) -> Given {
        if let Some(closure) = self.alias(value) {
            return Given::Alias(closure);
        }
        let fate = match pattern {
            Pat::Wild(_) => Fate::Dropped,
            Pat::Ident(_) => Fate::Held,
            _ => Fate::Other,
        };
        let (outer, before) = (std::mem::take(&mut self.held), self.used.len());
        self.given(value, fate);
        let mut held = std::mem::replace(&mut self.held, outer);
        if let Expr::Closure(closure) = ungrouped(value) {
            let is_async = closure.asyncness.is_some();
            held.inner = self.used[before..].to_vec();
            let given = if is_async { &held.inner } else { &held.steps };
            let gives = given.first().copied();
            held.closure = Some(Closure { is_async, is_gathered: false, gives });
            held.steps.clear();
        }
        Given::Value(held)
    }

    fn bind(&mut self, name: &Ident, written: &Expr, given: Given) {
        let value = match given {
            Given::Alias(closure) => return self.names.name(name, closure),
            Given::Value(value) if value.is_something() => value,
            Given::Value(_) => return,
        };
        let Place { in_loop, in_closure, .. } = self.place;
        let in_loop = in_loop && !in_closure;
        let variable = Variable {
            value,
            written: written.to_token_stream(),
            is_used: false,
            is_concurrent: self.place.is_concurrent(),
            in_loop: in_loop
                .then(|| self.bound.iter().filter(|bound| *bound != name).cloned().collect()),
            outer: self.outer,
        };
        self.names.bind(name, variable);
    }

    /// The closure to which a variable is another name.
    fn alias(&mut self, value: &Expr) -> Option<usize> {
        let index = match ungrouped(value) {
            Expr::Call(_) => None,
            value => self.named(value),
        }?;
        self.names.get(index).value.closure.is_some().then_some(index)
    }

    /// A variable in scope.
    pub(super) fn variable<'p>(&self, path: &'p Path) -> Option<(&'p Ident, usize)> {
        let name = path.get_ident()?;
        Some((name, self.names.find(name)?))
    }

    /// The variable that an expression names, or that it calls.
    pub(super) fn named(&self, expression: &Expr) -> Option<usize> {
        match ungrouped(expression) {
            Expr::Path(path) => Some(self.variable(&path.path)?.1),
            Expr::Call(call) => self.named(&call.func),
            Expr::Reference(reference) => self.named(&reference.expr),
            Expr::MethodCall(copy) if copy.method == "clone" => self.named(&copy.receiver),
            _ => None,
        }
    }

    /// A variable that holds an operation or a closure is used.
    pub(super) fn used(&mut self, index: usize, name: &Ident, fate: Fate, is_call: bool) {
        let options = self.take_options();
        let is_named = options.iter().any(|option| option.name == "key");
        let variable = self.names.get(index);
        variable.is_used = true;
        let is_keyed = is_named || variable.value.has_keys();
        let (made_in, is_concurrent) = (variable.outer, variable.is_concurrent);
        let closure = variable.value.closure;
        for &step in &variable.value.steps {
            self.contents.steps[step].options.extend(options.iter().cloned());
        }
        if let Some(step) = closure.and_then(|closure| closure.gives)
            && is_call
            && fate == Fate::Dropped
        {
            self.contents.unused.push(Unused { step, place: name.to_token_stream() });
        }
        let is_closure = closure.is_some();
        // What is called by something else is called for each of something.
        let is_handed_on = is_closure && !is_call;
        if is_keyed || is_handed_on || matches!(fate, Fate::Awaited | Fate::Gathered) {
            self.claim(index);
        }
        let all = self.names.steps_of(index);
        if let Some(outer) = self.outer
            && made_in != self.outer
        {
            let nested = all.iter().map(|&inner| Nested { place: name.clone(), inner, outer });
            self.contents.nested.extend(nested);
        }
        if fate == Fate::Held {
            self.held.lacks_a_key |= !is_keyed;
            return self.held.others.push(index);
        }
        let is_kept = !is_closure && !self.place.is_awaited_here() && fate != Fate::Dropped;
        let goes_round = is_kept && self.outlives_its_loop(index);
        // Its name is that of this use alone.
        if is_keyed {
            return;
        }
        let is_repeated = if is_closure { self.place.is_concurrent() } else { is_concurrent };
        // A call that gives nothing may keep what it builds.
        let is_gathered = fate != Fate::Awaited;
        if is_handed_on || goes_round || is_repeated || (is_gathered && self.gathered(index)) {
            self.repeated(&all);
        }
        self.used.extend(all);
    }

    /// The helpers' calls that a variable holds are awaited.
    fn claim(&mut self, index: usize) {
        for call in std::mem::take(&mut self.names.get(index).value.calls) {
            let call = self.add(call);
            self.names.get(index).value.inner.push(call);
        }
        for other in self.names.get(index).value.others.clone() {
            self.claim(other);
        }
    }

    /// An operation is awaited elsewhere than it is built: whether one of the same closure was before,
    /// so that two may be in progress at the same time.
    fn gathered(&mut self, index: usize) -> bool {
        let value = &mut self.names.get(index).value;
        if let Some(closure) = &mut value.closure {
            return std::mem::replace(&mut closure.is_gathered, true);
        }
        let others = value.others.clone();
        let mut before = false;
        for other in others {
            before |= self.gathered(other);
        }
        before
    }

    /// An operation that is not awaited before the loop goes round, if it is built in one.
    fn outlives_its_loop(&mut self, index: usize) -> bool {
        let variable = self.names.get(index);
        let others = variable.value.others.clone();
        let mut outlives = false;
        if let Some(bound) = &variable.in_loop {
            for &step in &variable.value.steps {
                self.contents.steps[step].pass(bound);
            }
            outlives = true;
        }
        for other in others {
            outlives |= self.outlives_its_loop(other);
        }
        outlives
    }

    pub(super) fn repeated(&mut self, steps: &[usize]) {
        for step in steps {
            self.contents.steps[*step].is_concurrent = true;
        }
    }
}
