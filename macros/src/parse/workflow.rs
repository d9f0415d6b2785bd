use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ItemFn;

use super::{Argument, parse_arguments};
use crate::problem::{Problem, Problems};

/// `#[workflow(..)]` and the function under it, as written.
pub(crate) struct WorkflowSyntax {
    pub(crate) arguments: Vec<Argument>,
    pub(crate) function: ItemFn,
    /// Whether its body could not be read, and is left out.
    pub(crate) is_unread: bool,
}

impl WorkflowSyntax {
    /// Reads an attribute and its function; `None` if what stands under it is no function. A half-typed
    /// body costs no other code the function's name and types.
    pub(crate) fn parse(
        attribute: &str,
        arguments: TokenStream,
        item: TokenStream,
        problems: &Problems,
    ) -> Option<Self> {
        let arguments = parse_arguments(arguments, problems);
        match syn::parse2(item.clone()) {
            Ok(function) => Some(Self { arguments, function, is_unread: false }),
            Err(error) => {
                let is_another_item = syn::parse2::<syn::Item>(item.clone()).is_ok();
                if is_another_item {
                    problems.report(
                        Problem::at(&item, format!("`#[{attribute}]` stands above an `async fn`"))
                            .help(example(attribute)),
                    );
                    return None;
                }
                problems.report_syntax(error);
                let function = syn::parse2(without_body(item)).ok()?;
                Some(Self { arguments, function, is_unread: true })
            }
        }
    }
}

fn example(attribute: &str) -> &'static str {
    match attribute {
        "durable" => "async fn notify(step: &Step, user: &User) -> Result<(), StepError>",
        _ => "async fn on_ticket_created(event: TicketCreated, step: Step) -> Result<(), Failure>",
    }
}

/// A function with an empty body.
fn without_body(item: TokenStream) -> TokenStream {
    let mut tokens: Vec<_> = item.into_iter().collect();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        let span = body.span();
        *body = Group::new(Delimiter::Brace, TokenStream::new());
        body.set_span(span);
    }
    tokens.into_iter().collect()
}
