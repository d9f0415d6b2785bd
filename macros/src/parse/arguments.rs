use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, Token};

use crate::problem::Problems;

/// One argument of an attribute: `input`, `retries = 2`, `backoff(initial = "1s")`.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// What an argument says.
pub(crate) enum Value {
    /// Nothing but its name.
    Flag,
    /// `= expression`
    Expr(Expr),
    /// `( .. )`
    List(TokenStream),
}

/// Reads a list of arguments. One that cannot be read is reported and passed over, so that the
/// others still count.
pub(crate) fn parse_arguments(tokens: TokenStream, problems: &Problems) -> Vec<Argument> {
    split_at_commas(tokens)
        .into_iter()
        .filter_map(|tokens| {
            parse_argument.parse2(tokens).map_err(|error| problems.report_syntax(error)).ok()
        })
        .collect()
}

fn parse_argument(input: ParseStream<'_>) -> syn::Result<Argument> {
    if input.peek(Lit) {
        return Err(input.error("an argument is given by its name: `name = ..`"));
    }
    let name = input.call(Ident::parse_any)?;
    let value = if input.is_empty() {
        Value::Flag
    } else if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        Value::Expr(input.parse()?)
    } else {
        let list;
        syn::parenthesized!(list in input);
        Value::List(list.parse()?)
    };
    Ok(Argument { name, value })
}

/// Splits at the commas of the outermost level. Angle brackets need no care: a comma between them
/// stands in a type, and no argument is a type with arguments of its own.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut pieces = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => pieces.push(Vec::new()),
            token => pieces.last_mut().expect("there is one piece from the start").push(token),
        }
    }
    pieces
        .into_iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.into_iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        let problems = Problems::new();
        let arguments =
            parse_arguments(quote!(input, retries = 2, backoff(initial = "1s"),), &problems);
        assert!(problems.read().is_empty());
        assert!(matches!(
            arguments.as_slice(),
            [
                Argument { value: Value::Flag, .. },
                Argument { value: Value::Expr(_), .. },
                Argument { value: Value::List(_), .. },
            ]
        ));
    }

    #[test]
    fn one_that_cannot_be_read_costs_no_other() {
        let problems = Problems::new();
        let arguments = parse_arguments(quote!(id = , retries = 2), &problems);
        assert_eq!(problems.read().len(), 1);
        assert_eq!(arguments.len(), 1);
        assert_eq!(arguments[0].name, "retries");
    }
}
