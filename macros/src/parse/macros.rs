use proc_macro2::TokenStream;
use quote::{ToTokens, TokenStreamExt as _};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Macro, Pat, Token, token};

/// The macros that await their arguments side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concurrency {
    /// `join!`
    Join,
    /// `try_join!`
    TryJoin,
    /// `race!`
    Race,
}

/// Whether a macro awaits its arguments side by side. It is known by the last part of its path, so
/// that `tokio::join!` and `futures::join!` are as good as ours; one of the user's own crate is not.
pub(crate) fn concurrency(call: &Macro) -> Option<Concurrency> {
    let kind = match call.path.segments.last()?.ident.to_string().as_str() {
        "join" => Concurrency::Join,
        "try_join" => Concurrency::TryJoin,
        "race" => Concurrency::Race,
        _ => return None,
    };
    let first = &call.path.segments.first()?.ident;
    let is_of_the_users = ["crate", "self", "super"].iter().any(|own| first == own);
    (!is_of_the_users).then_some(kind)
}

/// The arguments of a macro that takes expressions: `format!`, `vec!`, `assert!` and most others.
/// A macro may do what it likes with its tokens, but one whose tokens read as expressions may be
/// expected to use them as such.
pub(crate) enum MacroArguments {
    /// `a, b, c`
    List(Punctuated<Expr, Token![,]>),
    /// `value; count`
    Repeat(Box<Expr>, Token![;], Box<Expr>),
    /// `matches!(value, pattern if guard)`
    Matches(Box<Matches>),
    /// `pattern = operation => body, ..`
    Race(Vec<RaceBranch>),
}

/// What `matches!` is given.
pub(crate) struct Matches {
    pub(crate) value: Expr,
    comma: Token![,],
    pub(crate) pattern: Pat,
    pub(crate) guard: Option<(Token![if], Expr)>,
    /// What `assert_matches!` says otherwise, as it is.
    rest: TokenStream,
}

impl Parse for Matches {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (value, comma) = (input.parse()?, input.parse()?);
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        let guard = match input.peek(Token![if]) {
            true => Some((input.parse()?, input.parse()?)),
            false => None,
        };
        Ok(Self { value, comma, pattern, guard, rest: input.parse()? })
    }
}

impl ToTokens for Matches {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { value, comma, pattern, guard, rest } = self;
        value.to_tokens(tokens);
        comma.to_tokens(tokens);
        pattern.to_tokens(tokens);
        if let Some((keyword, guard)) = guard {
            keyword.to_tokens(tokens);
            guard.to_tokens(tokens);
        }
        rest.to_tokens(tokens);
    }
}

/// A branch of `race!`.
pub(crate) struct RaceBranch {
    pub(crate) pattern: Pat,
    equals: Token![=],
    pub(crate) operation: Expr,
    arrow: Token![=>],
    pub(crate) body: Expr,
    comma: Option<Token![,]>,
}

impl RaceBranch {
    /// Whether its pattern plainly leaves something out. A block may give what has one case only, like
    /// `Result<_, Infallible>`: of that rustc can tell.
    pub(crate) fn is_refutable(&self) -> bool {
        !matches!(self.operation, Expr::Async(_)) && is_refutable(&self.pattern)
    }
}

fn is_refutable(pattern: &Pat) -> bool {
    match pattern {
        Pat::TupleStruct(held) => {
            let name = held.path.segments.last().map(|name| &name.ident);
            let is_one_of_two = |name: &Ident| ["Ok", "Err", "Some"].iter().any(|it| name == it);
            name.is_some_and(is_one_of_two) || held.elems.iter().any(is_refutable)
        }
        Pat::Ident(name) => name.ident == "None",
        Pat::Tuple(tuple) => tuple.elems.iter().any(is_refutable),
        Pat::Lit(_) | Pat::Range(_) => true,
        _ => false,
    }
}

impl Parse for RaceBranch {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (pattern, equals) = (Pat::parse_multi_with_leading_vert(input)?, input.parse()?);
        let operation: Expr = input.parse()?;
        if input.peek(Token![if]) {
            return Err(input.error("it has no guard: decide in its expression, once it has won"));
        }
        let arrow = input.parse()?;
        // As in a `match`, a block needs no comma behind it.
        let body: Expr = match input.peek(token::Brace) {
            true => Expr::Block(input.parse()?),
            false => input.parse()?,
        };
        let comma: Option<Token![,]> = input.parse()?;
        if comma.is_none() && !input.is_empty() && !matches!(body, Expr::Block(_)) {
            return Err(input.error("expected `,`"));
        }
        Ok(Self { pattern, equals, operation, arrow, body, comma })
    }
}

impl ToTokens for RaceBranch {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { pattern, equals, operation, arrow, body, comma } = self;
        pattern.to_tokens(tokens);
        equals.to_tokens(tokens);
        operation.to_tokens(tokens);
        arrow.to_tokens(tokens);
        body.to_tokens(tokens);
        comma.to_tokens(tokens);
    }
}

/// Reads the branches of a `race!`. What is missing at their end is missing at its last delimiter.
pub(crate) fn parse_race(call: &Macro) -> syn::Result<Vec<RaceBranch>> {
    let parser = |input: ParseStream<'_>| {
        if input.peek(Ident) && input.peek2(Token![;]) {
            return Err(input.error("a race has no mode: the first outcome in the journal wins"));
        }
        let mut branches = Vec::new();
        while !input.is_empty() {
            branches.push(input.parse()?);
        }
        Ok(branches)
    };
    call.parse_body_with(parser)
}

/// Why what a macro awaits side by side cannot be read, if it cannot.
pub(crate) fn unread_branches(call: &Macro) -> Option<syn::Error> {
    match concurrency(call)? {
        Concurrency::Race => parse_race(call).err(),
        _ => call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated).err(),
    }
}

