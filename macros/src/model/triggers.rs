use syn::{Data, Fields, Ident, Path, Type, Variant};

use super::values::path;
use crate::parse::{Argument, DeriveSyntax, did_you_mean};
use crate::problem::{Problem, Problems};

/// An enum of several triggers as its author wrote it.
pub(crate) struct TriggersModel {
    pub(crate) item: syn::DeriveInput,
    /// The variants that hold one type.
    pub(crate) triggers: Vec<(Ident, Type)>,
    /// Those that hold none, or several.
    pub(crate) others: Vec<Variant>,
    pub(crate) krate: Option<Path>,
}

impl TriggersModel {
    pub(crate) fn new(DeriveSyntax { arguments, item }: DeriveSyntax, problems: &Problems) -> Self {
        let mut krate = None;
        for Argument { name, value } in arguments {
            match name.to_string().as_str() {
                "crate" => krate = problems.ok(path(&name, value)),
                unknown => problems.report(
                    Problem::at(&name, format!("`#[triggers]` has no argument `{unknown}`"))
                        .help(did_you_mean(unknown, &["crate"])),
                ),
            }
        }
        let (mut triggers, mut others) = (Vec::new(), Vec::new());
        if let Data::Enum(data) = &item.data {
            for variant in &data.variants {
                match held(variant) {
                    Some(ty) => triggers.push((variant.ident.clone(), ty.clone())),
                    None => others.push(variant.clone()),
                }
            }
        }
        Self { item, triggers, others, krate }
    }
}

/// What a variant holds: `Created(AccountCreated)`.
fn held(variant: &Variant) -> Option<&Type> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            fields.unnamed.first().map(|field| &field.ty)
        }
        _ => None,
    }
}
