use syn::{Ident, UseTree};

use super::known::Known;

/// What the names mean that are in scope.
#[derive(Default)]
pub(super) struct Names {
    /// Variables and functions, and what is known of them, the innermost last. As text: an identifier
    /// of rustc's is asked for its text with each comparison.
    bound: Vec<(String, Option<Known>)>,
    /// What `use` brings into scope, and the full path.
    imports: Vec<(String, String)>,
}

/// How much was in scope somewhere.
pub(super) struct Outer {
    bound: usize,
    imports: usize,
}

impl Names {
    pub(super) fn enter(&self) -> Outer {
        Outer { bound: self.bound.len(), imports: self.imports.len() }
    }

    pub(super) fn leave(&mut self, outer: Outer) {
        self.bound.truncate(outer.bound);
        self.imports.truncate(outer.imports);
    }

    pub(super) fn bind(&mut self, name: &Ident, known: Option<Known>) {
        self.bound.push((name.to_string(), known));
    }

    pub(super) fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|(bound, _)| bound == name)
    }

    pub(super) fn known(&self, variable: &Ident) -> Option<&Known> {
        let variable = variable.to_string();
        let (_, known) = self.bound.iter().rev().find(|(name, _)| *name == variable)?;
        known.as_ref()
    }

    /// A variable turns out to be something: it is given that.
    pub(super) fn learn(&mut self, variable: &Ident, learnt: Known) {
        let variable = variable.to_string();
        let bound = self.bound.iter_mut().rev().find(|(name, _)| *name == variable);
        if let Some((_, known @ None)) = bound {
            *known = Some(learnt);
        }
    }

    /// The hash tables in scope, by their variables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        let is_inner = |index: usize, name: &String| {
            self.bound[index + 1..].iter().all(|(inner, _)| inner != name)
        };
        self.bound.iter().enumerate().filter_map(move |(index, (name, known))| {
            let is_table = matches!(known, Some(Known::Hashed(_)));
            (is_table && is_inner(index, name)).then_some(name.as_str())
        })
    }

    pub(super) fn import(&mut self, tree: &UseTree) {
        self.import_from(tree, "");
    }

    fn import_from(&mut self, tree: &UseTree, prefix: &str) {
        let join = |name: &Ident| match prefix {
            "" => name.to_string(),
            prefix => format!("{prefix}::{name}"),
        };
        match tree {
            UseTree::Path(path) => self.import_from(&path.tree, &join(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                let last = prefix.rsplit("::").next().unwrap_or(prefix);
                self.imports.push((last.to_owned(), prefix.to_owned()));
            }
            UseTree::Name(name) => {
                self.imports.push((name.ident.to_string(), join(&name.ident)));
            }
            UseTree::Rename(rename) => {
                self.imports.push((rename.rename.to_string(), join(&rename.ident)));
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import_from(tree, prefix));
            }
            UseTree::Glob(_) => {}
        }
    }

    /// The full path of what is imported under a name.
    pub(super) fn imported(&self, name: &str) -> Option<&str> {
        let import = self.imports.iter().rev().find(|(imported, _)| imported == name);
        import.map(|(_, path)| path.as_str())
    }

    /// A type's name where it is declared, as far as that can be seen.
    pub(super) fn original(&self, ty: &Ident) -> String {
        let name = ty.to_string();
        match self.imported(&name) {
            Some(path) => path.rsplit("::").next().unwrap_or(path).to_owned(),
            None => name,
        }
    }
}
