use std::collections::{HashMap, HashSet};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit::{self, Visit};
use syn::{
    Expr, ExprForLoop, ExprMethodCall, ExprPath, Ident, Item, ItemUse, Local, Macro, Pat, Type,
    UseTree,
};

use crate::model::{Step, WorkflowModel};
use crate::parse::MacroArguments;
use crate::problem::{Problem, Problems};

/// The body does the same on every resume: clock, randomness, environment, files, network and
/// threads belong into steps.
pub(crate) fn is_kept(model: &WorkflowModel, problems: &Problems) {
    let mut body = Body {
        handle: model.handle.as_ref(),
        aliases: HashMap::new(),
        unordered: HashSet::new(),
        found: Vec::new(),
    };
    body.visit_block(&model.function.block);
    let found = body.found.into_iter();
    for Found { place, what, source } in found.filter(|it| !model.allows("determinism", &it.place))
    {
        let Source { why, instead, .. } = source;
        problems.report(
            Problem::at(&place, format!("`{what}` {why}"))
                .note(
                    "a resumed run goes through its body again from the start, and has to come to \
                     the same steps with the same values",
                )
                .help(instead),
        );
    }
}

/// A way for a body to do something else the next time.
struct Source {
    /// Ends of paths (`Utc::now`), or beginnings (`rand::`), or names (`thread_rng`).
    paths: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

const SOURCES: &[Source] = &[
    Source {
        paths: &[
            "SystemTime::now",
            "Instant::now",
            "Utc::now",
            "Local::now",
            "OffsetDateTime::now_utc",
            "OffsetDateTime::now_local",
            "UtcDateTime::now",
            "Timestamp::now",
            "Zoned::now",
        ],
        why: "reads the clock, which shows another time when the run resumes",
        instead: "`step.now()` is the time of the last checkpoint, the same on every resume",
    },
    Source {
        paths: &[
            "Uuid::new_v1",
            "Uuid::new_v4",
            "Uuid::new_v6",
            "Uuid::new_v7",
            "Uuid::now_v1",
            "Uuid::now_v6",
            "Uuid::now_v7",
            "Ulid::new",
            "nanoid::",
        ],
        why: "makes a new id each time the run resumes",
        instead: "`step.uuid(\"name-of-the-id\")` is the same on every resume",
    },
    Source {
        paths: &[
            "rand::",
            "thread_rng",
            "fastrand::",
            "getrandom::",
            "oorandom::",
            "RandomState::new",
        ],
        why: "is random, so it gives something else when the run resumes",
        instead: "`step.random(\"name-of-the-draw\")` is a number in 0..1, the same on every resume",
    },
    Source {
        paths: &[
            "std::env::",
            "env::var",
            "env::var_os",
            "env::vars",
            "env::args",
            "env::current_dir",
        ],
        why: "reads the environment, which may differ in the process that resumes the run",
        instead: "lend the setting as a resource, `Resource(settings): Resource<Settings>`, or read it in a step",
    },
    Source {
        paths: &[
            "std::fs::",
            "fs::read",
            "fs::read_to_string",
            "fs::write",
            "fs::remove_file",
            "tokio::fs::",
            "File::open",
            "File::create",
            "std::net::",
            "TcpStream::connect",
            "UdpSocket::bind",
            "reqwest::",
            "ureq::",
        ],
        why: "reaches out of the body, again on every resume",
        instead: "put it in a step: `step.run(\"name-of-the-step\", ..).await`",
    },
    Source {
        paths: &[
            "std::process::",
            "tokio::process::",
            "process::Command::new",
            "process::exit",
            "process::abort",
            "process::id",
        ],
        why: "starts or ends a process, again on every resume",
        instead: "put it in a step: `step.run(\"name-of-the-step\", ..).await`",
    },
    Source {
        paths: &[
            "thread::sleep",
            "tokio::time::",
            "time::sleep",
            "time::timeout",
            "time::interval",
        ],
        why: "waits in this process only, and again on every resume",
        instead: "`step.sleep(\"name-of-the-wait\", \"30s\").await` goes on while no process runs; a step takes `.timeout(\"30s\")`",
    },
    Source {
        paths: &[
            "std::thread::",
            "thread::spawn",
            "tokio::spawn",
            "tokio::task::",
            "task::spawn",
            "task::spawn_blocking",
            "rayon::",
        ],
        why: "starts work that no checkpoint knows of, again on every resume",
        instead: "run steps side by side with `join!`, or spawn inside of a step",
    },
];

const UNORDERED: Source = Source {
    paths: &[],
    why: "is iterated over in an order that differs from process to process",
    instead: "use a `BTreeMap` or `BTreeSet`, or sort what comes out of it first",
};

impl Source {
    fn of(path: &str) -> Option<&'static Self> {
        SOURCES.iter().find(|source| source.paths.iter().any(|known| matches(path, known)))
    }
}

