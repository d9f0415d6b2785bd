//! Types for TypeScript, printed from JSON Schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::exported::{Exported, Schemas};

/// A type for each definition, and one with the data of each event by its name.
pub(super) fn module(exported: &Exported<'_>) -> String {
    let Schemas { events, definitions } =
        Schemas::of(exported.events, SchemaSettings::draft2020_12());
    let names = Names::of(definitions.keys());
    let mut text = format!(
        "// The events of the app `{}`, as `schema export --format typescript` writes them.\n",
        exported.app
    );
    for (name, schema) in &definitions {
        text.push('\n');
        text.push_str(&names.declaration(name, schema));
    }
    let fields: String = events
        .iter()
        .map(|(name, data)| format!("  {}: {};\n", quoted(name), names.ty(data, 1)))
        .collect();
    let body = if fields.is_empty() { "{}".to_owned() } else { format!("{{\n{fields}}}") };
    let _ = write!(
        text,
        "\n/** The data of each event, by its name. */\nexport interface {} {body}\n",
        names.events
    );
    text
}

/// The names of definitions in TypeScript.
struct Names {
    of: BTreeMap<String, String>,
    /// The name of the type with all events.
    events: String,
}

impl Names {
    fn of<'a>(definitions: impl Iterator<Item = &'a String>) -> Self {
        let mut of = BTreeMap::<String, String>::new();
        for definition in definitions {
            let free = free(&of, identifier(definition));
            of.insert(definition.clone(), free);
        }
        let events = free(&of, "Events".to_owned());
        Self { of, events }
    }

    fn declaration(&self, definition: &str, schema: &Value) -> String {
        let name = self.of.get(definition).map_or(definition, |name| name);
        let comment = comment(schema, 0);
        match schema.as_object().filter(|schema| is_interface(schema)) {
            Some(object) => {
                format!("{comment}export interface {name} {}\n", self.fields(object, 0))
            }
            None => format!("{comment}export type {name} = {};\n", self.ty(schema, 0)),
        }
    }

    /// The type of what fits the schema; `depth` is how far its lines are indented.
    fn ty(&self, schema: &Value, depth: usize) -> String {
        let schema = match schema {
            Value::Bool(false) => return "never".to_owned(),
            Value::Object(schema) => schema,
            _ => return "unknown".to_owned(),
        };
        // All that a schema says holds.
        let mut parts = Vec::new();
        if let Some(Value::String(path)) = schema.get("$ref") {
            let definition = path.rsplit('/').next().unwrap_or_default();
            let definition = definition.replace("~1", "/").replace("~0", "~");
            parts.push(self.of.get(&definition).cloned().unwrap_or_else(|| "unknown".to_owned()));
        }
        if let Some(value) = schema.get("const") {
            parts.push(value.to_string());
        } else if let Some(Value::Array(values)) = schema.get("enum") {
            parts.push(union(values.iter().map(Value::to_string).collect()));
        } else {
            parts.extend(self.by_type(schema, depth));
        }
        for either in ["oneOf", "anyOf"] {
            if let Some(Value::Array(variants)) = schema.get(either) {
                let variants = variants.iter().map(|variant| {
                    let comment = line_comment(variant);
                    format!("{comment}{}", self.ty(variant, depth))
                });
                parts.push(union(variants.collect()));
            }
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            parts.extend(all.iter().map(|one| self.ty(one, depth)));
        }
        parts.dedup();
        match parts.len() {
            0 => "unknown".to_owned(),
            1 => parts.remove(0),
            _ => parts.iter().map(|part| grouped(part)).collect::<Vec<_>>().join(" & "),
        }
    }

    /// What the `type` of a schema says; without one what its fields say.
    fn by_type(&self, schema: &Map<String, Value>, depth: usize) -> Option<String> {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ if schema.contains_key("properties") => vec!["object"],
            _ => return None,
        };
        let format = schema.get("format").and_then(Value::as_str);
        let noted = |ty: &str| match format {
            Some(format) => format!("{ty} /* {} */", format.replace("*/", "* /")),
            None => ty.to_owned(),
        };
        let types = types.into_iter().map(|ty| match ty {
            "string" => noted("string"),
            "integer" | "number" => noted("number"),
            "array" => self.list(schema, depth),
            "object" => self.object(schema, depth),
            "boolean" | "null" => ty.to_owned(),
            _ => "unknown".to_owned(),
        });
        Some(union(types.collect()))
    }

    fn list(&self, schema: &Map<String, Value>, depth: usize) -> String {
        if let Some(Value::Array(items)) = schema.get("prefixItems") {
            let items: Vec<_> = items.iter().map(|item| self.ty(item, depth)).collect();
            return format!("[{}]", items.join(", "));
        }
        let items = schema.get("items").map(|items| self.ty(items, depth));
        format!("{}[]", grouped(&items.unwrap_or_else(|| "unknown".to_owned())))
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> String {
        let mut values: Vec<_> = schema
            .get("patternProperties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|patterns| patterns.values())
            .map(|values| self.ty(values, depth))
            .collect();
        let others = schema.get("additionalProperties").filter(|others| !others.is_boolean());
        values.extend(others.map(|others| self.ty(others, depth)));
        let map = (!values.is_empty()).then(|| format!("Record<string, {}>", union(values)));
        let fields = schema.get("properties").and_then(Value::as_object);
        match (fields.is_some_and(|fields| !fields.is_empty()), map) {
            (true, None) => self.fields(schema, depth),
            (true, Some(map)) => format!("{} & {map}", self.fields(schema, depth)),
            (false, Some(map)) => map,
            (false, None) => match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => "Record<string, never>".to_owned(),
                _ => "Record<string, unknown>".to_owned(),
            },
        }
    }

    /// `{ .. }` with the properties of an object.
    fn fields(&self, schema: &Map<String, Value>, depth: usize) -> String {
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let indent = "  ".repeat(depth + 1);
        let mut text = "{\n".to_owned();
        let fields = schema.get("properties").and_then(Value::as_object);
        for (name, field) in fields.into_iter().flatten() {
            let optional = if required.contains(&name.as_str()) { "" } else { "?" };
            let (comment, ty) = (comment(field, depth + 1), self.ty(field, depth + 1));
            let _ = writeln!(text, "{comment}{indent}{}{optional}: {ty};", property(name));
        }
        text.push_str(&"  ".repeat(depth));
        text.push('}');
        text
    }
}

