//! The imports in a crate's source, from file to file. A name that a module has from another one is taken
//! to be imported from there. With `pub use` alone a module imports nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A file that names something of another one; both by their paths in the crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    pub(super) from: String,
    pub(super) to: String,
}

type ModulePath = Vec<String>;

/// A module's file.
#[derive(Default)]
struct Module {
    /// The paths that it names, from the crate's root.
    named: BTreeSet<ModulePath>,
    /// The names that it has from elsewhere, which those below it may use, and where it has them from.
    passed_on: BTreeMap<String, ModulePath>,
}

/// All imports of the crate whose source is here.
pub(super) fn of(source: &Path) -> Result<Vec<Import>, String> {
    let mut modules = BTreeMap::new();
    read(&source.join("lib.rs"), &ModulePath::new(), &mut modules)?;
    let mut imports = BTreeSet::new();
    for (from, module) in &modules {
        for named in &module.named {
            let to = home(named, &modules);
            if to != *from {
                imports.insert(Import { from: from.join("::"), to: to.join("::") });
            }
        }
    }
    Ok(imports.into_iter().collect())
}

/// The module that has what a path names.
fn home(named: &[String], modules: &BTreeMap<ModulePath, Module>) -> ModulePath {
    let mut named = named.to_vec();
    // A name is passed on a few times at most.
    for _ in 0..8 {
        let there = (0..=named.len()).rev().find(|length| modules.contains_key(&named[..*length]));
        let (module, rest) = named.split_at(there.unwrap_or_default());
        let passed_on = rest.first().and_then(|name| modules[module].passed_on.get(name));
        let Some(origin) = passed_on else { return module.to_vec() };
        named = [origin, &rest[1..]].concat();
    }
    ModulePath::new()
}

fn read(
    file: &Path,
    module: &[String],
    modules: &mut BTreeMap<ModulePath, Module>,
) -> Result<(), String> {
    let unable = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| unable(&error))?;
    let parsed = syn::parse_file(&text).map_err(|error| unable(&error))?;
    let children: Vec<String> = parsed
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(child) if child.content.is_none() && !is_for_tests(&child.attrs) => {
                Some(child.ident.to_string())
            }
            _ => None,
        })
        .collect();
    let mut reader = Reader { module, children: &children, found: Module::default() };
    reader.visit_file(&parsed);
    modules.insert(module.to_vec(), reader.found);
    let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "mod") | None => file.with_file_name(""),
        Some(stem) => file.with_file_name(stem),
    };
    for child in children {
        let below = [module, std::slice::from_ref(&child)].concat();
        let flat = folder.join(format!("{child}.rs"));
        let file = if flat.is_file() { flat } else { folder.join(&child).join("mod.rs") };
        read(&file, &below, modules)?;
    }
    Ok(())
}

struct Reader<'m> {
    module: &'m [String],
    children: &'m [String],
    found: Module,
}

impl Reader<'_> {
    /// A path from the crate's root, if it leads to a module of the crate.
    fn resolve(&self, path: &[String]) -> Option<ModulePath> {
        let mut base = match path.first()?.as_str() {
            "crate" => ModulePath::new(),
            "self" | "super" => self.module.to_vec(),
            child if self.children.iter().any(|name| name == child) => {
                return Some([self.module, path].concat());
            }
            _ => return None,
        };
        let mut rest = &path[1..];
        if path[0] == "super" {
            base.pop()?;
        }
        while let [first, beyond @ ..] = rest
            && first == "super"
        {
            base.pop()?;
            rest = beyond;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn tree(&mut self, tree: &UseTree, before: &mut ModulePath, passes_on: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before, passes_on);
                before.pop();
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(tree, before, passes_on));
            }
            UseTree::Name(name) => self.leaf(&name.ident, &name.ident, before, passes_on),
            UseTree::Rename(name) => self.leaf(&name.ident, &name.rename, before, passes_on),
            UseTree::Glob(_) => self.named(before),
        }
    }

    fn leaf(&mut self, name: &syn::Ident, new: &syn::Ident, before: &ModulePath, passes_on: bool) {
        let mut path = before.clone();
        if name != "self" {
            path.push(name.to_string());
        }
        let Some(resolved) = self.resolve(&path) else { return };
        if !passes_on {
            self.found.named.insert(resolved.clone());
        }
        self.found.passed_on.insert(new.to_string(), resolved);
    }

    fn named(&mut self, path: &[String]) {
        self.found.named.extend(self.resolve(path));
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    /// A module within the file has names of its own; those of the file's are reached by `super`.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let passes_on = !matches!(import.vis, Visibility::Inherited);
        self.tree(&import.tree, &mut ModulePath::new(), passes_on);
    }

    /// `pub(in crate::store)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: ModulePath =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.named(&names);
        }
        visit::visit_path(self, path);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is there for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}
