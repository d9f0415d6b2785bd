use proc_macro2::TokenStream;
use syn::{DeriveInput, Meta};

use super::{Argument, parse_arguments};
use crate::problem::{Problem, Problems};

/// A type under `#[derive(Event)]`, as written.
pub(crate) struct EventSyntax {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) item: DeriveInput,
}

impl EventSyntax {
    pub(crate) fn parse(item: TokenStream, problems: &Problems) -> Option<Self> {
        let item: DeriveInput = match syn::parse2(item) {
            Ok(item) => item,
            Err(error) => {
                problems.report_syntax(error);
                return None;
            }
        };
        let mut arguments = Vec::new();
        for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("event")) {
            match &attribute.meta {
                Meta::List(list) => {
                    arguments.extend(parse_arguments(list.tokens.clone(), problems));
                }
                other => problems.report(
                    Problem::at(other, "`#[event]` takes its arguments in parentheses")
                        .help("#[event(name = \"area/what-happened\")]"),
                ),
            }
        }
        Some(Self { arguments, item })
    }
}
