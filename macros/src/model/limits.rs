use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit, LitStr};

use super::Key;
use super::parts::{Parts, is_word, place};
use crate::parse::{Value, is_kebab_case, to_kebab_case};
use crate::problem::{Problem, Problems};

/// The most runs that a limit speaks of.
const MOST: u32 = 1_000_000;
/// The longest time that a limit speaks of, in days.
const LONGEST: u64 = 366;
/// The longest that a debounced event waits for the next, in days.
const LONGEST_PERIOD: u64 = 7;

/// Which events start runs, and how many of those run at a time.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) concurrency: Vec<Concurrency>,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) debounce: Option<Debounce>,
    pub(crate) singleton: Option<Singleton>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) priority: Option<Key>,
    /// The words with which its arguments begin, also those of refused ones.
    pub(crate) given: Vec<Ident>,
}

impl Limits {
    /// The word with which an argument begins.
    pub(crate) fn word(&self, name: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == name)
    }

    /// The expressions that see the input of a run.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let slots = self.concurrency.iter().map(|slots| slots.key.as_ref());
        let others = [
            self.throttle.as_ref().and_then(|throttle| throttle.key.as_ref()),
            self.rate_limit.as_ref().and_then(|rate| rate.key.as_ref()),
            self.singleton.as_ref().and_then(|singleton| singleton.key.as_ref()),
            self.idempotency.as_ref().map(|idempotency| &idempotency.key),
            self.priority.as_ref(),
        ];
        slots.chain(others).flatten().map(|key| &key.0)
    }
}

/// `concurrency(limit = 5, key = event.user_id, scope = app, hold = run)`
pub(crate) struct Concurrency {
    /// The word `concurrency`.
    pub(crate) name: Ident,
    pub(crate) limit: u32,
    pub(crate) key: Option<Key>,
    pub(crate) scope: Scope,
    pub(crate) hold: Option<Hold>,
}

/// Which workflows share a limit.
#[derive(Default)]
pub(crate) enum Scope {
    #[default]
    Workflow,
    App,
    Named(LitStr),
}

/// How long a run holds its slot.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    Active,
    Run,
}

/// `throttle(limit = 10, per = "1m", burst = 5, key = event.user_id)`
pub(crate) struct Throttle {
    pub(crate) limit: u32,
    pub(crate) per: Duration,
    pub(crate) burst: u32,
    pub(crate) key: Option<Key>,
}

/// `rate_limit(limit = 10, per = "1h", key = event.user_id)`
pub(crate) struct RateLimit {
    pub(crate) limit: u32,
    pub(crate) per: Duration,
    pub(crate) key: Option<Key>,
}

/// `debounce(period = "30s", max = "5m", key = event.page)`
pub(crate) struct Debounce {
    pub(crate) period: Duration,
    pub(crate) max: Option<(Duration, LitStr)>,
    pub(crate) key: Option<Key>,
}

/// `singleton(key = event.shop, mode = skip)`
pub(crate) struct Singleton {
    pub(crate) key: Option<Key>,
    pub(crate) mode: Mode,
}

/// What becomes of a second run.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Skip,
    Cancel,
    Latest,
}

/// `idempotency(key = event.order, within = "24h")`
pub(crate) struct Idempotency {
    pub(crate) key: Key,
    pub(crate) within: Duration,
}

impl Concurrency {
    pub(super) const EXAMPLE: &str = "concurrency(limit = 5, key = event.user_id)";

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let known = ["limit", "key", "scope", "hold"];
        let mut parts = Parts::new(name, list, &known, Self::EXAMPLE, problems);
        parts.require(&["limit"], "it says how many runs do something at the same time");
        let limit = parts.number("limit", 0..=MOST);
        let key = parts.key();
        let scope = parts.read("scope", scope).unwrap_or_default();
        let hold = parts.word("hold", &[("active", Hold::Active), ("run", Hold::Run)]);
        parts.whole(|| Some(Self { name: name.clone(), limit: limit?, key, scope, hold }))
    }
}