fn matches(path: &str, known: &str) -> bool {
    if known.ends_with("::") {
        path.starts_with(known)
    } else {
        path.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
    }
}

struct Found {
    place: TokenStream,
    what: String,
    source: &'static Source,
}

/// The body's own code, without what its steps do.
struct Body<'m> {
    handle: Option<&'m Ident>,
    /// What `use` in the body brings into scope.
    aliases: HashMap<String, String>,
    /// Variables that are plainly a `HashMap` or a `HashSet`.
    unordered: HashSet<Ident>,
    found: Vec<Found>,
}

impl Body<'_> {
    fn path(&mut self, path: &syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|name| name.ident.to_string()).collect();
        let written = names.join("::");
        let full = match self.aliases.get(&names[0]) {
            Some(target) => std::iter::once(target.as_str())
                .chain(names[1..].iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join("::"),
            None => written.clone(),
        };
        if let Some(source) = Source::of(&full) {
            self.found.push(Found { place: path.to_token_stream(), what: written, source });
        }
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
            });
        }
    }
}

/// Whether a type or a path is plainly a hash table.
fn is_unordered(path: &syn::Path) -> bool {
    path.segments.iter().any(|name| name.ident == "HashMap" || name.ident == "HashSet")
}

fn makes_unordered(local: &Local) -> bool {
    if let Pat::Type(typed) = &local.pat
        && let Type::Path(ty) = &*typed.ty
    {
        return is_unordered(&ty.path);
    }
    match local.init.as_ref().map(|init| &*init.expr) {
        Some(Expr::Call(call)) => {
            matches!(&*call.func, Expr::Path(function) if is_unordered(&function.path))
        }
        Some(Expr::MethodCall(call)) if call.method == "collect" => {
            let turbofish = call.turbofish.to_token_stream().to_string();
            turbofish.contains("HashMap") || turbofish.contains("HashSet")
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Body<'_> {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.path(&path.path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let step = self.handle.and_then(|handle| Step::of(call, handle));
        if let Some(step) = step {
            // What it does is its own; an id, a duration or an event is the body's.
            if step.attempt.is_none() {
                call.args.iter().for_each(|argument| self.visit_expr(argument));
            }
            return;
        }
        let iterates = ["iter", "iter_mut", "into_iter", "keys", "values", "values_mut", "drain"];
        if iterates.iter().any(|method| call.method == method) {
            self.iterated(&call.receiver);
        }
        visit::visit_expr_method_call(self, call);
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
        visit::visit_local(self, local);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, "");
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Use(item) = item {
            self.visit_item_use(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::{Block, parse_quote};

    use super::*;

    fn found(block: Block) -> Vec<String> {
        let handle = quote::format_ident!("step");
        let mut body = Body {
            handle: Some(&handle),
            aliases: HashMap::new(),
            unordered: HashSet::new(),
            found: Vec::new(),
        };
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
        }));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn another_name_does_not_hide_a_source() {
        let found = found(parse_quote!({
            use rand::{self, random as toss};
            use std::time::SystemTime as Clock;
            let now = Clock::now();
            let heads = toss::<bool>();
            tracing::debug!("{}", format!("{:?}", Clock::now()));
        }));
        assert_eq!(found, ["Clock::now", "toss", "Clock::now"]);
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
}
