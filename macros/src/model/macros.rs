use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::token::Await;
use syn::{Ident, Macro};

use super::{Handle, Method};
use crate::parse::{
    Concurrency, MacroArguments, awaited_already, concurrency, is_a_list, unread_branches,
};

/// A macro that a body calls.
pub(crate) struct MacroCall {
    call: Macro,
    /// How many expressions it is given, or branches; `None` if its tokens do not read as such.
    pub(crate) count: Option<usize>,
    /// Whether it stands in a step's own code.
    pub(crate) in_step: bool,
    /// The `.await` of each branch that is awaited before the others begin.
    pub(crate) awaited_branches: Vec<Await>,
    /// The branches that are lists.
    pub(crate) listed_branches: Vec<TokenStream>,
    /// The patterns of a race that leave something out.
    pub(crate) refutable_patterns: Vec<TokenStream>,
}

impl MacroCall {
    pub(super) fn new(call: &Macro, arguments: Option<&MacroArguments>, in_step: bool) -> Self {
        let count = arguments.map(|arguments| match arguments {
            MacroArguments::Race(branches) => branches.len(),
            arguments => arguments.expressions().len(),
        });
        let concurrent = arguments.filter(|_| concurrency(call).is_some() && !in_step);
        let branches = || concurrent.into_iter().flat_map(MacroArguments::branches);
        let listed = branches().filter(|branch| is_a_list(branch));
        let race = match concurrent {
            Some(MacroArguments::Race(branches)) => branches.as_slice(),
            _ => &[],
        };
        let refutable = race.iter().filter(|branch| branch.is_refutable());
        Self {
            call: call.clone(),
            count,
            in_step,
            awaited_branches: branches().filter_map(awaited_already).collect(),
            listed_branches: listed.map(ToTokens::to_token_stream).collect(),
            refutable_patterns: refutable.map(|it| it.pattern.to_token_stream()).collect(),
        }
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> Option<&Ident> {
        self.call.path.segments.last().map(|name| &name.ident)
    }

    pub(crate) fn concurrency(&self) -> Option<Concurrency> {
        concurrency(&self.call)
    }

    /// Why the branches that it awaits cannot be read, if they cannot.
    pub(crate) fn unread_branches(&self) -> Option<syn::Error> {
        let may_be = self.count.is_none() && !self.in_step;
        may_be.then(|| unread_branches(&self.call)).flatten()
    }

    /// The first `.await` among its tokens.
    pub(crate) fn awaited(&self) -> Option<Ident> {
        awaited(self.call.tokens.clone())
    }

    /// The first step among its tokens, by its method.
    pub(crate) fn step(&self, handle: &Handle) -> Option<Ident> {
        hidden_step(&self.call, handle)
    }
}

/// The first `step.run(` among a macro's tokens, which are no expressions, by its method.
pub(crate) fn hidden_step(call: &Macro, handle: &Handle) -> Option<Ident> {
    if call.path.is_ident("stringify") { None } else { step_among(&call.tokens, handle) }
}

fn step_among(tokens: &TokenStream, handle: &Handle) -> Option<Ident> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let here = tokens.windows(4).find_map(|window| match window {
        [
            TokenTree::Ident(receiver),
            TokenTree::Punct(dot),
            TokenTree::Ident(method),
            TokenTree::Group(_) | TokenTree::Punct(_),
        ] if dot.as_char() == '.' && handle.is_named(receiver) => {
            Method::named(method).map(|_| method.clone())
        }
        _ => None,
    });
    here.or_else(|| {
        tokens.into_iter().find_map(|token| match token {
            TokenTree::Group(group) => step_among(&group.stream(), handle),
            _ => None,
        })
    })
}

fn awaited(tokens: TokenStream) -> Option<Ident> {
    let mut after_dot = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if after_dot && ident == "await" => return Some(ident),
            TokenTree::Group(group) => {
                if let Some(found) = awaited(group.stream()) {
                    return Some(found);
                }
                after_dot = false;
            }
            TokenTree::Punct(punct) => after_dot = punct.as_char() == '.',
            _ => after_dot = false,
        }
    }
    None
}
