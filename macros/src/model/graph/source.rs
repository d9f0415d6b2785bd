use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// Tokens as they stand in the source, on one line: spaces are kept where the source has any, but not where
/// only a broken line needs some.
pub(in crate::model) fn as_written(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut last = None;
    write(tokens, &mut text, &mut last);
    text
}

fn write(tokens: TokenStream, text: &mut String, last: &mut Option<Span>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open, group.span_open(), text, last);
                write(group.stream(), text, last);
                push(close, group.span_close(), text, last);
            }
            other => push(&other.to_string(), other.span(), text, last),
        }
    }
}

fn push(piece: &str, span: Span, text: &mut String, last: &mut Option<Span>) {
    let is_joined = text.ends_with(['(', '[']) || [")", "]", ".", ",", "?"].contains(&piece);
    if last.replace(span).is_some_and(|last| last.end() != span.start()) && !is_joined {
        text.push(' ');
    }
    text.extend(piece.chars().map(|character| if character == '\n' { ' ' } else { character }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_stand_where_the_source_has_them() {
        for text in ["desk.open(&ticket)[0] > 1_000", "let Some(a) = b", "x == Status::Todo && !y"]
        {
            let tokens: TokenStream = text.parse().expect("it is Rust");
            assert_eq!(as_written(tokens), text);
        }
        let tokens: TokenStream = "a\n    .b(\n    c,\n    )".parse().expect("it is Rust");
        assert_eq!(as_written(tokens), "a.b(c,)");
        let tokens: TokenStream = "text == \"two\nlines\"".parse().expect("it is Rust");
        assert_eq!(as_written(tokens), "text == \"two lines\"");
    }
}
