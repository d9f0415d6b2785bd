//! A JSON Schema, reduced to the paths of its fields and their types. Bounds on values (a maximum, a
//! pattern) and all that describes are left out.

use serde_json::{Map, Value};

use super::{Field, Fields};

impl Fields {
    /// The fields that a schema speaks of.
    pub fn of(schema: &Value) -> Self {
        let mut reader = Reader { root: schema, fields: Self::default(), within: Vec::new() };
        reader.at(ROOT, false, schema);
        // Most data is an object; what is worth a line is what it has.
        let plain = Field { optional: false, types: ["object".to_owned()].into() };
        if reader.fields.0.get(ROOT) == Some(&plain) {
            reader.fields.0.remove(ROOT);
        }
        reader.fields
    }
}

/// The path of the data as a whole.
pub(super) const ROOT: &str = "$";

struct Reader<'s> {
    root: &'s Value,
    fields: Fields,
    /// The references that led here.
    within: Vec<&'s str>,
}

impl<'s> Reader<'s> {
    /// Notes what a schema allows at a path.
    fn at(&mut self, path: &str, optional: bool, schema: &'s Value) {
        let field = self.fields.0.entry(path.to_owned()).or_default();
        field.optional |= optional;
        self.schema(path, schema);
    }

    fn schema(&mut self, path: &str, schema: &'s Value) {
        let Some(schema) = schema.as_object() else { return self.allow(path, "any") };
        let mut said = false;
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            self.reference(path, reference);
            said = true;
        }
        for part in list(schema, "allOf") {
            self.schema(path, part);
            said = true;
        }
        let choices = || list(schema, "oneOf").chain(list(schema, "anyOf"));
        let objects = choices().filter(|choice| self.is_object(choice)).count();
        for (index, choice) in choices().enumerate() {
            self.choice(path, index, choice, objects);
            said = true;
        }
        if let Some(value) = schema.get("const") {
            self.allow(path, &value.to_string());
        } else if schema.contains_key("enum") {
            list(schema, "enum").for_each(|value| self.allow(path, &value.to_string()));
        } else {
            let format = schema.get("format").and_then(Value::as_str);
            for ty in types(schema) {
                said = true;
                self.typed(path, ty, format, schema);
            }
            if !said && schema.contains_key("properties") {
                self.object(path, schema);
            } else if !said {
                self.allow(path, "any");
            }
        }
    }

    fn typed(
        &mut self,
        path: &str,
        ty: &str,
        format: Option<&str>,
        schema: &'s Map<String, Value>,
    ) {
        match ty {
            "object" => self.object(path, schema),
            "array" => {
                self.allow(path, "list");
                for (index, item) in list(schema, "prefixItems").enumerate() {
                    self.at(&format!("{path}[{index}]"), false, item);
                }
                if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
                    self.at(&format!("{path}[]"), false, items);
                }
            }
            "integer" | "string" => self.allow(path, format.unwrap_or(ty)),
            other => self.allow(path, other),
        }
    }

    fn object(&mut self, path: &str, schema: &'s Map<String, Value>) {
        // A part of a choice has its own name there.
        if !path.ends_with(')') {
            self.allow(path, "object");
        }
        let required: Vec<_> = list(schema, "required").filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let optional = !required.contains(&name.as_str());
            self.at(&join(path, &segment(name)), optional, property);
        }
        if let Some(rest) = schema.get("additionalProperties").filter(|rest| rest.is_object()) {
            self.at(&format!("{path}{{}}"), false, rest);
        }
    }

    /// One of several things that may stand at a path. Objects are told apart by what names them.
    fn choice(&mut self, path: &str, index: usize, choice: &'s Value, objects: usize) {
        let tag = self.resolve(choice).and_then(tag);
        match tag {
            Some(tag) => self.variant(path, &segment(tag), choice),
            None if objects > 1 && self.is_object(choice) => {
                self.variant(path, &format!("#{}", index + 1), choice);
            }
            None => self.schema(path, choice),
        }
    }

    fn variant(&mut self, path: &str, name: &str, choice: &'s Value) {
        self.allow(path, &format!("({name})"));
        self.schema(&format!("{path}({name})"), choice);
    }

    fn reference(&mut self, path: &str, reference: &'s str) {
        if self.within.contains(&reference) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return self.allow(path, &format!("recursive {name}"));
        }
        match reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) {
            Some(target) => {
                self.within.push(reference);
                self.schema(path, target);
                self.within.pop();
            }
            None => self.allow(path, reference),
        }
    }

    fn resolve(&self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        let object = schema.as_object()?;
        match object.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.root.pointer(reference.strip_prefix('#')?)?.as_object(),
            None => Some(object),
        }
    }

    fn is_object(&self, schema: &'s Value) -> bool {
        self.resolve(schema).is_some_and(|schema| {
            types(schema).any(|ty| ty == "object") || schema.contains_key("properties")
        })
    }

    fn allow(&mut self, path: &str, ty: &str) {
        // The part of a choice stands for itself.
        if !path.ends_with(')') {
            self.fields.0.entry(path.to_owned()).or_default().types.insert(ty.to_owned());
        }
    }
}

