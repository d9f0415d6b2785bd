use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprAsync, ExprBinary, ExprClosure, ExprReference, Ident, Item, Label, Lifetime,
    Local, Macro, Pat, PatIdent,
};

use crate::model::{Nested, Step, WorkflowModel};
use crate::parse::MacroArguments;
use crate::problem::{Problem, Problems};

/// No step is used inside another step's future.
pub(crate) fn do_not_nest(model: &WorkflowModel, problems: &Problems) {
    for Nested { place, inner, outer } in &model.nested {
        let (inner, outer) = (&model.steps[*inner], &model.steps[*outer]);
        problems.report(
            Problem::at(
                place,
                format!("the step {} is used inside of the step {}", inner.title(), outer.title()),
            )
            .note(
                "once the outer step has its outcome, a resumed run does not run the inner step \
                 again, so the journal would contradict the body",
            )
            .help("await the inner step before, and use its value in the outer one"),
        );
    }
}

/// No control flow leaves a step: `?`, `return`, `break` and `continue` stand in a block of their
/// own or outside.
pub(crate) fn keep_control_flow(model: &WorkflowModel, problems: &Problems) {
    for (step, attempt) in attempts(model) {
        // With a step that is used in there goes the `?` behind it.
        let has_steps = model.nested.iter().any(|it| std::ptr::eq(&model.steps[it.outer], step));
        for (what, place) in exits(attempt) {
            if has_steps && what == "?" {
                continue;
            }
            problems.report(
                Problem::at(&place, format!("`{what}` cannot leave the step {}", step.title()))
                    .note(
                        "the code of a step runs apart from the body: again in each attempt, and \
                         not at all when a resumed run has its outcome",
                    )
                    .help(
                        "do this before the step, or give the step a block of its own: \
                         `async { .. }`",
                    ),
            );
        }
    }
}

/// What leaves an attempt that is not a block of its own.
pub(crate) fn exits(attempt: &Expr) -> Vec<(&'static str, TokenStream)> {
    let mut exits = Exits::default();
    exits.visit_expr(attempt);
    exits.found
}

/// Control flow that leaves an expression.
#[derive(Default)]
struct Exits {
    found: Vec<(&'static str, TokenStream)>,
    /// The loops and labelled blocks around, as far as they are part of the expression.
    own: Vec<Own>,
}

/// What a `break` or a `continue` may stay in.
struct Own {
    label: Option<Label>,
    is_loop: bool,
}

impl Exits {
    fn leaves(&self, label: Option<&Lifetime>) -> bool {
        !self.own.iter().any(|own| match label {
            Some(label) => own.label.as_ref().is_some_and(|own| own.name.ident == label.ident),
            None => own.is_loop,
        })
    }

