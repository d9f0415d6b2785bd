use proc_macro2::{LineColumn, TokenStream};
use quote::ToTokens;
use syn::Ident;
use syn::spanned::Spanned as _;

use super::values::string;
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
    pub(super) const EXAMPLE: &str = "allow(determinism, reason = \"the time is only logged\")";

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
        let Some(rule) = rule else {
            problems.report(Problem::at(name, "`allow` names a rule").help(Self::EXAMPLE));
            return None;
        };
        let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
            problems.report(
                Problem::at(&rule, "a rule is turned off with a reason")
                    .note("the workflow's graph shows the reason to its readers")
                    .help(Self::EXAMPLE),
            );
            return None;
        };
        Some(Self { rule, reason, statement: None })
    }

    /// The same, for one statement alone.
    pub(super) fn within(self, statement: (LineColumn, LineColumn)) -> Self {
        Self { statement: Some(statement), ..self }
    }

    /// Whether it turns the rule off at a place.
    pub(crate) fn covers(&self, rule: &str, place: &impl ToTokens) -> bool {
        let start = place.to_token_stream().span().start();
        self.rule == rule && self.statement.is_none_or(|(from, to)| from <= start && start < to)
    }
}
