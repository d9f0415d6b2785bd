//! Whether JSON of one shape can be read as another.

use std::collections::BTreeSet;

use super::fields::{ROOT, split};
use super::{Change, Field, Fields};

/// How the fields changed.
pub(super) fn compare(old: &Fields, new: &Fields) -> Vec<Change> {
    let mut changes = Vec::new();
    for (path, before) in &old.0 {
        match new.0.get(path) {
            Some(after) => field(path, before, after, &mut changes),
            // What stood in something that is gone is gone with it.
            None if has_parent(new, path) => {
                changes.push(Change::FieldRemoved { path: path.clone() });
            }
            None => {}
        }
    }
    for (path, after) in &new.0 {
        if !old.0.contains_key(path) && has_parent(old, path) {
            let path = path.clone();
            changes.push(match after.optional || is_element(&path) {
                true => Change::FieldAdded { path },
                false => Change::FieldRequired { path, new: true },
            });
        }
    }
    changes
}

fn field(path: &str, before: &Field, after: &Field, changes: &mut Vec<Change>) {
    let path = || path.to_owned();
    if before.types != after.types {
        let (from, to) = (before.types(), after.types());
        changes.push(match reads(&after.types, &before.types) {
            true => Change::FieldWidened { path: path(), from, to },
            false => Change::FieldRetyped { path: path(), from, to },
        });
    }
    match (before.optional, after.optional) {
        (true, false) => changes.push(Change::FieldRequired { path: path(), new: false }),
        (false, true) => changes.push(Change::FieldOptional { path: path() }),
        _ => {}
    }
}

/// Whether what a path stands in is there. The rest of a list or map is there if the list is.
fn has_parent(fields: &Fields, path: &str) -> bool {
    let parent = if is_element(path) {
        path.rfind(['[', '{']).map(|end| &path[..end])
    } else {
        let parts = split(path, ".");
        let last = parts.last().map_or(0, |last| last.len());
        path.len().checked_sub(last + 1).map(|end| &path[..end])
    };
    let Some(parent) = parent else { return true };
    match variant(parent) {
        Some((choice, name)) => {
            fields.0.get(choice).is_some_and(|field| field.types.contains(name))
        }
        None => parent == ROOT || fields.0.contains_key(parent),
    }
}

fn is_element(path: &str) -> bool {
    path.ends_with([']', '}'])
}

/// `paid(card)` is the part `(card)` of `paid`.
fn variant(path: &str) -> Option<(&str, &str)> {
    let start = path.strip_suffix(')')?.rfind('(')?;
    Some(path.split_at(start))
}

/// Whether every value of the types `old` is one of the types `new`.
fn reads(new: &BTreeSet<String>, old: &BTreeSet<String>) -> bool {
    old.iter().all(|old| new.iter().any(|new| includes(new, old)))
}

/// Whether every value of `inner` is one of `outer`.
fn includes(outer: &str, inner: &str) -> bool {
    if outer == inner || outer == "any" {
        return true;
    }
    match outer {
        "number" => inner == "integer" || Integer::named(inner).is_some(),
        "integer" => Integer::named(inner).is_some(),
        "string" => is_string(inner),
        _ => match (Integer::named(outer), Integer::named(inner)) {
            (Some(outer), Some(inner)) => outer.includes(&inner),
            _ => false,
        },
    }
}

/// A Rust integer, as schemas call it: `uint32`, `int`.
struct Integer {
    signed: bool,
    bits: u32,
}

impl Integer {
    fn named(name: &str) -> Option<Self> {
        let (signed, bits) = match name.strip_prefix('u') {
            Some(rest) => (false, rest),
            None => (true, name),
        };
        let bits = match bits.strip_prefix("int")? {
            "" => 64,
            bits => bits.parse().ok()?,
        };
        Some(Self { signed, bits })
    }

    fn includes(&self, inner: &Self) -> bool {
        match (self.signed, inner.signed) {
            (true, false) => self.bits > inner.bits,
            (false, true) => false,
            _ => self.bits >= inner.bits,
        }
    }
}

/// What is nothing else is a string: a constant, or a format.
fn is_string(ty: &str) -> bool {
    let others = ["any", "boolean", "integer", "list", "null", "number", "object"];
    ty.starts_with('"')
        || !(others.contains(&ty)
            || ty.starts_with('(')
            || ty.starts_with("recursive ")
            || ty.starts_with(|c: char| c.is_ascii_digit() || "-[{#".contains(c))
            || ["true", "false"].contains(&ty)
            || Integer::named(ty).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_includes_another_when_it_reads_all_of_its_values() {
        for (outer, inner) in [
            ("any", "(card)"),
            ("string", "uuid"),
            ("string", "\"low\""),
            ("number", "uint8"),
            ("number", "integer"),
            ("int64", "uint32"),
            ("uint", "uint32"),
        ] {
            assert!(includes(outer, inner), "{outer} reads {inner}");
            assert!(!includes(inner, outer), "{inner} does not read {outer}");
        }
        for other in ["null", "boolean", "list", "object", "int8", "(card)", "recursive Tree"] {
            assert!(!includes("string", other), "a string does not read {other}");
        }
    }
}