    fn within(&mut self, label: &Option<Label>, is_loop: bool, visit: impl FnOnce(&mut Self)) {
        self.own.push(Own { label: label.clone(), is_loop });
        visit(self);
        self.own.pop();
    }
}

impl<'ast> Visit<'ast> for Exits {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        let exit = match expression {
            Expr::Try(tried) => Some(("?", tried.question_token.to_token_stream())),
            Expr::Return(exit) => Some(("return", exit.return_token.to_token_stream())),
            Expr::Break(exit) if self.leaves(exit.label.as_ref()) => {
                Some(("break", exit.break_token.to_token_stream()))
            }
            Expr::Continue(exit) if self.leaves(exit.label.as_ref()) => {
                Some(("continue", exit.continue_token.to_token_stream()))
            }
            _ => None,
        };
        self.found.extend(exit);
        let visit = |exits: &mut Self| visit::visit_expr(exits, expression);
        match expression {
            Expr::Loop(inner) => self.within(&inner.label, true, visit),
            Expr::While(inner) => self.within(&inner.label, true, visit),
            Expr::ForLoop(inner) => self.within(&inner.label, true, visit),
            Expr::Block(inner) => self.within(&inner.label, false, visit),
            _ => visit(self),
        }
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// A step changes nothing of the body's: it would stay unchanged when the step is not run again.
pub(crate) fn do_not_mutate(model: &WorkflowModel, problems: &Problems) {
    let mutable = mutable(model, &model.function.block);
    for (step, attempt) in attempts(model) {
        for (name, place) in mutations(attempt, &mutable) {
            report_change(&step.title(), &name, &place, problems);
        }
    }
}

/// Something of the body's is changed in a step of this title.
pub(super) fn report_change(step: &str, name: &Ident, place: &TokenStream, problems: &Problems) {
    problems.report(
        Problem::at(place, format!("the step {step} changes `{name}` of the body"))
            .note(
                "a resumed run gets the step's outcome without running it, so the change would be \
                 lost; another attempt would make it twice",
            )
            .help(format!(
                "let the step return the value, and change `{name}` outside: `{name} = \
                 step.run(..).await?`"
            )),
    );
}

/// The variables of a function that are declared as ones that change.
pub(crate) fn mutable(model: &WorkflowModel, body: &Block) -> Vec<Ident> {
    let mut mutable = Mutable(Vec::new());
    model.parameters().for_each(|parameter| mutable.visit_pat(&parameter.pat));
    mutable.visit_block(body);
    mutable.0
}

struct Mutable(Vec<Ident>);

impl<'ast> Visit<'ast> for Mutable {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        if pattern.mutability.is_some() && pattern.by_ref.is_none() {
            self.0.push(pattern.ident.clone());
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// What an attempt changes that was not made in it. What a method does is known by its name alone, so it
/// counts where the variable is among the `mutable` ones.
pub(crate) fn mutations(attempt: &Expr, mutable: &[Ident]) -> Vec<(Ident, TokenStream)> {
    let mut mutations = Mutations { mutable, own: HashSet::new(), found: Vec::new() };
    mutations.future(attempt);
    mutations.found
}

struct Mutations<'m> {
    mutable: &'m [Ident],
    /// The names that were bound so far.
    own: HashSet<Ident>,
    found: Vec<(Ident, TokenStream)>,
}

impl Mutations<'_> {
    /// What is awaited: no collection has such methods, so they are another's, which may borrow alone.
    fn future(&mut self, future: &Expr) {
        match future {
            Expr::MethodCall(call) => {
                self.future(&call.receiver);
                call.args.iter().for_each(|argument| self.visit_expr(argument));
            }
            Expr::Closure(closure) => {
                closure.inputs.iter().for_each(|input| self.visit_pat(input));
                self.future(&closure.body);
            }
            other => self.visit_expr(other),
        }
    }

    /// `(a, b) = ..` changes both.
    fn assigned(&mut self, place: &Expr, whole: &Expr) {
        match place {
            Expr::Tuple(places) => places.elems.iter().for_each(|it| self.assigned(it, whole)),
            Expr::Array(places) => places.elems.iter().for_each(|it| self.assigned(it, whole)),
            place => self.place(place, whole.to_token_stream()),
        }
    }

    /// A value of which a pattern takes a part by `ref mut`.
    fn matched(&mut self, value: &Expr, pattern: &Pat) {
        let mut borrows = Borrows(false);
        borrows.visit_pat(pattern);
        if borrows.0 {
            self.place(value, pattern.to_token_stream());
        }
    }

    /// What is changed by a method, or written to by a macro.
    fn changed(&mut self, place: &Expr, whole: &dyn ToTokens) {
        if root(place).is_some_and(|root| self.mutable.contains(root)) {
            self.place(place, whole.to_token_stream());
        }
    }

    fn place(&mut self, place: &Expr, whole: TokenStream) {
        if let Some(root) = root(place)
            && !self.own.contains(root)
            // A static is no local of the body.
            && root.to_string().chars().any(|c| c.is_ascii_lowercase())
        {
            self.found.push((root.clone(), whole));
        }
    }
}

impl<'ast> Visit<'ast> for Mutations<'_> {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Assign(assign) => self.assigned(&assign.left, expression),
            Expr::Binary(ExprBinary { left, op, .. }) if assigns(op) => {
                self.place(left, expression.to_token_stream());
            }
            Expr::Reference(ExprReference { mutability: Some(_), expr, .. }) => {
                self.place(expr, expression.to_token_stream());
            }
            Expr::MethodCall(call) if !self.mutable.is_empty() && changes(&call.method) => {
                self.changed(&call.receiver, call);
            }
            Expr::Await(awaited) => return self.future(&awaited.base),
            Expr::Let(condition) => self.matched(&condition.expr, &condition.pat),
            Expr::Match(choice) => {
                choice.arms.iter().for_each(|arm| self.matched(&choice.expr, &arm.pat));
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.own.insert(pattern.ident.clone());
        visit::visit_pat_ident(self, pattern);
    }

