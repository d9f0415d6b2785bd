use std::ops::RangeInclusive;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ExprMethodCall, Item, Macro};

use crate::model::{Method, WorkflowModel};
use crate::parse::{Concurrency, MacroArguments, concurrency, parse_race};
use crate::problem::{Problem, Problems};

/// Nothing is awaited where it cannot be seen: in a macro whose tokens are no expressions.
pub(crate) fn hide_no_await(model: &WorkflowModel, problems: &Problems) {
    let mut opaque = Opaque { handle: model.handle.as_ref(), found: Vec::new() };
    opaque.visit_block(&model.function.block);
    for (name, awaited) in opaque.found {
        let problem = match awaited {
            Some(awaited) if runs_sometimes(&name) => Problem::at(
                &awaited,
                format!("what is awaited inside of `{name}!` runs only where it is enabled"),
            )
            .note(
                "levels and builds differ from process to process: one that resumes the run might \
                 not come to the step, and its place in the journal would contradict the body",
            )
            .help(
                "await it before: `let value = step.run(..).await?;`, and give the macro `value`",
            ),
            Some(awaited) => Problem::at(
                &awaited,
                format!("what is awaited inside of `{name}!` cannot be seen"),
            )
            .note(
                "the arguments of this macro are no list of expressions, so it cannot be told \
                 whether this would run again on every resume",
            )
            .help(
                "await it before: `let value = step.run(..).await?;`, and give the macro `value`",
            ),
            None => Problem::at(&name, format!("`{name}!` goes on with whichever is ready first"))
                .note("on a resume another may be first, and the body would go another way")
                .help("write `race!` for steps of which the first wins, `join!` for all of them"),
        };
        problems.report(problem);
    }
}

struct Opaque<'m> {
    handle: Option<&'m Ident>,
    /// The macro, and the `await` in it if that is what is wrong.
    found: Vec<(Ident, Option<Ident>)>,
}

impl<'ast> Visit<'ast> for Opaque<'_> {
    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(name) = call.path.segments.last().map(|name| name.ident.clone()) else { return };
        if name == "select" || name == "select_biased" {
            self.found.push((name, None));
        } else if let Some(arguments) =
            MacroArguments::parse(call).filter(|_| !runs_sometimes(&name))
        {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        } else if let Some(awaited) = awaited(call.tokens.clone()) {
            self.found.push((name, Some(awaited)));
        }
    }

    /// What a step does is awaited as written.
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = self.handle.and_then(|handle| Method::of(call, handle));
        if !method.is_some_and(Method::runs_code) {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether a macro evaluates its arguments at some levels or in some builds alone: those of `tracing`
/// and `log`, and `debug_assert!`.
fn runs_sometimes(name: &Ident) -> bool {
    const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];
    let name = name.to_string();
    let level = name.strip_suffix("_span").unwrap_or(&name);
    LEVELS.contains(&level)
        || ["log", "event", "span"].contains(&name.as_str())
        || name.starts_with("debug_assert")
}

/// What stands side by side are one to twelve branches; what races, two to eight.
pub(crate) fn join_some(model: &WorkflowModel, problems: &Problems) {
    let mut joins = Joins(Vec::new());
    joins.visit_block(&model.function.block);
    for Join { name, kind, branches } in joins.0 {
        let most = most_and_least(kind).end().to_owned();
        problems.report(match (branches, kind) {
            (more, _) if more > most => {
                let what = format!("`{name}!` has {more} branches, and takes {most}");
                Problem::at(&name, what).help(format!(
                    "put branches that belong together into a `{name}!` of their own"
                ))
            }
            (_, Concurrency::Race) => {
                Problem::at(&name, format!("`{name}!` has nothing to race against"))
                    .help(RACE_EXAMPLE)
            }
            _ => Problem::at(&name, format!("`{name}!` has nothing to wait for"))
                .help(format!("name the steps that are to run side by side: {name}!(a, b)")),
        });
    }
}

/// A race that can be read.
pub(crate) fn races_have_branches(model: &WorkflowModel, problems: &Problems) {
    let mut malformed = Malformed(Vec::new());
    malformed.visit_block(&model.function.block);
    for error in malformed.0 {
        let what = format!("a branch of `race!` cannot be read: {error}");
        problems.report(Problem::at_span(error.span(), what).help(RACE_EXAMPLE));
    }
}

const RACE_EXAMPLE: &str =
    "race! { paid = wait => Some(paid), () = step.sleep(\"give-up\", \"2 days\") => None }";

/// As many branches as the runtime has types for.
pub(crate) fn most_and_least(kind: Concurrency) -> RangeInclusive<usize> {
    match kind {
        Concurrency::Join | Concurrency::TryJoin => 1..=12,
        Concurrency::Race => 2..=8,
    }
}

struct Join {
    name: Ident,
    kind: Concurrency,
    branches: usize,
}

/// The joins of too many branches or too few.
struct Joins(Vec<Join>);

impl<'ast> Visit<'ast> for Joins {
    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        let branches = match &arguments {
            MacroArguments::Race(branches) => branches.len(),
            arguments => arguments.expressions().len(),
        };
        if let Some(kind) = concurrency(call)
            && !most_and_least(kind).contains(&branches)
            && let Some(name) = call.path.segments.last()
        {
            self.0.push(Join { name: name.ident.clone(), kind, branches });
        }
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// The races that cannot be read, and why.
struct Malformed(Vec<syn::Error>);

impl<'ast> Visit<'ast> for Malformed {
    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(arguments) = MacroArguments::parse(call) {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        } else if concurrency(call) == Some(Concurrency::Race) {
            self.0.extend(parse_race(call).err());
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// The first `.await` among tokens.
fn awaited(tokens: TokenStream) -> Option<Ident> {
    let mut after_dot = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if after_dot && ident == "await" => return Some(ident),
            TokenTree::Group(group) => {
                if let Some(found) = awaited(group.stream()) {
                    return Some(found);
                }
                after_dot = false;
            }
            TokenTree::Punct(punct) => after_dot = punct.as_char() == '.',
            _ => after_dot = false,
        }
    }
    None
}
