//! The rule that a body does the same on every resume.

mod sources;
mod unordered;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprCall, ExprForLoop, ExprMethodCall, ExprPath, Ident, Item, Local, Macro, Pat,
    PatIdent, Stmt, Token, Type, UseTree,
};

use self::sources::{Source, UNORDERED};
use self::unordered::{is_ordered_type, is_sorted_next, makes_unordered, orders};
use crate::model::{Handle, Method, WorkflowModel, occurrences};
use crate::parse::MacroArguments;
use crate::problem::{Problem, Problems};

/// The body does the same on every resume: clock, randomness, environment, files, network and
/// threads belong into steps.
pub(crate) fn is_kept(model: &WorkflowModel, problems: &Problems) {
    let mut body = Body::new(model.handle.as_ref());
    body.visit_block(&model.function.block);
    let found = body.found.into_iter();
    for Found { place, what, source, is_guessed } in
        found.filter(|it| !model.allows("determinism", &it.place))
    {
        let Source { why, instead, .. } = source;
        let what = if is_guessed { format!("`{what}`, by its name,") } else { format!("`{what}`") };
        let problem = Problem::at(&place, format!("{what} {why}")).note(
            "a resumed run goes through its body again from the start, and has to come to the same \
             steps with the same values",
        );
        problems.report(if is_guessed {
            problem.help(format!(
                "{instead}; if it does something else, say so above the statement: \
                 `#[workflow(allow(determinism, reason = \"..\"))]`"
            ))
        } else {
            problem.help(instead)
        });
    }
}

struct Found {
    place: TokenStream,
    what: String,
    source: &'static Source,
    /// From its name alone.
    is_guessed: bool,
}

/// The body's own code, without what its steps do.
struct Body<'m> {
    handle: Option<&'m Handle>,
    /// What `use` in the body brings into scope.
    aliases: HashMap<String, String>,
    /// Variables that are plainly a `HashMap` or a `HashSet`.
    unordered: HashSet<Ident>,
    /// What the body binds, as far as it was read.
    own: HashSet<Ident>,
    found: Vec<Found>,
}

impl<'m> Body<'m> {
    fn new(handle: Option<&'m Handle>) -> Self {
        Self {
            handle,
            aliases: HashMap::new(),
            unordered: HashSet::new(),
            own: HashSet::new(),
            found: Vec::new(),
        }
    }
}

impl Body<'_> {
    /// A path, and what it is called with.
    fn path(&mut self, path: &syn::Path, arguments: Option<&Punctuated<Expr, Token![,]>>) {
        let names: Vec<_> = path.segments.iter().map(|name| name.ident.to_string()).collect();
        let written = names.join("::");
        let full = match self.aliases.get(&names[0]) {
            Some(target) => std::iter::once(target.as_str())
                .chain(names[1..].iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join("::"),
            None => written.clone(),
        };
        let known = Source::of(&full);
        if let Some(source) = known.or_else(|| self.guess(path, arguments)) {
            let place = path.to_token_stream();
            self.found.push(Found { place, what: written, source, is_guessed: known.is_none() });
        }
    }

    /// What a function is by its name: one of a type's that takes nothing, or one that is called
    /// without the step handle.
    fn guess(
        &self,
        path: &syn::Path,
        arguments: Option<&Punctuated<Expr, Token![,]>>,
    ) -> Option<&'static Source> {
        let mut names = path.segments.iter().rev().map(|segment| &segment.ident);
        let (function, ty) = (names.next()?, names.next());
        let takes_the_handle = |argument: &Expr| {
            self.handle
                .is_some_and(|handle| occurrences(&argument.to_token_stream(), &handle.name) > 0)
        };
        let fits = match (ty, arguments) {
            (Some(_), arguments) => arguments.is_none_or(Punctuated::is_empty),
            (None, Some(arguments)) => {
                !self.own.contains(function) && !arguments.iter().any(takes_the_handle)
            }
            (None, None) => false,
        };
        if fits { Source::by_name(ty, function) } else { None }
    }

    fn import(&mut self, tree: &UseTree, prefix: &str) {
        let join = |name: &Ident| match prefix {
            "" => name.to_string(),
            prefix => format!("{prefix}::{name}"),
        };
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &join(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                let last = prefix.rsplit("::").next().unwrap_or(prefix);
                self.aliases.insert(last.to_owned(), prefix.to_owned());
            }
            UseTree::Name(name) => {
                self.aliases.insert(name.ident.to_string(), join(&name.ident));
            }
            UseTree::Rename(rename) => {
                self.aliases.insert(rename.rename.to_string(), join(&rename.ident));
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, prefix));
            }
            UseTree::Glob(_) => {}
        }
    }

    /// The order in which something was iterated over since then does not show.
    fn forgive_order(&mut self, since: usize) {
        let mut index = 0;
        self.found.retain(|found| {
            index += 1;
            index <= since || !std::ptr::eq(found.source, &UNORDERED)
        });
    }

    /// Something is iterated over.
    fn iterated(&mut self, expression: &Expr) {
        let mut place = expression;
        while let Expr::Reference(reference) = place {
            place = &reference.expr;
        }
        if let Expr::Path(path) = place
            && let Some(name) = path.path.get_ident()
            && self.unordered.contains(name)
        {
            self.found.push(Found {
                place: name.to_token_stream(),
                what: name.to_string(),
                source: &UNORDERED,
                is_guessed: false,
            });
        }
    }
}