    /// A variable is bound only after its value: `let log = &mut log` borrows another.
    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            self.visit_expr(&init.expr);
            self.matched(&init.expr, &local.pat);
            if let Some((_, diverge)) = &init.diverge {
                self.visit_expr(diverge);
            }
        }
        self.visit_pat(&local.pat);
    }

    /// `name = value` among a macro's arguments names an argument and assigns nothing.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        arguments.patterns().into_iter().for_each(|pattern| self.visit_pat(pattern));
        if ["write", "writeln"].iter().any(|name| call.path.is_ident(name))
            && let Some(written) = arguments.expressions().first()
        {
            self.changed(written, call);
        }
        for argument in arguments.expressions() {
            match argument {
                Expr::Assign(named) => self.visit_expr(&named.right),
                other => self.visit_expr(other),
            }
        }
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// Whether a pattern takes something by `ref mut`.
struct Borrows(bool);

impl<'ast> Visit<'ast> for Borrows {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.0 |= pattern.by_ref.is_some() && pattern.mutability.is_some();
        visit::visit_pat_ident(self, pattern);
    }
}

/// Whether a method of the standard library's collections, strings and iterators changes what it is
/// called on, by its first word: of `push_str`, `push`.
pub(super) fn changes(method: &Ident) -> bool {
    const CHANGING: &[&str] = &[
        "append", "clear", "dedup", "drain", "entry", "extend", "fill", "insert", "next", "pop",
        "push", "remove", "resize", "retain", "reverse", "rotate", "sort", "swap", "take",
        "truncate",
    ];
    let method = method.to_string();
    let first = method.split('_').next();
    first.is_some_and(|first| CHANGING.contains(&first)) || method.ends_with("_mut")
}

pub(super) fn assigns(operator: &syn::BinOp) -> bool {
    use syn::BinOp::*;
    matches!(
        operator,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// The variable that a place is part of: of `order.items[0]`, `order`.
pub(super) fn root(place: &Expr) -> Option<&Ident> {
    match place {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::Paren(inner) => root(&inner.expr),
        Expr::Unary(dereference) => root(&dereference.expr),
        _ => None,
    }
}

fn attempts(model: &WorkflowModel) -> impl Iterator<Item = (&Step, &Expr)> {
    model.steps.iter().filter_map(|step| Some((step, step.attempt.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;
    use syn::parse_quote;

    use super::*;

    fn changed(attempt: &Expr) -> Vec<String> {
        let mutable = ["list", "text"].map(|name| Ident::new(name, Span::call_site()));
        mutations(attempt, &mutable).into_iter().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn only_what_was_made_outside_is_changed() {
        let attempt = parse_quote!(async {
            total += 1;
            order.items[0] = 2;
            let mut own = Vec::new();
            own.push(1);
            own[0] = 3;
            let log = &mut log;
            *log = 1;
            send(format!("{text}", text = 5)).await
        });
        assert_eq!(changed(&attempt), ["total", "order", "log"]);
    }

    #[test]
    fn what_is_changed_is_known_by_what_is_done_to_it() {
        let attempt = parse_quote!(async {
            list.push(1);
            list[0].items.sort_by_key(|item| item.id);
            queue.push(1);
            list.len();
            list.insert(1).returning(2).await;
            send(list.drain(..)).await;
            write!(text, "{}", 1);
            write!(f, "{}", 1);
            (a, [b, _]) = c;
            if let Some(ref mut first) = d {}
            let ref mut whole = e;
            match f {
                (ref one, ref mut two) => {}
            }
        });
        assert_eq!(changed(&attempt), ["list", "list", "list", "text", "a", "b", "d", "e", "f"]);
    }

    #[test]
    fn what_is_awaited_may_borrow_alone() {
        assert!(changed(&parse_quote!(list.insert(1))).is_empty());
        assert!(changed(&parse_quote!(|| list.insert(1))).is_empty());
        assert!(changed(&parse_quote!(async |tx| bank.pay(&mut tx).await)).is_empty());
        assert_eq!(
            changed(&parse_quote!(|| {
                list.push(1);
                text.get()
            })),
            ["list"]
        );
    }

    #[test]
    fn a_block_of_its_own_keeps_its_control_flow() {
        let leaves = |attempt: Expr| exits(&attempt).iter().map(|exit| exit.0).collect::<Vec<_>>();
        assert_eq!(leaves(parse_quote!(desk.mail(parse(text)?))), ["?"]);
        assert_eq!(leaves(parse_quote!(desk.mail(&format!("{}", parse(text)?)))), ["?"]);
        assert_eq!(
            leaves(parse_quote!({
                loop {
                    break;
                    continue 'outer;
                }
            })),
            ["continue"]
        );
        assert!(
            leaves(parse_quote!({
                'a: {
                    for x in y {
                        break 'a;
                    }
                }
            }))
            .is_empty()
        );
        assert!(leaves(parse_quote!(async { Ok(parse(text)?) })).is_empty());
        assert!(leaves(parse_quote!(|| async { return Ok(()) })).is_empty());
    }
}
