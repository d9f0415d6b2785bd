use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use super::sources::Sources;

const DELIMITERS: [Delimiter; 4] =
    [Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket, Delimiter::None];

const WORDS: &[&str] = &[
    "async",
    "await",
    "break",
    "const",
    "crate",
    "dyn",
    "else",
    "fn",
    "for",
    "if",
    "impl",
    "let",
    "loop",
    "match",
    "move",
    "return",
    "self",
    "Self",
    "static",
    "step",
    "Step",
    "struct",
    "super",
    "unsafe",
    "use",
    "while",
    "yield",
    "_",
    "__private",
    "context",
    "Ok",
    "join",
    "try_join",
    "run",
    "sleep",
    "sleep_until",
    "send_event",
    "uuid",
    "random",
    "timeout",
    "retries",
    "backoff",
];

const PUNCTUATION: &[char] =
    &['.', ',', ';', ':', '?', '!', '#', '=', '<', '>', '&', '|', '$', '\''];

const LITERALS: &[&str] = &[
    "\"\"",
    "\"fetch-ticket\"",
    "\"self\"",
    "\"Self\"",
    "\"_\"",
    "\"1\"",
    "\"-\"",
    "\"é\"",
    "\"a b\"",
    "\"1h 30m\"",
    "\"99999999999999999999 weeks\"",
    "r#\"raw\"#",
    "b\"bytes\"",
    "c\"c\"",
    "'c'",
    "0",
    "-1",
    "4294967296",
    "1.5",
    "1u8",
    "0xff",
    "1e400",
    "true",
];

/// Code with some random changes.
pub(super) fn mutated(
    code: TokenStream,
    mutations: usize,
    sources: &Sources,
    random: &mut fastrand::Rng,
) -> TokenStream {
    (0..mutations).fold(code, |code, _| mutate(code, sources, random))
}

/// Changes one place, in the group that a random descent ends in.
fn mutate(code: TokenStream, sources: &Sources, random: &mut fastrand::Rng) -> TokenStream {
    let mut tokens: Vec<_> = code.into_iter().collect();
    let groups: Vec<_> =
        (0..tokens.len()).filter(|place| matches!(tokens[*place], TokenTree::Group(_))).collect();
    // Most code is deep inside: to stop is less likely than to go on.
    if let Some(place) = random.choice(&groups).copied()
        && random.u8(..) < 210
    {
        // Half-typed code ends in the middle of everything around it.
        let cut = random.u8(..) < 10;
        if let TokenTree::Group(group) = &tokens[place] {
            let inner = mutate(group.stream(), sources, random);
            tokens[place] = Group::new(group.delimiter(), inner).into();
        }
        if cut {
            tokens.truncate(place + 1);
        }
    } else {
        change(&mut tokens, sources, random);
    }
    tokens.into_iter().collect()
}

fn change(tokens: &mut Vec<TokenTree>, sources: &Sources, random: &mut fastrand::Rng) {
    if tokens.is_empty() {
        tokens.push(token(random));
        return;
    }
    let place = random.usize(..tokens.len());
    let other = random.usize(..tokens.len());
    match random.u8(..20) {
        // Half of all changes leave code that can still be read, so that the later phases see it.
        10.. if random.bool() => statement(tokens, place, sources, random),
        10.. => like(&mut tokens[place], sources, random),
        0 => drop(tokens.remove(place)),
        1 => tokens.truncate(place),
        2 => tokens.swap(place, other),
        3 => tokens.insert(other, tokens[place].clone()),
        4 => drop(tokens.drain(place.min(other)..place.max(other))),
        5 => tokens.insert(place, token(random)),
        6 => tokens[place] = token(random),
        7 => {
            let pieces = piece(sources.any(random), random);
            tokens.splice(place..place, pieces);
        }
        8 => {
            let inside = tokens.drain(place.min(other)..place.max(other)).collect();
            let group = Group::new(DELIMITERS[random.usize(..4)], inside);
            tokens.insert(place.min(other), group.into());
        }
        _ => {
            if let TokenTree::Group(group) = &tokens[place] {
                let inside = group.stream();
                tokens.splice(place..=place, inside);
            } else {
                tokens[place] = token(random);
            }
        }
    }
}

