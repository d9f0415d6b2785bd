use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Code that was written for the macros: the bodies of the tests, what must and must not compile,
/// and the examples.
pub(super) struct Sources {
    functions: Vec<TokenStream>,
    types: Vec<TokenStream>,
    apps: Vec<TokenStream>,
    arguments: Vec<TokenStream>,
}

const FOLDERS: &[&str] = &[
    "examples/help_desk/src",
    "examples/help_desk/src/workflows",
    "tests/tests/bodies",
    "ui-tests/fail",
    "ui-tests/pass",
    "ui-tests/src",
];

/// What an item may begin with.
const BEGINNINGS: &[&str] = &["#", "pub", "async", "struct", "enum"];

impl Sources {
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut sources =
            Self { functions: vec![], types: vec![], apps: vec![], arguments: vec![] };
        for folder in FOLDERS {
            let Ok(files) = fs::read_dir(root.join(folder)) else { continue };
            // Directories list their files in any order; a seed has to mean the same everywhere.
            let mut paths: Vec<_> = files.filter_map(|file| Some(file.ok()?.path())).collect();
            paths.sort();
            for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
                let text = fs::read_to_string(path).expect("a source is readable");
                let tokens = text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"));
                sources.gather(tokens);
            }
        }
        assert!(sources.functions.len() > 100, "the repository has more than 100 functions");
        sources
    }

    /// Takes the items out of some code, and out of the groups in it.
    fn gather(&mut self, code: TokenStream) {
        let tokens: Vec<_> = code.into_iter().collect();
        for (place, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else { continue };
            self.gather(group.stream());
            let before = &tokens[..place];
            let written = |words: &[&str]| ends_with(before, words);
            match group.delimiter() {
                Delimiter::Brace if written(&["app", "!"]) => self.apps.push(group.stream()),
                Delimiter::Brace => self.gather_item(before, group),
                Delimiter::Parenthesis if written(&["workflow"]) || written(&["event"]) => {
                    self.arguments.push(group.stream());
                }
                _ => {}
            }
        }
    }

    /// Takes the item whose body this is, from the end of the one before.
    fn gather_item(&mut self, before: &[TokenTree], body: &Group) {
        let is_end = |token: &TokenTree| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        let start = before.iter().rposition(is_end).map_or(0, |end| end + 1);
        let begins = |token: &TokenTree| BEGINNINGS.iter().any(|word| is(token, word));
        let Some(skipped) = before[start..].iter().position(begins) else { return };
        let head = &before[start + skipped..];
        let has = |word: &str| head.iter().any(|token| is(token, word));
        let item = head.iter().cloned().chain([body.clone().into()]).collect();
        if has("async") && has("fn") {
            self.functions.push(item);
        } else if has("struct") || has("enum") {
            self.types.push(item);
        }
    }

    /// Something to give to a macro, as a rule something that it is for.
    pub(super) fn item(&self, name: &str, random: &mut fastrand::Rng) -> TokenStream {
        let own = match name {
            "app!" => &self.apps,
            "#[derive(Event)]" | "#[derive(Triggers)]" => &self.types,
            _ => &self.functions,
        };
        if random.u8(..) < 10 { self.any(random) } else { pick(own, random) }
    }

    pub(super) fn arguments(&self, random: &mut fastrand::Rng) -> TokenStream {
        pick(&self.arguments, random)
    }

    /// Any piece of code.
    pub(super) fn any(&self, random: &mut fastrand::Rng) -> TokenStream {
        let all = [&self.functions, &self.types, &self.apps, &self.arguments];
        pick(all[random.usize(..all.len())], random)
    }
}

fn pick(pieces: &[TokenStream], random: &mut fastrand::Rng) -> TokenStream {
    random.choice(pieces).cloned().unwrap_or_default()
}

fn ends_with(tokens: &[TokenTree], words: &[&str]) -> bool {
    tokens.len() >= words.len()
        && tokens[tokens.len() - words.len()..]
            .iter()
            .zip(words)
            .all(|(token, word)| is(token, word))
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(_) | TokenTree::Punct(_)) && token.to_string() == word
}