/// Whether it is nothing but an object with certain fields.
fn is_interface(schema: &Map<String, Value>) -> bool {
    let else_than_fields =
        ["$ref", "const", "enum", "oneOf", "anyOf", "allOf", "patternProperties"];
    let has_fields = schema
        .get("properties")
        .and_then(Value::as_object)
        .is_some_and(|fields| !fields.is_empty());
    let has_others = schema.get("additionalProperties").is_some_and(|others| !others.is_boolean());
    schema.get("type").is_some_and(|ty| ty == "object")
        && has_fields
        && !has_others
        && else_than_fields.iter().all(|keyword| !schema.contains_key(*keyword))
}

/// Each once, in their order.
fn union(types: Vec<String>) -> String {
    let mut variants = Vec::new();
    for ty in types {
        if !variants.contains(&ty) {
            variants.push(ty);
        }
    }
    if variants.is_empty() { "never".to_owned() } else { variants.join(" | ") }
}

/// In brackets if it is put together of several.
fn grouped(ty: &str) -> String {
    let mut depth = 0;
    let is_joined = ty.chars().any(|c| {
        match c {
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth -= 1,
            _ => {}
        }
        depth == 0 && (c == '|' || c == '&')
    });
    if is_joined { format!("({ty})") } else { ty.to_owned() }
}

/// What a schema says about itself, as a comment above.
fn comment(schema: &Value, depth: usize) -> String {
    let Some(text) = schema.get("description").and_then(Value::as_str) else {
        return String::new();
    };
    let text = text.replace("*/", "*\\/");
    let indent = "  ".repeat(depth);
    let lines: Vec<&str> = text.lines().collect();
    match lines.as_slice() {
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: String = lines
                .iter()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    }
}

/// The same before a variant, in its line.
fn line_comment(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    text.map_or_else(String::new, |text| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("/** {} */ ", line.replace("*/", "*\\/"))
    })
}

/// A name that is no other's, nor that of the type which maps become.
fn free(taken: &BTreeMap<String, String>, mut name: String) -> String {
    while name == "Record" || taken.values().any(|other| *other == name) {
        name.push('_');
    }
    name
}

fn identifier(name: &str) -> String {
    let mut identifier: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if !identifier.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        identifier.insert(0, '_');
    }
    identifier
}

fn property(name: &str) -> String {
    if identifier(name) == name { name.to_owned() } else { quoted(name) }
}

fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
