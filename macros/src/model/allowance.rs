use proc_macro2::{LineColumn, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, Ident, Item, Meta, Stmt};

use super::configuration::string;
use crate::parse::{Argument, Value, did_you_mean, parse_arguments};
use crate::problem::{Problem, Problems};

/// A rule that its author turned off, for the workflow or for one statement, and why.
pub(crate) struct Allowance {
    pub(crate) rule: Ident,
    pub(crate) reason: String,
    /// Where the statement begins and ends; `None` for the whole workflow.
    statement: Option<(LineColumn, LineColumn)>,
}

/// The rules that may be turned off. The others protect what the machine relies on.
const RULES: &[&str] = &["determinism", "used_outcomes"];

impl Allowance {
    /// Reads the arguments of `allow(rule, reason = "..")`.
    pub(super) fn parse(name: &Ident, arguments: TokenStream, problems: &Problems) -> Option<Self> {
        let (mut rule, mut reason) = (None, None);
        for Argument { name, value } in parse_arguments(arguments, problems) {
            match (name.to_string().as_str(), value) {
                ("reason", value) => {
                    let literal = string(&name, value, "\"only logged\"");
                    reason = Some(problems.ok(literal)?.value());
                }
                (known, Value::Flag) if RULES.contains(&known) => rule = Some(name),
                (unknown, _) => {
                    problems.report(
                        Problem::at(&name, format!("no rule `{unknown}` can be turned off"))
                            .help(did_you_mean(unknown, RULES)),
                    );
                    return None;
                }
            }
        }
        let example = "allow(determinism, reason = \"the time is only logged\")";
        let Some(rule) = rule else {
            problems.report(Problem::at(name, "`allow` names a rule").help(example));
            return None;
        };
        let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
            problems.report(
                Problem::at(&rule, "a rule is turned off with a reason")
                    .note("the reason is shown in the workflow's graph, to whoever has to trust it")
                    .help(example),
            );
            return None;
        };
        Some(Self { rule, reason, statement: None })
    }

    /// Whether it turns the rule off at a place.
    pub(crate) fn covers(&self, rule: &str, place: &impl ToTokens) -> bool {
        let start = place.to_token_stream().span().start();
        self.rule == rule && self.statement.is_none_or(|(from, to)| from <= start && start < to)
    }
}

/// Takes the `#[workflow(allow(..))]` of a body's statements out of it.
pub(super) fn take_from(body: &mut Block, problems: &Problems) -> Vec<Allowance> {
    let mut statements = Statements { problems, found: Vec::new() };
    statements.visit_block_mut(body);
    statements.found
}

struct Statements<'p> {
    problems: &'p Problems,
    found: Vec<Allowance>,
}

impl Statements<'_> {
    /// Takes the attributes that are ours.
    fn take(&mut self, statement: &mut Stmt) {
        if !attributes(statement).is_some_and(|attributes| attributes.iter().any(is_ours)) {
            return;
        }
        let scope = extent(statement);
        if let Some(attributes) = attributes(statement) {
            attributes.extract_if(.., |it| is_ours(it)).for_each(|it| self.read(&it, scope));
        }
    }

    fn read(&mut self, attribute: &Attribute, scope: (LineColumn, LineColumn)) {
        let Meta::List(list) = &attribute.meta else { return };
        for Argument { name, value } in parse_arguments(list.tokens.clone(), self.problems) {
            match value {
                Value::List(arguments) if name == "allow" => {
                    let allowance = Allowance::parse(&name, arguments, self.problems);
                    let here = |allowance| Allowance { statement: Some(scope), ..allowance };
                    self.found.extend(allowance.map(here));
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
        self.take(statement);
        visit_mut::visit_stmt_mut(self, statement);
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

fn is_ours(attribute: &Attribute) -> bool {
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
    Some(match expression {
        Expr::Assign(expression) => &mut expression.attrs,
        Expr::Await(expression) => &mut expression.attrs,
        Expr::Block(expression) => &mut expression.attrs,
        Expr::Call(expression) => &mut expression.attrs,
        Expr::ForLoop(expression) => &mut expression.attrs,
        Expr::If(expression) => &mut expression.attrs,
        Expr::Loop(expression) => &mut expression.attrs,
        Expr::Macro(expression) => &mut expression.attrs,
        Expr::Match(expression) => &mut expression.attrs,
        Expr::MethodCall(expression) => &mut expression.attrs,
        Expr::Return(expression) => &mut expression.attrs,
        Expr::Try(expression) => &mut expression.attrs,
        Expr::While(expression) => &mut expression.attrs,
        _ => return None,
    })
}
