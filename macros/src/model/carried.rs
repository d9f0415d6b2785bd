use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, Label, LitStr, Meta, Token};

use super::step::{Method, Step, StepId};
use crate::parse::{is_kebab_case, to_kebab_case};

/// A loop under `#[carried(..)]`.
pub(crate) struct CarriedLoop<'a> {
    pub(crate) attribute: &'a Attribute,
    label: Option<&'a Label>,
}

impl<'a> CarriedLoop<'a> {
    /// Reads an expression as such a loop.
    pub(crate) fn of(expression: &'a Expr) -> Option<Self> {
        let (attributes, label) = match expression {
            Expr::Loop(inner) => (&inner.attrs, &inner.label),
            Expr::While(inner) => (&inner.attrs, &inner.label),
            Expr::ForLoop(inner) => (&inner.attrs, &inner.label),
            _ => return None,
        };
        let attribute = attributes.iter().find(|attribute| is_carried(attribute))?;
        Some(Self { attribute, label: label.as_ref() })
    }

    /// What the attribute names; `None` if it is no list of variables.
    pub(crate) fn variables(&self) -> Option<Vec<Ident>> {
        match &self.attribute.meta {
            Meta::Path(_) => Some(Vec::new()),
            Meta::List(list) => list
                .parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)
                .ok()
                .map(|names| names.into_iter().collect()),
            Meta::NameValue(_) => None,
        }
    }

    /// The head of the loop, at which its variables are committed. Its state goes by the loop's
    /// label, or as `loop`.
    pub(super) fn head(&self) -> Step {
        let name = self.attribute.path().segments.last().map(|name| name.ident.clone());
        let name = name.unwrap_or_else(|| Ident::new("carried", Span::call_site()));
        let label = self.label.map(|label| to_kebab_case(&label.name.ident.to_string()));
        let id = label.filter(|label| is_kebab_case(label)).unwrap_or_else(|| "loop".to_owned());
        let id = StepId::literal(LitStr::new(&id, name.span()));
        Step::new(Method::Carried, name, id)
    }

    /// What tells its state from the others of the body.
    pub(crate) fn key(&self) -> Option<String> {
        self.head().key()
    }
}

/// Whether an attribute is `#[carried]`.
pub(crate) fn is_carried(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|name| name.ident == "carried")
}

/// Gives loops whose ids are taken a number: `loop-2`.
pub(super) fn number(steps: &mut [Step]) {
    let mut taken: Vec<_> = steps
        .iter()
        .filter(|step| step.method != Method::Carried)
        .filter_map(|step| step.literal_id().map(str::to_owned))
        .collect();
    for step in steps.iter_mut().filter(|step| step.method == Method::Carried) {
        let StepId::Literal(literal, base) = &step.id else { continue };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|id| !taken.contains(id));
        if let Some(free) = free {
            step.id = StepId::literal(LitStr::new(&free, literal.span()));
            taken.push(free);
        }
    }
}
