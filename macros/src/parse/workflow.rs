use proc_macro2::TokenStream;
use syn::ItemFn;

use super::{Argument, parse_arguments};
use crate::problem::Problems;

/// `#[workflow(..)]` and the function under it, as written.
pub(crate) struct WorkflowSyntax {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) function: ItemFn,
}

impl WorkflowSyntax {
    /// Reads the attribute and its function; `None` if what stands under it is no function.
    pub(crate) fn parse(
        arguments: TokenStream,
        item: TokenStream,
        problems: &Problems,
    ) -> Option<Self> {
        let arguments = parse_arguments(arguments, problems);
        match syn::parse2(item) {
            Ok(function) => Some(Self { arguments, function }),
            Err(error) => {
                problems.report_syntax(error);
                None
            }
        }
    }
}
