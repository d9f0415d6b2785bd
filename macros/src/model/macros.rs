use proc_macro2::{TokenStream, TokenTree};
use syn::{Ident, Macro};

use crate::parse::{Concurrency, MacroArguments, concurrency, parse_race};

/// A macro that a body calls.
pub(crate) struct MacroCall {
    call: Macro,
    /// How many expressions it is given, or branches; `None` if its tokens do not read as such.
    pub(crate) count: Option<usize>,
    /// Whether it stands in a step's own code.
    pub(crate) in_step: bool,
}

impl MacroCall {
    pub(super) fn new(call: &Macro, arguments: Option<&MacroArguments>, in_step: bool) -> Self {
        let count = arguments.map(|arguments| match arguments {
            MacroArguments::Race(branches) => branches.len(),
            arguments => arguments.expressions().len(),
        });
        Self { call: call.clone(), count, in_step }
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> Option<&Ident> {
        self.call.path.segments.last().map(|name| &name.ident)
    }

    pub(crate) fn concurrency(&self) -> Option<Concurrency> {
        concurrency(&self.call)
    }

    /// Why it cannot be read, if it is a race.
    pub(crate) fn malformed_race(&self) -> Option<syn::Error> {
        let is_malformed = self.count.is_none() && self.concurrency()? == Concurrency::Race;
        is_malformed.then(|| parse_race(&self.call).err())?
    }

    /// The first `.await` among its tokens.
    pub(crate) fn awaited(&self) -> Option<Ident> {
        awaited(self.call.tokens.clone())
    }
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
