use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, LitStr, Token, Type};

use super::graph::as_written;
use crate::problem::{Problem, Problems};

/// `on(E, if = condition)`: which events of a type start the workflow.
pub(crate) struct Filter {
    /// The word `on`.
    pub(crate) name: Ident,
    pub(crate) event: Type,
    pub(crate) condition: Expr,
}

impl Filter {
    pub(super) const EXAMPLE: &str = "on(PaymentReceived, if = event.amount > 1_000)";

    /// Reads what stands in `on(..)`.
    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let parse = |input: ParseStream<'_>| Self::parse_list(name, input);
        let parsed = parse.parse2(list).map_err(|error| problems.report_syntax(error)).ok()?;
        problems.ok(parsed)
    }

    fn parse_list(name: &Ident, input: ParseStream<'_>) -> syn::Result<Result<Self, Problem>> {
        if input.is_empty() {
            let nothing = Problem::at(name, "`on` names an event").help(Self::EXAMPLE);
            return Ok(Err(nothing));
        }
        if let Ok(named) = input.parse::<LitStr>() {
            input.parse::<TokenStream>()?;
            let untyped = Problem::at(&named, "an event is named by its type, not by a string");
            return Ok(Err(untyped.help(Self::EXAMPLE)));
        }
        let event: Type = input.parse()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        if input.is_empty() {
            return Ok(Err(unconditional(&event)));
        }
        if !input.peek(Token![if]) {
            let unknown: TokenStream = input.parse()?;
            let unknown = Problem::at(&unknown, "after the event, `on` takes a condition");
            return Ok(Err(unknown.help(Self::EXAMPLE)));
        }
        input.parse::<Token![if]>()?;
        input.parse::<Token![=]>()?;
        let condition = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        if !input.is_empty() {
            return Err(input.error("nothing follows the condition"));
        }
        Ok(Ok(Self { name: name.clone(), event, condition }))
    }

    /// The condition as it stands in the source.
    pub(crate) fn text(&self) -> String {
        let condition = &self.condition;
        as_written(quote::quote!(#condition))
    }
}

fn unconditional(event: &Type) -> Problem {
    Problem::at(event, "`on` without a condition says nothing")
        .note("the first parameter says what starts a workflow; `on` selects some of these events")
        .help(Filter::EXAMPLE)
}