fn scope(name: &Ident, value: &Value) -> Result<Scope, Problem> {
    match value {
        _ if is_word(value, "workflow") => Ok(Scope::Workflow),
        _ if is_word(value, "app") => Ok(Scope::App),
        Value::Expr(Expr::Lit(ExprLit { lit: Lit::Str(shared), .. })) => {
            if is_kebab_case(&shared.value()) {
                return Ok(Scope::Named(shared.clone()));
            }
            let suggestion = match to_kebab_case(&shared.value()) {
                kebab if is_kebab_case(&kebab) => kebab,
                _ => "llm".to_owned(),
            };
            Err(Problem::at(shared, format!("the scope `{}` is not kebab-case", shared.value()))
                .note("it is shown in logs and metrics; names are words of `a-z` and `0-9` with hyphens between, at most 128 bytes")
                .help(format!("scope = \"{suggestion}\"")))
        }
        _ => Err(Problem::at(&place(name, value), "`scope` is `workflow`, `app` or a name")
            .note("all workflows of the app that give the same name share one limit")
            .help("scope = \"llm\"")),
    }
}

impl Throttle {
    pub(super) const EXAMPLE: &str =
        "throttle(limit = 10, per = \"1m\", burst = 5, key = event.user_id)";

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let known = ["limit", "per", "burst", "key"];
        let mut parts = Parts::new(name, list, &known, Self::EXAMPLE, problems);
        parts.require(&["limit", "per"], "so many runs start in this time, evenly spread");
        let limit = parts.number("limit", 1..=MOST);
        let per = parts.duration("per", LONGEST);
        let burst = parts.number("burst", 0..=MOST).unwrap_or(0);
        let key = parts.key();
        parts.whole(|| Some(Self { limit: limit?, per: per?.0, burst, key }))
    }
}

impl RateLimit {
    pub(super) const EXAMPLE: &str = "rate_limit(limit = 10, per = \"1h\", key = event.user_id)";

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let known = ["limit", "per", "key"];
        let mut parts = Parts::new(name, list, &known, Self::EXAMPLE, problems);
        parts.require(
            &["limit", "per"],
            "so many events start a run in this time; the rest is skipped",
        );
        let limit = parts.number("limit", 1..=MOST);
        let per = parts.duration("per", LONGEST);
        let key = parts.key();
        parts.whole(|| Some(Self { limit: limit?, per: per?.0, key }))
    }
}

impl Debounce {
    pub(super) const EXAMPLE: &str =
        "debounce(period = \"30s\", max = \"5m\", key = event.user_id)";

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let known = ["period", "max", "key"];
        let mut parts = Parts::new(name, list, &known, Self::EXAMPLE, problems);
        parts.require(&["period"], "the run starts when so long no further event has come");
        let period = parts.duration("period", LONGEST_PERIOD);
        let max = parts.duration("max", LONGEST);
        let key = parts.key();
        parts.whole(|| Some(Self { period: period?.0, max, key }))
    }
}

impl Singleton {
    pub(super) const EXAMPLE: &str = "singleton(key = event.user_id, mode = skip)";

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let mut parts = Parts::new(name, list, &["key", "mode"], Self::EXAMPLE, problems);
        parts.require(
            &["mode"],
            "while a run is not over, `skip` starts no second one, `cancel` cancels the first one, and \
             `latest` lets the second one wait and cancels one that waits already",
        );
        let key = parts.key();
        let modes = [("skip", Mode::Skip), ("cancel", Mode::Cancel), ("latest", Mode::Latest)];
        let mode = parts.word("mode", &modes);
        parts.whole(|| Some(Self { key, mode: mode? }))
    }
}

impl Idempotency {
    pub(super) const EXAMPLE: &str = "idempotency(key = event.order_id, within = \"24h\")";
    const WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

    pub(super) fn parse(name: &Ident, list: TokenStream, problems: &Problems) -> Option<Self> {
        let mut parts = Parts::new(name, list, &["key", "within"], Self::EXAMPLE, problems);
        parts.require(&["key"], "one run starts for all events of a key");
        let key = parts.key();
        let within = parts.duration("within", LONGEST).map_or(Self::WITHIN, |(within, _)| within);
        parts.whole(|| Some(Self { key: key?, within }))
    }
}
