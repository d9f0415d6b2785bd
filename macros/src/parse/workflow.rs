use proc_macro2::TokenStream;
use syn::ItemFn;

use super::{Argument, parse_arguments};
use crate::problem::{Problem, Problems};

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
        match syn::parse2(item.clone()) {
            Ok(function) => Some(Self { arguments, function }),
            Err(error) => {
                let is_another_item = syn::parse2::<syn::Item>(item.clone()).is_ok();
                if is_another_item {
                    problems.report(
                        Problem::at(&item, "`#[workflow]` stands above an `async fn`")
                            .help("async fn on_ticket_created(event: TicketCreated, step: Step) -> Result<(), Failure>"),
                    );
                } else {
                    problems.report_syntax(error);
                }
                None
            }
        }
    }
}
