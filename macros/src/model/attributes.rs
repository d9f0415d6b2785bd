use proc_macro2::LineColumn;
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, Attribute, Block, Expr, Item, Meta, Stmt};

use super::carried::is_carried;
use super::{Allowance, Handle};
use crate::parse::{Argument, Value, parse_arguments};
use crate::problem::{Problem, Problems};

/// The attributes of a body that mean something to us.
#[derive(Default)]
pub(super) struct Attributes {
    /// `#[workflow(allow(..))]` on statements.
    pub(super) allowances: Vec<Allowance>,
    /// `#[carried(..)]`, wherever it stands.
    pub(super) carried: Vec<Attribute>,
}

impl Attributes {
    /// Reads a body's attributes. `#[workflow(..)]` is taken out of it; `#[carried(..)]` stays until its
    /// loop is rewritten. On the same way the handle learns its other names.
    pub(super) fn take_from(
        body: &mut Block,
        handle: Option<&mut Handle>,
        problems: &Problems,
    ) -> Self {
        let mut statements = Statements { problems, handle, found: Self::default() };
        statements.visit_block_mut(body);
        statements.found
    }
}

/// Takes what cannot stand on a function beside the attribute that reads it.
pub(super) fn take_strays(attributes: &mut Vec<Attribute>, problems: &Problems) {
    for stray in attributes.extract_if(.., |it| is_ours(it)) {
        problems.report(if is_carried(&stray) {
            misplaced_carried(&stray)
        } else {
            Problem::at(&stray, "this function has an attribute of ours already")
                .note("it is compiled either as a workflow or as a helper")
                .help("remove one of them")
        });
    }
}

fn is_ours(attribute: &Attribute) -> bool {
    let name = attribute.path().segments.last().map(|name| &name.ident);
    name.is_some_and(|name| ["workflow", "durable", "carried"].iter().any(|ours| name == ours))
}

struct Statements<'p> {
    problems: &'p Problems,
    handle: Option<&'p mut Handle>,
    found: Attributes,
}

impl Statements<'_> {
    /// Takes a statement's `#[workflow(..)]`, or that of a `match`'s arm.
    fn take<T: ToTokens>(
        &mut self,
        statement: &mut T,
        attributes: impl Fn(&mut T) -> Option<&mut Vec<Attribute>>,
    ) {
        if !attributes(statement).is_some_and(|attributes| attributes.iter().any(is_allowance)) {
            return;
        }
        let scope = extent(statement);
        if let Some(attributes) = attributes(statement) {
            attributes.extract_if(.., |it| is_allowance(it)).for_each(|it| self.read(&it, scope));
        }
    }

    /// Takes `#[carried]` from a statement that is no loop.
    fn take_carried(&mut self, statement: &mut Stmt) {
        let is_loop =
            matches!(statement, Stmt::Expr(Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_), _));
        let attributes = if is_loop { None } else { attributes(statement) };
        for attribute in
            attributes.into_iter().flat_map(|it| it.extract_if(.., |it| is_carried(it)))
        {
            self.problems.report(misplaced_carried(&attribute));
        }
    }

    fn read(&mut self, attribute: &Attribute, scope: (LineColumn, LineColumn)) {
        let Meta::List(list) = &attribute.meta else {
            return self.problems.report(
                Problem::at(attribute, "a statement only takes `allow(..)`")
                    .help("#[workflow(allow(determinism, reason = \"..\"))]"),
            );
        };
        for Argument { name, value } in parse_arguments(list.tokens.clone(), self.problems) {
            match value {
                Value::List(arguments) if name == "allow" => {
                    let allowance = Allowance::parse(&name, arguments, self.problems);
                    let here = |allowance: Allowance| allowance.within(scope);
                    self.found.allowances.extend(allowance.map(here));
                }
                _ => self.problems.report(
                    Problem::at(&name, "a statement only takes `allow(..)`")
                        .help("#[workflow(allow(determinism, reason = \"..\"))]"),
                ),
            }
        }
    }
}

impl VisitMut for Statements<'_> {
    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        self.take(statement, attributes);
        self.take_carried(statement);
        if let (Stmt::Local(local), Some(handle)) = (&*statement, &mut self.handle) {
            handle.learn(local);
        }
        visit_mut::visit_stmt_mut(self, statement);
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        self.take(arm, |arm| Some(&mut arm.attrs));
        visit_mut::visit_arm_mut(self, arm);
    }

    fn visit_attribute_mut(&mut self, attribute: &mut Attribute) {
        if is_carried(attribute) {
            self.found.carried.push(attribute.clone());
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {}
}

fn extent(tokens: &impl ToTokens) -> (LineColumn, LineColumn) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let first = tokens.next().map(|token| token.span());
    let last = tokens.last().map(|token| token.span()).or(first);
    let place = |span: Option<proc_macro2::Span>| span.unwrap_or_else(proc_macro2::Span::call_site);
    (place(first).start(), place(last).end())
}

/// `#[carried]` stands on a loop.
fn misplaced_carried(attribute: &Attribute) -> Problem {
    Problem::at(attribute, "`#[carried]` stands on a loop")
        .note("the loop commits its variables at its head, and a resumed run begins there")
        .help("#[carried(cursor, total)] loop { .. }, or a `while` or a `for`")
}

fn is_allowance(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|name| name.ident == "workflow")
}

/// The attributes of a statement, where it may have ours.
fn attributes(statement: &mut Stmt) -> Option<&mut Vec<Attribute>> {
    let expression = match statement {
        Stmt::Local(local) => return Some(&mut local.attrs),
        Stmt::Macro(call) => return Some(&mut call.attrs),
        Stmt::Expr(expression, _) => expression,
        Stmt::Item(_) => return None,
    };
    of_expression(expression)
}

/// The attributes in front of an expression, which an operator leaves to what stands first.
fn of_expression(expression: &mut Expr) -> Option<&mut Vec<Attribute>> {
    Some(match expression {
        Expr::Assign(expression) => return of_expression(&mut expression.left),
        Expr::Binary(expression) => return of_expression(&mut expression.left),
        Expr::Field(expression) => return of_expression(&mut expression.base),
        Expr::Index(expression) => return of_expression(&mut expression.expr),
        Expr::Await(expression) => &mut expression.attrs,
        Expr::Block(expression) => &mut expression.attrs,
        Expr::Call(expression) => &mut expression.attrs,
        Expr::ForLoop(expression) => &mut expression.attrs,
        Expr::If(expression) => &mut expression.attrs,
        Expr::Loop(expression) => &mut expression.attrs,
        Expr::Macro(expression) => &mut expression.attrs,
        Expr::Match(expression) => &mut expression.attrs,
        Expr::MethodCall(expression) => &mut expression.attrs,
        Expr::Path(expression) => &mut expression.attrs,
        Expr::Return(expression) => &mut expression.attrs,
        Expr::Try(expression) => &mut expression.attrs,
        Expr::Unary(expression) => &mut expression.attrs,
        Expr::While(expression) => &mut expression.attrs,
        _ => return None,
    })
}
