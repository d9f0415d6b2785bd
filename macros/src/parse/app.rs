use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Path, Token, Visibility};

use super::did_you_mean;
use crate::problem::{Problem, Problems};

/// What stands in `app! { .. }`.
pub(crate) struct AppSyntax {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) ident: Ident,
    pub(crate) name: LitStr,
    pub(crate) events: Vec<Path>,
    pub(crate) workflows: Vec<Path>,
    pub(crate) on_failure: Option<Path>,
    pub(crate) on_cancel: Option<Path>,
}

impl AppSyntax {
    pub(crate) fn parse(input: TokenStream, problems: &Problems) -> Option<Self> {
        if input.is_empty() {
            let what = "`app!` names a program's events and workflows";
            problems.report(Problem::at_span(Span::call_site(), what).help(
                "app! { pub HelpDesk = \"help-desk\"; events: [TicketCreated], workflows: [on_ticket_created] }",
            ));
            return None;
        }
        syn::parse2(input).map_err(|error| problems.report_syntax(error)).ok()
    }
}

impl Parse for AppSyntax {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let name = input.parse()?;
        input.parse::<Token![;]>()?;
        let mut app = Self {
            attributes,
            visibility,
            ident,
            name,
            events: vec![],
            workflows: vec![],
            on_failure: None,
            on_cancel: None,
        };
        while !input.is_empty() {
            let section: Ident = input.parse()?;
            let handler = match section.to_string().as_str() {
                "on_failure" => Some(&mut app.on_failure),
                "on_cancel" => Some(&mut app.on_cancel),
                _ => None,
            };
            if let Some(handler) = handler {
                input.parse::<Token![:]>()?;
                *handler = Some(input.parse()?);
                if input.is_empty() {
                    break;
                }
                input.parse::<Token![,]>()?;
                continue;
            }
            let list = match section.to_string().as_str() {
                "events" => &mut app.events,
                "workflows" => &mut app.workflows,
                other => {
                    let known = ["events", "workflows", "on_failure", "on_cancel"];
                    let help = did_you_mean(other, &known);
                    return Err(syn::Error::new(
                        section.span(),
                        format!("an app has no `{other}`\n= help: {help}"),
                    ));
                }
            };
            input.parse::<Token![:]>()?;
            let content;
            syn::bracketed!(content in input);
            list.extend(Punctuated::<Path, Token![,]>::parse_terminated(&content)?);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(app)
    }
}