/// The methods of a hash table that go through it.
const ITERATES: &[&str] = &[
    "iter",
    "iter_mut",
    "into_iter",
    "keys",
    "into_keys",
    "values",
    "values_mut",
    "into_values",
    "drain",
    "union",
    "intersection",
    "difference",
    "symmetric_difference",
];

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.path(&unqualified(path), None);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        match &*call.func {
            Expr::Path(function) => self.path(&unqualified(function), Some(&call.args)),
            other => self.visit_expr(other),
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let Some(method) = self.handle.and_then(|handle| Method::of(call, handle)) {
            // What it does is its own; an id, a duration or an event is the body's.
            if !method.runs_code() {
                call.args.iter().for_each(|argument| self.visit_expr(argument));
            }
            return;
        }
        if ITERATES.iter().any(|method| call.method == method) {
            self.iterated(&call.receiver);
        }
        let before = self.found.len();
        visit::visit_expr_method_call(self, call);
        if orders(call) {
            self.forgive_order(before);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        // What is imported is known in the whole block.
        for statement in &block.stmts {
            if let Stmt::Item(Item::Use(item)) = statement {
                self.import(&item.tree, "");
            }
        }
        for (index, statement) in block.stmts.iter().enumerate() {
            let before = self.found.len();
            self.visit_stmt(statement);
            if is_sorted_next(statement, &block.stmts[index + 1..]) {
                self.forgive_order(before);
            }
        }
    }

    fn visit_expr_for_loop(&mut self, each: &'ast ExprForLoop) {
        self.iterated(&each.expr);
        visit::visit_expr_for_loop(self, each);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let pattern = match &local.pat {
            Pat::Type(typed) => &typed.pat,
            pattern => pattern,
        };
        if let Pat::Ident(name) = pattern {
            if makes_unordered(local) {
                self.unordered.insert(name.ident.clone());
            } else {
                self.unordered.remove(&name.ident);
            }
        }
        let before = self.found.len();
        visit::visit_local(self, local);
        if matches!(&local.pat, Pat::Type(typed) if is_ordered_type(&typed.ty)) {
            self.forgive_order(before);
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.own.insert(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Fn(function) => {
                self.own.insert(function.sig.ident.clone());
            }
            Item::Static(item) => self.visit_expr(&item.expr),
            _ => {}
        }
    }
}

/// `<Type>::function` as `Type::function`.
fn unqualified(path: &ExprPath) -> Cow<'_, syn::Path> {
    match path.qself.as_ref().map(|of| (&*of.ty, of.position)) {
        Some((Type::Path(of), 0)) => {
            let mut full = of.path.clone();
            full.segments.extend(path.path.segments.iter().cloned());
            Cow::Owned(full)
        }
        _ => Cow::Borrowed(&path.path),
    }
}

