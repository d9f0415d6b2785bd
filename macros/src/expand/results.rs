//! What an attempt gives, and the error type of one that gives nothing but `Ok(..)`: nothing else would
//! settle it.

use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprAsync, ExprClosure, ExprTry, Item, Lifetime, Macro, Pat, PathArguments, Stmt,
    Type, parse_quote,
};

use crate::parse::MacroArguments;

/// Names the error type of an attempt that gives nothing but `Ok(..)`: what it is said to be elsewhere,
/// or `Failure`. One with a `?` gives `Caught`, where it `may_catch`: then `?` takes errors of which it
/// cannot make a `Failure`. Gives whether it does so.
#[must_use]
pub(super) fn settle_error(attempt: &mut Expr, error: Option<Type>, may_catch: bool) -> bool {
    let (mut results, mut only_ok) = (0, true);
    each_result(attempt, &mut |result| {
        results += 1;
        only_ok &= matches!(result, Expr::Call(call)
            if matches!(&*call.func, Expr::Path(function) if function.path.is_ident("Ok")));
    });
    if results == 0 || !only_ok {
        return false;
    }
    let catches = may_catch && error.is_none() && tries(attempt);
    let error = match error {
        Some(named) => named,
        None if catches => parse_quote!(__private::Caught),
        None => parse_quote!(__private::Failure),
    };
    each_result(attempt, &mut |result| {
        if let Expr::Call(call) = result
            && let Expr::Path(function) = &mut *call.func
            && let Some(name) = function.path.segments.last_mut()
        {
            name.arguments = PathArguments::AngleBracketed(parse_quote!(::<_, #error>));
        }
    });
    catches
}

/// Whether an attempt has a `?` of its own.
fn tries(attempt: &Expr) -> bool {
    let mut tried = Tried(false);
    match attempt {
        Expr::Async(block) => tried.visit_block(&block.block),
        Expr::Closure(closure) if closure.asyncness.is_some() => tried.visit_expr(&closure.body),
        Expr::Closure(closure) => return tries(&closure.body),
        Expr::Group(inner) => return tries(&inner.expr),
        Expr::Paren(inner) => return tries(&inner.expr),
        Expr::Block(inner) => {
            let last = inner.block.stmts.last();
            return matches!(last, Some(Stmt::Expr(last, None)) if tries(last));
        }
        _ => {}
    }
    tried.0
}

struct Tried(bool);

impl<'ast> Visit<'ast> for Tried {
    fn visit_expr_try(&mut self, _: &'ast ExprTry) {
        self.0 = true;
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let Some(arguments) = MacroArguments::parse(call) else { return };
        arguments.expressions().into_iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_async(&mut self, _: &'ast ExprAsync) {}

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}

/// The error type that a condition over errors names: of `|error: &io::Error| ..`, `io::Error`.
pub(super) fn named_error(condition: &Expr) -> Option<Type> {
    let Expr::Closure(closure) = condition else { return None };
    match closure.inputs.first()? {
        Pat::Type(typed) => match &*typed.ty {
            Type::Reference(error) => Some((*error.elem).clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Visits what an attempt may give, as far as that stands in it.
fn each_result(attempt: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match attempt {
        Expr::Async(block) => {
            Returned(visit).visit_block_mut(&mut block.block);
            last_of_block(&mut block.block, visit);
        }
        Expr::Closure(closure) if closure.asyncness.is_some() => {
            Returned(visit).visit_expr_mut(&mut closure.body);
            last_of(&mut closure.body, visit);
        }
        Expr::Closure(closure) => each_result(&mut closure.body, visit),
        Expr::Group(inner) => each_result(&mut inner.expr, visit),
        Expr::Paren(inner) => each_result(&mut inner.expr, visit),
        Expr::Block(inner) => {
            if let Some(Stmt::Expr(last, None)) = inner.block.stmts.last_mut() {
                each_result(last, visit);
            }
        }
        _ => {}
    }
}

fn last_of_block(block: &mut Block, visit: &mut dyn FnMut(&mut Expr)) {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(last, None)) => last_of(last, visit),
        // A macro may give anything.
        Some(Stmt::Macro(call)) if call.semi_token.is_none() && !diverges(&call.mac) => {
            let mut anything = Expr::PLACEHOLDER;
            visit(&mut anything);
        }
        _ => {}
    }
}

/// Visits what an expression may give, through blocks, branches and loops.
fn last_of(expression: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match expression {
        Expr::Block(inner) if inner.label.is_none() => last_of_block(&mut inner.block, visit),
        Expr::Unsafe(inner) => last_of_block(&mut inner.block, visit),
        Expr::Group(inner) => last_of(&mut inner.expr, visit),
        Expr::Paren(inner) => last_of(&mut inner.expr, visit),
        Expr::If(branch) => {
            last_of_block(&mut branch.then_branch, visit);
            if let Some((_, otherwise)) = &mut branch.else_branch {
                last_of(otherwise, visit);
            }
        }
        Expr::Match(choice) => {
            choice.arms.iter_mut().for_each(|arm| last_of(&mut arm.body, visit));
        }
        Expr::Loop(inner) => {
            let label = inner.label.as_ref().map(|label| label.name.clone());
            Broken { label, in_another: false, visit }.visit_block_mut(&mut inner.body);
        }
        Expr::Return(_) | Expr::Break(_) | Expr::Continue(_) => {}
        Expr::Macro(call) if diverges(&call.mac) => {}
        other => visit(other),
    }
}

/// Whether a macro gives nothing, as it does not return.
fn diverges(call: &syn::Macro) -> bool {
    const DIVERGING: [&str; 4] = ["panic", "unreachable", "todo", "unimplemented"];
    DIVERGING.iter().any(|name| call.path.is_ident(name))
}

/// The values of a block's own `return`s.
struct Returned<'v>(&'v mut dyn FnMut(&mut Expr));

impl VisitMut for Returned<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        match expression {
            Expr::Return(returned) => {
                if let Some(value) = &mut returned.expr {
                    last_of(value, self.0);
                }
            }
            Expr::Closure(_) | Expr::Async(_) => {}
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// The values with which a loop is broken.
struct Broken<'v> {
    label: Option<Lifetime>,
    /// In a loop inside of it.
    in_another: bool,
    visit: &'v mut dyn FnMut(&mut Expr),
}

impl VisitMut for Broken<'_> {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        match expression {
            Expr::Break(broken) => {
                let is_its_own = match &broken.label {
                    Some(label) => self.label.as_ref() == Some(label),
                    None => !self.in_another,
                };
                if let Some(value) = broken.expr.as_mut().filter(|_| is_its_own) {
                    last_of(value, self.visit);
                }
            }
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => {
                let outer = std::mem::replace(&mut self.in_another, true);
                visit_mut::visit_expr_mut(self, expression);
                self.in_another = outer;
            }
            Expr::Closure(_) | Expr::Async(_) => {}
            other => visit_mut::visit_expr_mut(self, other),
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    use super::*;

    fn settled(mut attempt: Expr) -> bool {
        let _ = settle_error(&mut attempt, None, true);
        attempt.to_token_stream().to_string().contains("__private :: Failure")
    }

    fn catches(mut attempt: Expr) -> bool {
        let catches = settle_error(&mut attempt, None, true);
        assert_eq!(catches, attempt.to_token_stream().to_string().contains("__private :: Caught"));
        catches
    }

    #[test]
    fn what_gives_nothing_but_ok_has_its_error_named() {
        assert!(settled(parse_quote!(async { Ok(1) })));
        assert!(settled(parse_quote!(|| async { Ok(1) })));
        assert!(settled(parse_quote!(async || Ok(1))));
        assert!(settled(parse_quote!({
            let k = 1;
            async move { Ok(k) }
        })));
        assert!(settled(parse_quote!(async {
            match x {
                A => Ok(1),
                B => panic!(),
                C => return Ok(2),
            }
        })));
        assert!(settled(parse_quote!(async {
            loop {
                for x in y {
                    break;
                }
                break Ok(1);
            }
        })));
        assert!(settled(parse_quote!(async {
            if a {
                return Ok(1);
            }
            unreachable!()
        })));
    }

    #[test]
    fn what_gives_nothing_but_ok_catches_what_it_tries() {
        assert!(catches(parse_quote!(async { Ok(fetch().await?) })));
        assert!(catches(parse_quote!(async |tx| {
            fetch(tx).await?;
            Ok(())
        })));
        assert!(catches(parse_quote!({
            let k = 1;
            || async move {
                println!("{}", fetch(k).await?);
                Ok(k)
            }
        })));
    }

    #[test]
    fn what_tries_nothing_itself_catches_nothing() {
        assert!(!catches(parse_quote!(async { Ok(1) })));
        assert!(!catches(parse_quote!({
            let k = fetch()?;
            async move { Ok(k) }
        })));
        assert!(!catches(parse_quote!(async {
            let all = list.iter().map(|it| Some(it.price? + 1));
            Ok(all.count())
        })));
        assert!(!catches(parse_quote!(async {
            fetch().await?;
            Err(1)
        })));
    }

    #[test]
    fn what_gives_something_else_is_left_as_it_is() {
        assert!(!settled(parse_quote!(desk.mail("hello"))));
        assert!(!settled(parse_quote!(async { Err(1) })));
        assert!(!settled(parse_quote!(async {
            if a {
                return Ok(1);
            }
            found!()
        })));
        assert!(!settled(parse_quote!(async {
            'a: loop {
                loop {
                    break 'a other().await;
                }
            }
        })));
        assert!(!settled(parse_quote!(async { if a { Ok(1) } else { desk.mail("hello").await } })));
    }
}
