use proc_macro2::TokenStream;
use syn::{DeriveInput, Meta};

use super::{Argument, parse_arguments};
use crate::problem::{Problem, Problems};

/// A type under a derive, as written.
pub(crate) struct DeriveSyntax {
    /// What its helper attribute says.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) item: DeriveInput,
}

impl DeriveSyntax {
    /// Reads a type and the arguments of its helper attribute, of which `example` is one.
    pub(crate) fn parse(
        item: TokenStream,
        helper: &str,
        example: &str,
        problems: &Problems,
    ) -> Option<Self> {
        let item: DeriveInput = match syn::parse2(item) {
            Ok(item) => item,
            Err(error) => {
                problems.report_syntax(error);
                return None;
            }
        };
        let mut arguments = Vec::new();
        for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident(helper)) {
            match &attribute.meta {
                Meta::List(list) => {
                    arguments.extend(parse_arguments(list.tokens.clone(), problems));
                }
                other => problems.report(
                    Problem::at(other, format!("`#[{helper}]` takes its arguments in parentheses"))
                        .help(example),
                ),
            }
        }
        Some(Self { arguments, item })
    }
}