/// The `.await` of a branch that awaits itself, perhaps with a `?` behind.
pub(crate) fn awaited_already(branch: &Expr) -> Option<token::Await> {
    match branch {
        Expr::Await(awaited) => Some(awaited.await_token),
        Expr::Try(tried) => awaited_already(&tried.expr),
        _ => None,
    }
}

/// Whether a branch is plainly a list of operations, and none itself.
pub(crate) fn is_a_list(branch: &Expr) -> bool {
    match branch {
        Expr::Array(_) => true,
        Expr::Macro(call) => call.mac.path.is_ident("vec"),
        Expr::MethodCall(call) => {
            ["map", "filter_map", "flat_map", "collect"].iter().any(|name| call.method == name)
        }
        _ => false,
    }
}

impl MacroArguments {
    /// Reads a macro's tokens; `None` if they are no expressions, or are not used as such.
    pub(crate) fn parse(call: &Macro) -> Option<Self> {
        let tokens = call.tokens.clone();
        match call.path.segments.last()?.ident.to_string().as_str() {
            "stringify" => return None,
            "race" if concurrency(call).is_some() => {
                return parse_race(call).map(Self::Race).ok();
            }
            "matches" | "assert_matches" => {
                return syn::parse2(tokens).map(Self::Matches).ok();
            }
            _ => {}
        }
        let list = Punctuated::parse_terminated.parse2(tokens.clone());
        list.map(Self::List).ok().or_else(|| {
            let parser = |input: ParseStream<'_>| {
                Ok(Self::Repeat(input.parse()?, input.parse()?, input.parse()?))
            };
            parser.parse2(tokens).ok()
        })
    }

    /// The expressions, in order.
    pub(crate) fn expressions(&self) -> Vec<&Expr> {
        match self {
            Self::List(list) => list.iter().collect(),
            Self::Repeat(value, _, count) => vec![value, count],
            Self::Matches(matches) => {
                let guard = matches.guard.as_ref().map(|(_, guard)| guard);
                std::iter::once(&matches.value).chain(guard).collect()
            }
            Self::Race(branches) => {
                branches.iter().flat_map(|branch| [&branch.operation, &branch.body]).collect()
            }
        }
    }

    /// What is awaited side by side.
    pub(crate) fn branches(&self) -> impl Iterator<Item = &Expr> {
        let is_race = matches!(self, Self::Race(_));
        // Each branch of a race has a body behind it.
        self.expressions().into_iter().step_by(if is_race { 2 } else { 1 })
    }

    /// The patterns, in order. What they bind is known in the expression behind them.
    pub(crate) fn patterns(&self) -> Vec<&Pat> {
        match self {
            Self::List(_) | Self::Repeat(..) => Vec::new(),
            Self::Matches(matches) => vec![&matches.pattern],
            Self::Race(branches) => branches.iter().map(|branch| &branch.pattern).collect(),
        }
    }

    /// The expressions, to be changed in place.
    pub(crate) fn expressions_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Self::List(list) => list.iter_mut().collect(),
            Self::Repeat(value, _, count) => vec![value, count],
            Self::Matches(matches) => {
                let guard = matches.guard.as_mut().map(|(_, guard)| guard);
                std::iter::once(&mut matches.value).chain(guard).collect()
            }
            Self::Race(branches) => branches
                .iter_mut()
                .flat_map(|branch| [&mut branch.operation, &mut branch.body])
                .collect(),
        }
    }
}

impl ToTokens for MacroArguments {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::List(list) => list.to_tokens(tokens),
            Self::Repeat(value, semi, count) => {
                value.to_tokens(tokens);
                semi.to_tokens(tokens);
                count.to_tokens(tokens);
            }
            Self::Matches(matches) => matches.to_tokens(tokens),
            Self::Race(branches) => tokens.append_all(branches),
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn count(call: &Macro) -> Option<usize> {
        MacroArguments::parse(call).map(|arguments| arguments.expressions().len())
    }

    #[test]
    fn macros_that_take_expressions_are_read() {
        assert_eq!(count(&parse_quote!(format!("{} {x}", a.b(), x = 2))), Some(3));
        assert_eq!(count(&parse_quote!(vec![1; n])), Some(2));
        assert_eq!(count(&parse_quote!(matches!(a, Some(1 | 2)))), Some(1));
        assert_eq!(count(&parse_quote!(matches!(a, Some(b) if b > 1,))), Some(2));
        assert_eq!(count(&parse_quote!(assert_matches!(a, 1 | 2, "{}", c))), Some(1));
        assert_eq!(count(&parse_quote!(tracing::info!(name = %value, "text"))), None);
        assert_eq!(count(&parse_quote!(stringify!(a.b()))), None);
    }

    #[test]
    fn the_branches_of_a_race_are_read() {
        assert_eq!(
            count(&parse_quote!(race!(a = b() => c, Some(d) | e = f => { g } _ = h => 1))),
            Some(6)
        );
        assert_eq!(count(&parse_quote!(race!(a = b() => c Some(d) = f => g))), None);
        assert_eq!(count(&parse_quote!(race!(a, b))), None);
    }

    #[test]
    fn joins_are_known_by_their_last_name() {
        assert_eq!(concurrency(&parse_quote!(tokio::join!(a))), Some(Concurrency::Join));
        assert_eq!(concurrency(&parse_quote!(try_join!(a))), Some(Concurrency::TryJoin));
        assert_eq!(concurrency(&parse_quote!(vec![a])), None);
        assert_eq!(concurrency(&parse_quote!(crate::join!(a))), None);
    }
}
