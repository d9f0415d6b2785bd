use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ExprMethodCall, Item, Macro};

use crate::model::{Step, WorkflowModel};
use crate::parse::{MacroArguments, concurrency};
use crate::problem::{Problem, Problems};

/// Nothing is awaited where it cannot be seen: in a macro whose tokens are no expressions.
pub(crate) fn hide_no_await(model: &WorkflowModel, problems: &Problems) {
    let mut opaque = Opaque { handle: model.handle.as_ref(), found: Vec::new() };
    opaque.visit_block(&model.function.block);
    for (name, awaited) in opaque.found {
        let problem = match awaited {
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
                .help("await steps side by side with `join!`"),
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
        } else if let Some(arguments) = MacroArguments::parse(call) {
            arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
        } else if let Some(awaited) = awaited(call.tokens.clone()) {
            self.found.push((name, Some(awaited)));
        }
    }

    /// What a step does is awaited as written.
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let step = self.handle.and_then(|handle| Step::of(call, handle));
        if step.is_none_or(|step| step.attempt.is_none()) {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// What stands side by side are one to twelve branches.
pub(crate) fn join_some(model: &WorkflowModel, problems: &Problems) {
    let mut joins = Joins(Vec::new());
    joins.visit_block(&model.function.block);
    for (name, branches) in joins.0 {
        problems.report(match branches {
            0 => Problem::at(&name, format!("`{name}!` has nothing to wait for"))
                .help(format!("name the steps that are to run side by side: {name}!(a, b)")),
            more => {
                let what = format!("`{name}!` has {more} branches, and takes {MOST_BRANCHES}");
                Problem::at(&name, what).help(format!(
                    "put branches that belong together into a `{name}!` of their own"
                ))
            }
        });
    }
}

/// As many as the runtime has tuples for.
pub(crate) const MOST_BRANCHES: usize = 12;

/// The joins of too many branches or none.
struct Joins(Vec<(Ident, usize)>);

impl<'ast> Visit<'ast> for Joins {
    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        let arguments = arguments.expressions();
        if concurrency(call).is_some()
            && !(1..=MOST_BRANCHES).contains(&arguments.len())
            && let Some(name) = call.path.segments.last()
        {
            self.0.push((name.ident.clone(), arguments.len()));
        }
        arguments.into_iter().for_each(|argument| self.visit_expr(argument));
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