/// Puts another token of the same kind in the place of one.
fn like(token: &mut TokenTree, sources: &Sources, random: &mut fastrand::Rng) {
    let others: Vec<_> = flat(sources.any(random))
        .into_iter()
        .filter(|other| match (&*token, other) {
            (TokenTree::Group(token), TokenTree::Group(other)) => {
                token.delimiter() == other.delimiter()
            }
            (token, other) => std::mem::discriminant(token) == std::mem::discriminant(other),
        })
        .collect();
    if let Some(other) = random.choice(others) {
        *token = other;
    }
}

/// Every token, in groups too.
fn flat(code: TokenStream) -> Vec<TokenTree> {
    let mut tokens = Vec::new();
    for token in code {
        if let TokenTree::Group(group) = &token {
            tokens.extend(flat(group.stream()));
        }
        tokens.push(token);
    }
    tokens
}

/// Drops, doubles or moves the statement that stands at a place, or puts another's before it.
fn statement(
    tokens: &mut Vec<TokenTree>,
    place: usize,
    sources: &Sources,
    random: &mut fastrand::Rng,
) {
    let (start, end) = statement_at(tokens, place);
    let statement: Vec<_> = tokens[start..end].to_vec();
    match random.u8(..4) {
        0 => drop(tokens.drain(start..end)),
        1 => drop(tokens.splice(start..start, statement)),
        2 => {
            tokens.drain(start..end);
            let to = if tokens.is_empty() { 0 } else { random.usize(..tokens.len()) };
            let (to, _) = statement_at(tokens, to);
            tokens.splice(to..to, statement);
        }
        _ => {
            let blocks = flat(sources.any(random)).into_iter().filter_map(|token| match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
                _ => None,
            });
            let Some(block) = random.choice(blocks.collect::<Vec<_>>()) else { return };
            let others: Vec<_> = block.stream().into_iter().collect();
            let from = if others.is_empty() { return } else { random.usize(..others.len()) };
            let (from, to) = statement_at(&others, from);
            tokens.splice(start..start, others[from..to].iter().cloned());
        }
    }
}

/// From after one `;` or `,` to after the next.
fn statement_at(tokens: &[TokenTree], place: usize) -> (usize, usize) {
    let ends = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ','));
    let start = tokens[..place].iter().rposition(ends).map_or(0, |end| end + 1);
    let end = tokens[place..].iter().position(ends).map_or(tokens.len(), |end| place + end + 1);
    (start, end)
}

/// Some tokens of a piece of code, from anywhere in it.
fn piece(code: TokenStream, random: &mut fastrand::Rng) -> Vec<TokenTree> {
    let tokens: Vec<_> = code.into_iter().collect();
    let groups: Vec<_> = tokens
        .iter()
        .filter_map(|token| match token {
            TokenTree::Group(group) => Some(group),
            _ => None,
        })
        .collect();
    if let Some(group) = random.choice(&groups)
        && random.u8(..) < 180
    {
        return piece(group.stream(), random);
    }
    let start = random.usize(..=tokens.len());
    let end = (start + random.usize(..12)).min(tokens.len());
    tokens[start..end].to_vec()
}

/// A random token of any kind.
fn token(random: &mut fastrand::Rng) -> TokenTree {
    match random.u8(..4) {
        0 => Ident::new(WORDS[random.usize(..WORDS.len())], Span::call_site()).into(),
        1 => {
            let spacing = if random.bool() { Spacing::Joint } else { Spacing::Alone };
            Punct::new(PUNCTUATION[random.usize(..PUNCTUATION.len())], spacing).into()
        }
        2 => {
            let text = LITERALS[random.usize(..LITERALS.len())];
            let tokens = text.parse::<TokenStream>().into_iter().flatten();
            tokens.last().unwrap_or_else(|| Literal::u32_unsuffixed(0).into())
        }
        _ => Group::new(DELIMITERS[random.usize(..4)], TokenStream::new()).into(),
    }
}
