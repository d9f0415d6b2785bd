use syn::visit::Visit;
use syn::{Block, Ident, Item, UseTree};

/// The names that items of a body bring into scope, which nothing outside of it knows.
pub(super) fn items(body: &Block) -> Vec<Ident> {
    let mut declared = Declared(Vec::new());
    declared.visit_block(body);
    declared.0
}

struct Declared(Vec<Ident>);

impl Declared {
    fn import(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.import(&path.tree),
            UseTree::Name(name) => self.0.push(name.ident.clone()),
            UseTree::Rename(rename) => self.0.push(rename.rename.clone()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree)),
            UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Struct(item) => self.0.push(item.ident.clone()),
            Item::Enum(item) => self.0.push(item.ident.clone()),
            Item::Type(item) => self.0.push(item.ident.clone()),
            Item::Fn(item) => self.0.push(item.sig.ident.clone()),
            Item::Mod(item) => self.0.push(item.ident.clone()),
            Item::Use(item) => self.import(&item.tree),
            _ => {}
        }
    }
}
