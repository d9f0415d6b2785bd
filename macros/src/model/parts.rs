use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Expr, ExprLit, Ident, Lit, LitStr};

use super::Key;
use super::values::string;
use crate::parse::{Argument, Value, did_you_mean, parse_arguments, parse_duration};
use crate::problem::{Problem, Problems};

/// What stands in the parentheses of one argument, to be taken out part by part. What does not fit is
/// reported, and the argument then refused as a whole.
pub(super) struct Parts<'p> {
    of: &'p Ident,
    example: &'static str,
    parts: Vec<Argument>,
    is_refused: bool,
    problems: &'p Problems,
}

impl<'p> Parts<'p> {
    pub(super) fn new(
        of: &'p Ident,
        list: TokenStream,
        known: &[&str],
        example: &'static str,
        problems: &'p Problems,
    ) -> Self {
        let mut parts = Self { of, example, parts: Vec::new(), is_refused: false, problems };
        for part in parse_arguments(list, problems) {
            let name = &part.name;
            if !known.iter().any(|known| name == known) {
                let help = did_you_mean(&name.to_string(), known);
                let what = format!("`{of}` has no argument `{name}`");
                parts.refuse(Problem::at(name, what).help(help));
            } else if parts.parts.iter().any(|other| other.name == *name) {
                parts.refuse(Problem::at(name, format!("`{name}` is given twice")));
            } else {
                parts.parts.push(part);
            }
        }
        parts
    }

    fn refuse(&mut self, problem: Problem) {
        self.is_refused = true;
        self.problems.report(problem);
    }

    fn ok<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.refuse(problem)).ok()
    }

    fn take(&mut self, name: &str) -> Option<Argument> {
        let place = self.parts.iter().position(|part| part.name == name)?;
        Some(self.parts.remove(place))
    }

    /// Reports each of these parts that is not given; `why` they are needed.
    pub(super) fn require(&mut self, names: &[&str], why: &str) {
        for name in names {
            if !self.parts.iter().any(|part| part.name == name) {
                let what = format!("`{}` has no `{name}`", self.of);
                self.refuse(Problem::at(self.of, what).note(why).help(self.example));
            }
        }
    }

    /// A whole number within bounds, as a literal.
    pub(super) fn number(&mut self, name: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let Argument { name, value } = self.take(name)?;
        let number = match &value {
            Value::Expr(Expr::Lit(ExprLit { lit: Lit::Int(literal), .. })) => {
                literal.base10_parse().ok().filter(|number| bounds.contains(number))
            }
            _ => None,
        };
        let (least, most) = bounds.into_inner();
        let problem = || {
            let what = format!("`{name}` takes a whole number from {least} to {most}");
            Problem::at(&place(&name, &value), what).help(self.example)
        };
        let number = number.ok_or_else(problem);
        self.ok(number)
    }

    /// A duration of at most so many days, with its literal.
    pub(super) fn duration(&mut self, name: &str, days: u64) -> Option<(Duration, LitStr)> {
        let Argument { name, value } = self.take(name)?;
        let duration = string(&name, value, "\"30s\"").and_then(|literal| {
            let duration = parse_duration(&literal)?;
            if duration > Duration::from_secs(days * 24 * 60 * 60) {
                let what = format!("`{name}` is at most {days} days");
                return Err(Problem::at(&literal, what).help(self.example));
            }
            Ok((duration, literal))
        });
        self.ok(duration)
    }

    pub(super) fn key(&mut self) -> Option<Key> {
        let Argument { name, value } = self.take("key")?;
        let key = match value {
            Value::Expr(expression) => Ok(Key(expression)),
            _ => Err(Problem::at(&name, "`key` takes an expression over what starts the workflow")
                .help("key = event.user_id")),
        };
        self.ok(key)
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let argument = self.take(name)?;
        let found = words.iter().find(|(word, _)| is_word(&argument.value, word));
        let found = found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            let (last, others) = known.split_last().expect("there are words");
            let what = format!("`{name}` is {} or {last}", others.join(", "));
            Problem::at(&place(&argument.name, &argument.value), what).help(self.example)
        });
        self.ok(found)
    }

    /// A part that is read in another way.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Ident, &Value) -> Result<T, Problem>,
    ) -> Option<T> {
        let Argument { name, value } = self.take(name)?;
        let read = read(&name, &value);
        self.ok(read)
    }

    /// The argument, unless something was reported of it.
    pub(super) fn whole<T>(&self, argument: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.is_refused { None } else { argument() }
    }
}

/// Whether a value is a word, as it stands there.
pub(super) fn is_word(value: &Value, word: &str) -> bool {
    matches!(value, Value::Expr(Expr::Path(path)) if path.path.is_ident(word))
}

/// Where it is said that a value does not fit: at the value, if there is one.
pub(super) fn place(name: &Ident, value: &Value) -> TokenStream {
    match value {
        Value::Expr(value) => value.to_token_stream(),
        _ => name.to_token_stream(),
    }
}
