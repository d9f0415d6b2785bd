//! What the phases report: gathered in one place, none thrown away.

use std::cell::RefCell;
use std::fmt::Display;
use std::thread;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;

/// One mistake, at one place: what is wrong, why it matters, what to write instead.
pub(crate) struct Problem {
    place: TokenStream,
    message: String,
}

impl Problem {
    /// What is wrong, underlining `tokens`.
    pub(crate) fn at(tokens: &impl ToTokens, what: impl Display) -> Self {
        Self { place: tokens.to_token_stream(), message: what.to_string() }
    }

    /// What is wrong, at a span that no tokens of ours have.
    pub(crate) fn at_span(span: Span, what: impl Display) -> Self {
        let mut place = proc_macro2::Ident::new("place", span).into_token_stream();
        place = place
            .into_iter()
            .map(|mut token| {
                token.set_span(span);
                token
            })
            .collect();
        Self { place, message: what.to_string() }
    }

    /// Why it matters.
    pub(crate) fn note(self, note: impl Display) -> Self {
        self.line("note", note)
    }

    /// What to write instead.
    pub(crate) fn help(self, help: impl Display) -> Self {
        self.line("help", help)
    }

    fn line(mut self, label: &str, text: impl Display) -> Self {
        self.message.push_str(&format!("\n= {label}: {text}"));
        self
    }
}

/// The problems found so far, in order.
///
/// Whoever makes one has to read it in the end: dropping it unread would lose a user's mistakes, so
/// that panics in debug builds.
pub(crate) struct Problems(RefCell<Option<Vec<syn::Error>>>);

impl Problems {
    pub(crate) fn new() -> Self {
        Self(RefCell::new(Some(Vec::new())))
    }

    pub(crate) fn report(&self, problem: Problem) {
        self.report_syntax(syn::Error::new_spanned(problem.place, problem.message));
    }

    /// Reports what `syn` could not parse.
    pub(crate) fn report_syntax(&self, error: syn::Error) {
        if let Some(errors) = &mut *self.0.borrow_mut() {
            errors.push(error);
        }
    }

    /// Whether nothing was reported so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().as_ref().is_none_or(Vec::is_empty)
    }

    /// Whether something was reported of what begins there.
    pub(crate) fn are_known_of(&self, tokens: &impl Spanned) -> bool {
        // To ask for the span of what is long takes time.
        if self.is_empty() {
            return false;
        }
        let begin = tokens.span().start();
        let errors = self.0.borrow();
        errors.iter().flatten().any(|error| error.span().start() == begin)
    }

    /// Takes the value of a result, or reports its problem.
    pub(crate) fn ok<T>(&self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.report(problem)).ok()
    }

    /// Everything that was reported.
    pub(crate) fn read(self) -> Vec<syn::Error> {
        self.0.borrow_mut().take().unwrap_or_default()
    }

    /// Everything that was reported, as `compile_error!`s.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.read().iter().map(syn::Error::to_compile_error).collect()
    }
}

impl Drop for Problems {
    fn drop(&mut self) {
        let read = self.0.get_mut().is_none();
        debug_assert!(read || thread::panicking(), "problems were reported and never read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_read_in_order() {
        let problems = Problems::new();
        for what in ["first", "second"] {
            problems.report(Problem::at_span(Span::call_site(), what));
        }
        let messages: Vec<_> = problems.read().iter().map(ToString::to_string).collect();
        assert_eq!(messages, ["first", "second"]);
    }

    #[test]
    fn what_a_problem_was_reported_of_is_known_by_where_it_begins() {
        let call: syn::ExprCall = syn::parse_str("sleep(second)").expect("a call");
        let problems = Problems::new();
        problems.report(Problem::at(&call.func, "it waits"));
        assert!(problems.are_known_of(&call));
        assert!(!problems.are_known_of(&call.args));
        problems.read();
    }

    #[test]
    #[should_panic(expected = "never read")]
    fn unread_problems_are_noticed() {
        drop(Problems::new());
    }

    #[test]
    fn a_message_says_what_why_and_what_instead() {
        let problems = Problems::new();
        let problem = Problem::at_span(Span::call_site(), "it is wrong").note("why").help("how");
        problems.report(problem);
        assert_eq!(problems.read()[0].to_string(), "it is wrong\n= note: why\n= help: how");
    }
}
