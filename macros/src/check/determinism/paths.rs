//! Clocks, chance and the world around, as paths and methods lead to them.

use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprMethodCall, Path, Token};

use super::body::{Body, Found};
use super::known::Known;
use super::sources::Source;

type Arguments = Punctuated<Expr, Token![,]>;

impl Body<'_> {
    /// A path, and what it is called with.
    pub(super) fn path(&mut self, path: &Path, arguments: Option<&Arguments>) {
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
            self.found.push(Found::seen(source, place, written, known.is_none()));
        }
    }

    /// What a function is by its name: one of a type's that takes nothing, or one that is called
    /// without the step handle.
    fn guess(&self, path: &Path, arguments: Option<&Arguments>) -> Option<&'static Source> {
        let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
        let (function, ty) = (names.next()?, names.next());
        let source = Source::by_name(ty, function)?;
        let takes_the_handle = |argument: &Expr| {
            self.handle.is_some_and(|handle| handle.is_among(&argument.to_token_stream()))
        };
        let fits = match (ty, arguments) {
            (Some(_), arguments) => arguments.is_none_or(Punctuated::is_empty),
            (None, Some(arguments)) => !arguments.iter().any(takes_the_handle),
            (None, None) => false,
        };
        fits.then_some(source)
    }

    /// What a method is by its name, on a value of which no more is known.
    pub(super) fn guess_method(&mut self, call: &ExprMethodCall, name: &str) {
        let Some(source) = Source::by_method(name, call.args.len()) else { return };
        if !matches!(Known::of_value(&call.receiver, &self.names), Some(Known::Handle)) {
            let place = call.method.to_token_stream();
            self.found.push(Found::seen(source, place, name.to_owned(), true));
        }
    }
}
