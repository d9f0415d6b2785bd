use proc_macro2::TokenStream;
use syn::Ident;

use crate::model::Step;

/// The variables of a body, above all those that hold operations, or closures that make them.
#[derive(Default)]
pub(super) struct Names {
    /// What is in scope, the innermost last.
    scope: Vec<(Ident, Meaning)>,
    variables: Vec<Variable>,
}

#[derive(Clone, Copy, PartialEq)]
enum Meaning {
    /// A variable that holds operations or a closure.
    Held(usize),
    /// Another variable.
    Variable,
    Function,
}

impl Meaning {
    fn held(self) -> Option<usize> {
        match self {
            Self::Held(index) => Some(index),
            Self::Variable | Self::Function => None,
        }
    }
}

/// What a variable holds. Steps are meant by their places among all.
#[derive(Default)]
pub(super) struct Value {
    /// Operations.
    pub(super) steps: Vec<usize>,
    /// The steps in its `async` blocks, or in its closure.
    pub(super) inner: Vec<usize>,
    /// The calls of functions that may be helpers: that shows where they are awaited.
    pub(super) calls: Vec<Step>,
    /// Other variables, or calls of closures that they hold.
    pub(super) others: Vec<usize>,
    /// Whether one of those was given no key where the variable took it.
    pub(super) lacks_a_key: bool,
    pub(super) closure: Option<Closure>,
}

/// A closure of the body.
#[derive(Clone, Copy)]
pub(super) struct Closure {
    pub(super) is_async: bool,
    /// Whether an operation of it is awaited later than it is built.
    pub(super) is_gathered: bool,
    /// The first of the steps that a call of it gives.
    pub(super) gives: Option<usize>,
}

pub(super) struct Variable {
    pub(super) value: Value,
    /// The value as it is written.
    pub(super) written: TokenStream,
    pub(super) is_used: bool,
    /// Others of it may be in progress at the same time.
    pub(super) is_concurrent: bool,
    /// What is bound in the loop in which it is made, if it is made in one.
    pub(super) in_loop: Option<Vec<Ident>>,
    /// The step in whose own code it is made.
    pub(super) outer: Option<usize>,
}

impl Value {
    pub(super) fn is_something(&self) -> bool {
        let Self { steps, inner, calls, others, closure, .. } = self;
        let is_nothing =
            steps.is_empty() && inner.is_empty() && calls.is_empty() && others.is_empty();
        closure.is_some() || !is_nothing
    }

    /// Whether all that it holds of others was given a key.
    pub(super) fn has_keys(&self) -> bool {
        !self.others.is_empty() && !self.lacks_a_key
    }
}

impl Names {
    pub(super) fn find(&self, name: &Ident) -> Option<usize> {
        self.meaning(name)?.held()
    }

    /// Whether the body binds the name itself, so that no function of the program is meant.
    pub(super) fn is_variable(&self, name: &Ident) -> bool {
        self.meaning(name).is_some_and(|meaning| meaning != Meaning::Function)
    }

    fn meaning(&self, name: &Ident) -> Option<Meaning> {
        Some(self.scope.iter().rev().find(|(known, _)| known == name)?.1)
    }

    pub(super) fn get(&mut self, index: usize) -> &mut Variable {
        &mut self.variables[index]
    }

    pub(super) fn bind(&mut self, name: &Ident, variable: Variable) {
        self.name(name, self.variables.len());
        self.variables.push(variable);
    }

    /// Another name for the same.
    pub(super) fn name(&mut self, name: &Ident, index: usize) {
        self.scope.push((name.clone(), Meaning::Held(index)));
    }

    /// A variable takes the name that holds nothing of this.
    pub(super) fn shadow(&mut self, name: &Ident) {
        self.scope.push((name.clone(), Meaning::Variable));
    }

    /// A function in a block hides a variable around it.
    pub(super) fn hide(&mut self, name: &Ident) {
        if self.is_variable(name) {
            self.scope.push((name.clone(), Meaning::Function));
        }
    }

    /// All steps that a variable leads to.
    pub(super) fn steps_of(&self, index: usize) -> Vec<usize> {
        let Value { steps, inner, others, .. } = &self.variables[index].value;
        let others = others.iter().flat_map(|other| self.steps_of(*other));
        steps.iter().chain(inner).copied().chain(others).collect()
    }

    pub(super) fn depth(&self) -> usize {
        self.scope.len()
    }

    /// Leaves a scope; gives what was in it.
    pub(super) fn leave(&mut self, depth: usize) -> Vec<usize> {
        self.scope.drain(depth..).filter_map(|(_, meaning)| meaning.held()).collect()
    }

    /// What is in scope that holds something.
    pub(super) fn known(&self) -> impl Iterator<Item = (&Ident, usize)> {
        self.scope.iter().filter_map(|(name, meaning)| Some((name, meaning.held()?)))
    }
}
