//! The fields of an event as serde writes them, known from its attributes.

use syn::meta::ParseNestedMeta;
use syn::{
    Attribute, Data, DeriveInput, ExprPath, Fields, Ident, LitStr, Token, Type, Visibility,
    parse_quote, token,
};

/// A field that a wait can match on.
pub(crate) struct EventField {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) ty: Type,
    /// Its name in the event's JSON.
    pub(crate) wire_name: String,
    /// The function that writes its value, if its type does not do that itself.
    pub(crate) serialize_with: Option<ExprPath>,
}

/// The fields that stand in the event's JSON under a name of their own. What serde cannot read is
/// left to serde to report.
pub(super) fn fields(item: &DeriveInput) -> Vec<EventField> {
    let Data::Struct(data) = &item.data else { return Vec::new() };
    let Fields::Named(fields) = &data.fields else { return Vec::new() };
    let container = Container::read(&item.attrs);
    if container.is_another_type {
        return Vec::new();
    }
    let fields = fields.named.iter().filter_map(|field| {
        let ident = field.ident.clone()?;
        let attributes = Attributes::read(&field.attrs);
        let name = ident.to_string();
        let name = name.trim_start_matches("r#");
        (!attributes.is_elsewhere).then(|| EventField {
            wire_name: attributes
                .name
                .unwrap_or_else(|| rename(name, container.rename_all.as_deref())),
            visibility: field.vis.clone(),
            ty: field.ty.clone(),
            serialize_with: attributes.serialize_with,
            ident,
        })
    });
    fields.collect()
}

/// What serde is told about a whole struct.
#[derive(Default)]
struct Container {
    rename_all: Option<String>,
    /// It is written as another type, or as its only field.
    is_another_type: bool,
}

impl Container {
    fn read(attributes: &[Attribute]) -> Self {
        let mut container = Self::default();
        each_argument(attributes, |name, argument| {
            match name {
                "rename_all" => container.rename_all = serialized_name(argument)?,
                "into" | "transparent" | "remote" => {
                    container.is_another_type = true;
                    skip(argument)?;
                }
                _ => skip(argument)?,
            }
            Ok(())
        });
        container
    }
}

/// What serde is told about a field.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    /// It is not written, or not under a name of its own.
    is_elsewhere: bool,
    serialize_with: Option<ExprPath>,
}

impl Attributes {
    fn read(attributes: &[Attribute]) -> Self {
        let mut found = Self::default();
        each_argument(attributes, |name, argument| {
            match name {
                "rename" => found.name = serialized_name(argument)?,
                "skip" | "skip_serializing" | "flatten" => found.is_elsewhere = true,
                "serialize_with" => found.serialize_with = Some(path(argument)?),
                "with" => {
                    let module = path(argument)?;
                    found.serialize_with = Some(parse_quote!(#module::serialize));
                }
                _ => skip(argument)?,
            }
            Ok(())
        });
        found
    }
}

/// Visits the arguments of each `#[serde(..)]`, up to the first that is malformed.
fn each_argument(
    attributes: &[Attribute],
    mut visit: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let _reported_by_serde = attribute.parse_nested_meta(|argument| {
            let name = argument.path.get_ident().map(ToString::to_string).unwrap_or_default();
            visit(&name, &argument)
        });
    }
}

/// `= "name"`, or `(serialize = "name", deserialize = "other")`.
fn serialized_name(argument: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if !argument.input.peek(token::Paren) {
        return Ok(Some(argument.value()?.parse::<LitStr>()?.value()));
    }
    let mut name = None;
    argument.parse_nested_meta(|direction| {
        let value = direction.value()?.parse::<LitStr>()?.value();
        if direction.path.is_ident("serialize") {
            name = Some(value);
        }
        Ok(())
    })?;
    Ok(name)
}

fn path(argument: &ParseNestedMeta<'_>) -> syn::Result<ExprPath> {
    argument.value()?.parse::<LitStr>()?.parse()
}

/// Goes past an argument's value.
fn skip(argument: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if argument.input.peek(Token![=]) {
        argument.value()?.parse::<syn::Expr>()?;
    } else if argument.input.peek(token::Paren) {
        argument.parse_nested_meta(|inner| skip(&inner))?;
    }
    Ok(())
}

/// A field's name under one of serde's `rename_all` rules.
///
/// <https://serde.rs/container-attrs.html#rename_all>
fn rename(field: &str, rule: Option<&str>) -> String {
    let pascal = || {
        let words = field.split('_').map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        });
        words.collect::<String>()
    };
    match rule {
        Some("PascalCase") => pascal(),
        Some("camelCase") => {
            let pascal = pascal();
            let mut letters = pascal.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            first.into_iter().chain(letters).collect()
        }
        Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => field.to_ascii_uppercase(),
        Some("kebab-case") => field.replace('_', "-"),
        Some("SCREAMING-KEBAB-CASE") => field.to_ascii_uppercase().replace('_', "-"),
        // A field's name is in snake case, which serde takes for lower case too.
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire_names(item: &DeriveInput) -> Vec<String> {
        fields(item).into_iter().map(|field| field.wire_name).collect()
    }

    #[test]
    fn names_are_those_that_serde_writes() {
        let item = parse_quote! {
            #[serde(rename_all(serialize = "camelCase", deserialize = "UPPERCASE"), deny_unknown_fields)]
            struct Paid {
                order_id: u32,
                #[serde(rename = "Shop")]
                shop: u32,
                #[serde(default = "nothing", rename(deserialize = "in", serialize = "out"), alias = "x")]
                cents: u32,
                #[serde(skip)]
                cache: u32,
                #[serde(flatten)]
                rest: Rest,
                r#type: u32,
            }
        };
        assert_eq!(wire_names(&item), ["orderId", "Shop", "out", "type"]);
    }

    #[test]
    fn what_is_written_as_another_type_has_no_fields() {
        assert!(
            wire_names(&parse_quote!(
                #[serde(into = "Other")]
                struct A {
                    a: u32,
                }
            ))
            .is_empty()
        );
        assert!(
            wire_names(&parse_quote!(
                #[serde(transparent)]
                struct A {
                    a: u32,
                }
            ))
            .is_empty()
        );
        assert!(
            wire_names(&parse_quote!(
                struct A(u32);
            ))
            .is_empty()
        );
        assert!(
            wire_names(&parse_quote!(
                enum A {
                    B { b: u32 },
                }
            ))
            .is_empty()
        );
    }

    #[test]
    fn values_may_be_written_by_functions() {
        let item = parse_quote! {
            struct Paid {
                #[serde(with = "iso")]
                at: Date,
                #[serde(serialize_with = "text::cents")]
                cents: u32,
                plain: u32,
            }
        };
        let functions: Vec<_> = fields(&item)
            .into_iter()
            .map(|field| field.serialize_with.map(|path| path.path.segments.len()))
            .collect();
        assert_eq!(functions, [Some(2), Some(2), None]);
    }
}
