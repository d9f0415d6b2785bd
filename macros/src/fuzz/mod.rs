//! Whatever tokens the macros are given, they give tokens back: half-typed code, code of another
//! edition, nonsense. What is tried are the sources of this repository, mutated at random.
//!
//! `cargo run -p xtask -- fuzz-macros --seconds 600` goes on for longer than the test.

mod mutate;
mod sources;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use proc_macro2::TokenStream;

use self::sources::Sources;
use crate::expand;

/// How many cases the test tries where no time is given.
const CASES: u64 = 2_000;

/// A macro, applied to what may be its attribute's arguments and its item.
type Expand = fn(TokenStream, TokenStream) -> TokenStream;

const MACROS: &[(&str, Expand)] = &[
    ("#[workflow]", expand::workflow),
    ("#[derive(Event)]", |_, item| expand::event(item)),
    ("#[derive(Triggers)]", |_, item| expand::triggers(item)),
    ("app!", |_, item| expand::app(item)),
];

/// One mutated input. It is made of its seed alone.
struct Case {
    name: &'static str,
    expand: Expand,
    arguments: TokenStream,
    item: TokenStream,
}

impl Case {
    fn new(seed: u64, sources: &Sources) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // Most of the code is the workflow's.
        let (name, expand) =
            if random.u8(..) < 200 { MACROS[0] } else { MACROS[random.usize(..MACROS.len())] };
        let mutations = random.usize(1..4);
        let item =
            mutate::mutated(sources.item(name, &mut random), mutations, sources, &mut random);
        let mutations = random.usize(..3);
        let arguments =
            mutate::mutated(sources.arguments(&mut random), mutations, sources, &mut random);
        Self { name, expand, arguments, item }
    }

    /// What is wrong with the expansion, if anything is.
    fn flaw(&self) -> Option<String> {
        let expand = || (self.expand)(self.arguments.clone(), self.item.clone());
        let expansion = match catch_unwind(AssertUnwindSafe(expand)) {
            Ok(expansion) => expansion,
            Err(_) => return Some("it panics".to_owned()),
        };
        // What can be read as an item has to become a list of items: rustc would speak of code that
        // the user has never seen.
        let was_readable = syn::parse2::<syn::Item>(self.item.clone()).is_ok()
            // `syn` reads it as an expression, but not where a statement begins.
            && !self.item.to_string().contains("crate");
        let error = syn::parse2::<syn::File>(expansion.clone()).err()?;
        was_readable.then(|| format!("it cannot be read ({error}): {expansion}"))
    }
}

#[test]
fn whatever_tokens_the_macros_are_given_they_give_tokens_back() {
    let sources = Sources::read();
    let seed = number("INDELIBLE_TEST_SEED").unwrap_or_else(|| fastrand::u64(..) >> 16);
    let limit = number("INDELIBLE_FUZZ_SECONDS").map(Duration::from_secs);
    let begun = Instant::now();
    let is_over = |case| match limit {
        Some(limit) => begun.elapsed() >= limit,
        None => case >= CASES,
    };
    println!("INDELIBLE_TEST_SEED={seed}");
    let mut tried = 0;
    while !is_over(tried) {
        let seed = seed.wrapping_add(tried);
        let case = Case::new(seed, &sources);
        if let Some(flaw) = case.flaw() {
            panic!(
                "the expansion of {} is flawed; INDELIBLE_TEST_SEED={seed} shows it again\n{flaw}\n\
                 arguments: {}\nitem: {}",
                case.name, case.arguments, case.item
            );
        }
        tried += 1;
    }
    println!("{tried} cases in {:.1?}", begun.elapsed());
}

#[test]
fn half_typed_code_and_what_was_found_once_give_tokens_back() {
    for body in [
        "step.",
        "step.run",
        "step.run(",
        "step.run(\"fetch\"",
        "step.run(\"fetch\",",
        "step.run(\"fetch\", desk.",
        "step.run(\"fetch\", desk.ticket(id)).",
        "step.run(\"fetch\", desk.ticket(id)).await?",
        "let ticket = ",
        "if ",
        "if let Some(x) = step.run(\"fetch\", x()).await",
        "match step.run(\"fetch\", x()).await {",
        "for x in",
        "join!(",
        "join!(step.run(\"a\", ), ",
        "step.run(\"self\", x()).await",
        "step.run(\"Self\", x()).await",
        "step.run(crate).await",
        "step.run(\"a\", crate).await",
        "step.run(\"a\", async { crate }).await",
        "race! { () = step.sleep(\"a\", \"1s\") => { & }, } Ok(())",
    ] {
        let mut code = format!("async fn f(event: E, step: Step) -> Result<(), Failure> {{ {body}");
        // An editor's tokens are balanced, whatever was typed.
        for (open, close) in [('(', ')'), ('{', '}')] {
            let missing = code.matches(open).count() - code.matches(close).count();
            code.extend(std::iter::repeat_n(close, missing));
        }
        let item = code.parse().expect("its brackets are balanced");
        let (name, expand) = MACROS[0];
        let case = Case { name, expand, arguments: TokenStream::new(), item };
        assert_eq!(case.flaw(), None, "{code}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not `{text}`")))
}