/// What names a variant of an enum: the constant in it, or the only field that it has.
fn tag(schema: &Map<String, Value>) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    let constant = properties.values().find_map(|property| property.get("const")?.as_str());
    constant.or_else(|| {
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let only = properties.keys().next().filter(|_| properties.len() == 1);
        only.filter(|name| closed && list(schema, "required").any(|required| required == *name))
            .map(String::as_str)
    })
}

fn list<'s>(schema: &'s Map<String, Value>, key: &str) -> impl Iterator<Item = &'s Value> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn types(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let single = schema.get("type").and_then(Value::as_str);
    single.into_iter().chain(list(schema, "type").filter_map(Value::as_str))
}

/// A name as a part of a path; one that could be misread is quoted.
fn segment(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

fn join(path: &str, name: &str) -> String {
    if path == ROOT { name.to_owned() } else { format!("{path}.{name}") }
}

/// Splits at a separator, but not within quotes.
pub(super) fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut from, mut quoted, mut escaped) = (0, false, false);
    for (index, c) in text.char_indices() {
        if !quoted && index >= from && text[index..].starts_with(separator) {
            parts.push(&text[from..index]);
            from = index + separator.len();
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;
    use uuid::Uuid;

    use super::*;
    use crate::workflow::shape::Change;

    fn of<T: JsonSchema>() -> Fields {
        Fields::of(schema_for!(T).as_value())
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    struct Order {
        id: Uuid,
        lines: Vec<Line>,
        #[serde(rename = "paid: how")]
        paid: Payment,
        shipped: Shipping,
        note: Option<String>,
        #[serde(default)]
        priority: Priority,
        tags: HashMap<String, u8>,
        place: (f64, f64),
        tree: Option<Box<Tree>>,
        rest: serde_json::Value,
        #[serde(flatten)]
        customer: Customer,
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    struct Line {
        sku: String,
        count: u32,
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    enum Payment {
        Cash,
        Card { number: String },
        Voucher(u64),
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(tag = "by", rename_all = "snake_case")]
    #[allow(dead_code, reason = "only its schema is asked for")]
    enum Shipping {
        Post { street: String },
        Pickup,
    }

    #[derive(Default, Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    enum Priority {
        /// Documented, which changes what the schema looks like.
        Low,
        #[default]
        High,
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    struct Tree {
        children: Vec<Tree>,
    }

    #[derive(Serialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is asked for")]
    struct Customer {
        email: Option<String>,
    }

    #[test]
    fn a_schema_is_reduced_to_its_fields() {
        let expected = r#"    "paid: how": "Cash" | (Card) | (Voucher)
    "paid: how"(Card).Card: object
    "paid: how"(Card).Card.number: string
    "paid: how"(Voucher).Voucher: uint64
    email?: string | null
    id: uuid
    lines: list
    lines[]: object
    lines[].count: uint32
    lines[].sku: string
    note?: string | null
    place: list
    place[0]: number
    place[1]: number
    priority?: "High" | "Low"
    rest: any
    shipped: (pickup) | (post)
    shipped(pickup).by: "pickup"
    shipped(post).by: "post"
    shipped(post).street: string
    tags: object
    tags{}: uint8
    tree?: object | null
    tree.children: list
    tree.children[]: recursive Tree
"#;
        assert_eq!(of::<Order>().to_string(), expected);
        assert_eq!(of::<u32>().to_string(), "    $: uint32\n");
        assert_eq!(
            of::<Payment>().to_string().lines().next(),
            Some("    $: \"Cash\" | (Card) | (Voucher)")
        );
    }

    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "Payment")]
    #[allow(dead_code, reason = "only its schema is asked for")]
    enum MorePayments {
        Cash,
        Card { number: String },
        Voucher(u64),
        Transfer { iban: String },
    }

    #[test]
    fn a_new_variant_is_read_beside_the_old_ones() {
        use super::super::widening::compare;
        let [old, new] = [of::<Payment>(), of::<MorePayments>()];
        let found = compare(&old, &new);
        assert!(
            matches!(&found[..], [Change::FieldWidened { path, .. }] if path == ROOT),
            "{found:?}"
        );
        let found = compare(&new, &old);
        assert!(
            matches!(&found[..], [Change::FieldRetyped { path, .. }] if path == ROOT),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_in_something_new_is_new_with_it() {
        use super::super::widening::compare;
        let (old, new) = (of::<Customer>(), of::<Order>());
        let required: Vec<_> = compare(&old, &new)
            .into_iter()
            .filter_map(|change| match change {
                Change::FieldRequired { path, .. } => Some(path),
                _ => None,
            })
            .collect();
        let expected = ["\"paid: how\"", "id", "lines", "place", "rest", "shipped", "tags"];
        assert_eq!(required, expected);
    }
}
