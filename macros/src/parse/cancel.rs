use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Ident, Path, Token};

use crate::problem::{Problem, Problems};

/// What stands in `cancel_on(..)`: an event, and which of its fields are equal to which of the
/// input's.
pub(crate) struct CancelSyntax {
    pub(crate) event: Path,
    /// The event's field, and the input's.
    pub(crate) fields: Vec<(Ident, Ident)>,
}

impl CancelSyntax {
    pub(crate) fn parse(name: &Ident, tokens: TokenStream, problems: &Problems) -> Option<Self> {
        match Self::read.parse2(tokens) {
            Ok(cancel) => Some(cancel),
            Err(error) => {
                problems.report(
                    Problem::at_span(
                        error.span(),
                        format!(
                            "`{name}` names an event and what it has in common with a run: {error}"
                        ),
                    )
                    .help(
                        "cancel_on(TicketDeleted, matching = ticket_id), or with other names in \
                             the event: cancel_on(TicketDeleted, matching(id = ticket_id))",
                    ),
                );
                None
            }
        }
    }

    fn read(input: ParseStream<'_>) -> syn::Result<Self> {
        let event = input.parse()?;
        let mut fields = Vec::new();
        if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let matching: Ident = input.parse()?;
            if matching != "matching" {
                return Err(syn::Error::new(matching.span(), "expected `matching`"));
            }
            if input.parse::<Option<Token![=]>>()?.is_some() {
                let field: Ident = input.parse()?;
                fields.push((field.clone(), field));
            } else {
                let content;
                syn::parenthesized!(content in input);
                let pairs = Punctuated::<Pair, Token![,]>::parse_terminated(&content)?;
                fields.extend(pairs.into_iter().map(|pair| pair.0));
            }
            input.parse::<Option<Token![,]>>()?;
        }
        match input.is_empty() {
            true => Ok(Self { event, fields }),
            false => Err(input.error("expected nothing more")),
        }
    }
}

/// `field`, or `theirs = ours`.
struct Pair((Ident, Ident));

impl Parse for Pair {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let theirs: Ident = input.parse()?;
        Ok(Self(match input.parse::<Option<Token![=]>>()? {
            Some(_) => (theirs, input.parse()?),
            None => (theirs.clone(), theirs),
        }))
    }
}