#[cfg(test)]
mod tests {
    use syn::{Block, parse_quote};

    use super::*;

    fn found(block: Block) -> Vec<String> {
        let handle = Handle::new(quote::format_ident!("step"));
        let mut body = Body::new(Some(&handle));
        body.visit_block(&block);
        body.found.into_iter().map(|found| found.what).collect()
    }

    #[test]
    fn every_kind_of_source_is_known() {
        let found = found(parse_quote!({
            let now = std::time::SystemTime::now();
            let id = Uuid::new_v4();
            let x: f64 = rand::random();
            let ids: Vec<_> = (0..3).map(|_| fastrand::u8(..)).collect();
            let home = std::env::var("HOME");
            tokio::spawn(async {});
            tokio::time::sleep(d);
            let text = std::fs::read_to_string(path);
            std::thread::sleep(d);
            let client = reqwest::Client::new();
            let id = maybe.unwrap_or_else(Uuid::now_v7);
        }));
        assert_eq!(found.len(), 11, "{found:?}");
    }

    #[test]
    fn modules_of_ones_own_may_have_the_names_of_others() {
        let found = found(parse_quote!({
            let order = process::order(id);
            let command = Command::new(order);
            let setting = env::Setting::default();
            let now = clock::now(&step);
            let pause = tokio::time::Duration::from_secs(1);
            let here = std::net::Ipv4Addr::LOCALHOST;
        }));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn another_name_does_not_hide_a_source() {
        let found = found(parse_quote!({
            let variable = e::var("HOME");
            use rand::{self, random as toss};
            use std::env as e;
            let now = <std::time::Instant>::now();
            static BEGAN: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);
            use std::time::SystemTime as Clock;
            let now = Clock::now();
            let heads = toss::<bool>();
            tracing::debug!("{}", format!("{:?}", Clock::now()));
        }));
        let first = ["e::var", "std::time::Instant::now", "SystemTime::now"];
        assert_eq!(found[..3], first);
        assert_eq!(found[3..], ["Clock::now", "toss", "Clock::now"]);
    }

    #[test]
    fn what_a_module_imports_is_known_by_the_name_of_its_function() {
        let found = found(parse_quote!({
            let began = Clock::now();
            let id = ids.unwrap_or_else(Id::new_v4);
            let heads = random::<bool>();
            spawn(async {});
            let order = Order::new();
            let calendar = Calendar::now(&holidays);
            let random = |step: &Step| step.random("toss");
            let tails = random(&step);
            let pause = sleep(&step, 3);
        }));
        assert_eq!(found, ["Clock::now", "Id::new_v4", "random", "spawn"]);
    }

    #[test]
    fn what_a_step_does_is_its_own() {
        let found = found(parse_quote!({
            step.run("read", tokio::fs::read(path)).await?;
            step.run("toss", async { Ok(rand::random::<bool>()) }).timeout("1s").await?;
            step.sleep_until("rest", Utc::now()).await;
        }));
        assert_eq!(found, ["Utc::now"]);
    }

    #[test]
    fn a_hash_table_may_be_asked_but_not_iterated() {
        let found = found(parse_quote!({
            let mut seen = HashSet::new();
            let names: HashMap<u32, String> = names();
            let order = ids.iter().collect::<HashSet<_>>();
            let sorted = BTreeMap::new();
            if seen.insert(1) && names.contains_key(&2) {}
            for id in &seen {}
            for name in names.values() {}
            for id in order {}
            for id in &sorted {}
        }));
        assert_eq!(found, ["seen", "names", "order"]);
    }

    #[test]
    fn an_order_that_does_not_show_is_no_matter() {
        let found = found(parse_quote!({
            let seen: HashSet<u32> = seen();
            let mut sorted = seen.iter().copied().collect::<Vec<_>>();
            sorted.sort_unstable();
            let tree: BTreeSet<_> = seen.iter().collect();
            let tree = seen.iter().collect::<BTreeSet<_>>();
            let most = seen.iter().max();
            let listed: Vec<_> = seen.iter().collect();
            send(&listed);
            listed.sort();
        }));
        assert_eq!(found, ["seen"]);
    }
}
