use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use super::configuration::{Backoff, Configuration, OnChange, Timeout};
use super::limits::{Concurrency, Debounce, Idempotency, RateLimit, Singleton, Throttle};
use super::parts::place;
use super::values::{path, text};
use super::{Allowance, Batch, Cron, Filter, Key, MOST_RETRIES};
use crate::parse::{Argument, CancelSyntax, Value, did_you_mean};
use crate::problem::{Problem, Problems};

/// An argument that `#[workflow(..)]` knows.
pub(super) struct Known {
    name: &'static str,
    /// Whether it may be given several times.
    pub(super) repeats: bool,
    /// How it is written.
    example: &'static str,
    /// Adds what it says.
    read: fn(&mut Configuration, Given<'_>),
}

const ARGUMENTS: &[Known] = &[
    Known {
        name: "id",
        repeats: false,
        example: "id = \"on-ticket-created\"",
        read: |workflow, given| workflow.id = given.string(),
    },
    Known {
        name: "retries",
        repeats: false,
        example: "retries = 2",
        read: |workflow, given| workflow.retries = given.retries(),
    },
    Known {
        name: "backoff",
        repeats: false,
        example: "backoff(initial = \"1s\", max = \"1h\")",
        read: |workflow, given| {
            workflow.backoff =
                given.list("its arguments", |_, list, problems| Backoff::new(list, problems));
        },
    },
    Known {
        name: "on_change",
        repeats: false,
        example: "on_change = pin",
        read: |workflow, given| workflow.on_change = given.on_change(),
    },
    Known {
        name: "on",
        repeats: true,
        example: Filter::EXAMPLE,
        read: |workflow, given| {
            let filter = given.list("an event and a condition", Filter::parse);
            workflow.filters.extend(filter.flatten());
        },
    },
    Known {
        name: "cron",
        repeats: false,
        example: Cron::EXAMPLE,
        read: |workflow, given| {
            workflow.scheduled = Some(given.name.clone());
            workflow.cron = given.list("an expression", Cron::parse).flatten();
        },
    },
    Known {
        name: "batch",
        repeats: false,
        example: Batch::EXAMPLE,
        read: |workflow, given| {
            workflow.batched = Some(given.name.clone());
            workflow.batch = given.list("its arguments", Batch::parse).flatten();
        },
    },
    Known {
        name: "concurrency",
        repeats: true,
        example: Concurrency::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            let concurrency = given.list("its arguments", Concurrency::parse);
            workflow.limits.concurrency.extend(concurrency.flatten());
        },
    },
    Known {
        name: "throttle",
        repeats: false,
        example: Throttle::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.throttle = given.list("its arguments", Throttle::parse).flatten();
        },
    },
    Known {
        name: "rate_limit",
        repeats: false,
        example: RateLimit::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.rate_limit = given.list("its arguments", RateLimit::parse).flatten();
        },
    },
    Known {
        name: "debounce",
        repeats: false,
        example: Debounce::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.debounce = given.list("its arguments", Debounce::parse).flatten();
        },
    },
    Known {
        name: "priority",
        repeats: false,
        example: "priority = if event.urgent { 600 } else { 0 }",
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.priority = given.seconds();
        },
    },
    Known {
        name: "singleton",
        repeats: false,
        example: Singleton::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.singleton = given.list("its arguments", Singleton::parse).flatten();
        },
    },
    Known {
        name: "idempotency",
        repeats: false,
        example: Idempotency::EXAMPLE,
        read: |workflow, given| {
            workflow.limits.given.push(given.name.clone());
            workflow.limits.idempotency = given.list("its arguments", Idempotency::parse).flatten();
        },
    },
    Known {
        name: "cancel_on",
        repeats: true,
        example: "cancel_on(TicketDeleted, matching = ticket_id)",
        read: |workflow, given| {
            let cancel = given.list("its arguments", CancelSyntax::parse);
            workflow.cancels.extend(cancel.flatten());
        },
    },
    Known {
        name: "timeout",
        repeats: false,
        example: "timeout(start = \"1h\", finish = \"1 day\")",
        read: |workflow, given| {
            let timeout =
                given.list("its arguments", |_, list, problems| Timeout::new(list, problems));
            workflow.timeout = timeout.unwrap_or_default();
        },
    },
    Known {
        name: "on_failure",
        repeats: false,
        example: "on_failure = report",
        read: |workflow, given| workflow.on_failure = given.handler(),
    },
    Known {
        name: "on_cancel",
        repeats: false,
        example: "on_cancel = report",
        read: |workflow, given| workflow.on_cancel = given.handler(),
    },
    Known {
        name: "input",
        repeats: false,
        example: "input",
        read: |workflow, given| {
            workflow.direct =
                given.flag("the input's type is that of the function's first parameter");
        },
    },
    Known {
        name: "allow",
        repeats: true,
        example: Allowance::EXAMPLE,
        read: |workflow, given| {
            let allowance = given.list("a rule and a reason", Allowance::parse);
            workflow.allowances.extend(allowance.flatten());
        },
    },
    Known {
        name: "crate",
        repeats: false,
        example: "crate = ::indelible",
        read: |workflow, given| workflow.krate = given.problems.ok(path(&given.name, given.value)),
    },
];

impl Known {
    /// The one of a name.
    pub(super) fn named(name: &Ident) -> Option<&'static Self> {
        ARGUMENTS.iter().find(|known| name == known.name)
    }

    /// Adds what an argument of this name says.
    pub(super) fn read(
        &self,
        workflow: &mut Configuration,
        Argument { name, value }: Argument,
        problems: &Problems,
    ) {
        (self.read)(workflow, Given { name, value, example: self.example, problems });
    }
}

/// What is wrong with an argument of an unknown name.
pub(super) fn unknown(name: &Ident) -> Problem {
    let known: Vec<&str> = ARGUMENTS.iter().map(|known| known.name).collect();
    Problem::at(name, format!("`#[workflow]` has no argument `{name}`"))
        .help(did_you_mean(&name.to_string(), &known))
}

/// A known argument, as it is given. What it does not fit is reported.
struct Given<'a> {
    name: Ident,
    value: Value,
    example: &'static str,
    problems: &'a Problems,
}

impl Given<'_> {
    /// The literal behind its name.
    fn string(self) -> Option<LitStr> {
        let literal = text(&self.name, self.value);
        self.problems.ok(literal.map_err(|problem| problem.help(self.example)))
    }

    /// What stands in its parentheses, which hold `what`.
    fn list<T>(
        self,
        what: &str,
        read: impl FnOnce(&Ident, TokenStream, &Problems) -> T,
    ) -> Option<T> {
        let Self { name, value, example, problems } = self;
        if let Value::List(list) = value {
            return Some(read(&name, list, problems));
        }
        let what = format!("`{name}` takes {what} in parentheses");
        problems.report(Problem::at(&name, what).help(example));
        None
    }

    /// Whether it stands there, alone; if not, `help` says where that is which it is given.
    fn flag(self, help: &str) -> bool {
        let is_alone = matches!(self.value, Value::Flag);
        if !is_alone {
            let what = format!("`{}` stands alone", self.name);
            self.problems.report(Problem::at(&self.name, what).help(help));
        }
        is_alone
    }

    fn retries(self) -> Option<u32> {
        let Self { name, value, example, problems } = self;
        let number = match &value {
            Value::Expr(Expr::Lit(ExprLit { lit: Lit::Int(literal), .. })) => {
                literal.base10_parse().ok().filter(|number| *number <= MOST_RETRIES)
            }
            _ => None,
        };
        if number.is_none() {
            let what = format!("`{name}` takes a whole number from 0 to {MOST_RETRIES}");
            problems.report(Problem::at(&place(&name, &value), what).help(example));
        }
        number
    }

    fn seconds(self) -> Option<Key> {
        let Self { name, value, example, problems } = self;
        match value {
            Value::Expr(expression) => Some(Key(expression)),
            _ => {
                problems.report(
                    Problem::at(&name, format!("`{name}` takes a number of seconds"))
                        .note("a positive number puts the run ahead of runs that were accepted up to so many seconds earlier, a negative one behind later ones")
                        .help(example),
                );
                None
            }
        }
    }

    /// The workflow that it names.
    fn handler(self) -> Option<Path> {
        let Self { name, value, example, problems } = self;
        match value {
            Value::Expr(Expr::Path(path)) if path.qself.is_none() => Some(path.path),
            _ => {
                problems.report(
                    Problem::at(&name, format!("`{name}` names a workflow"))
                        .note("it starts as a run of its own, in the commit that ends the run")
                        .help(example),
                );
                None
            }
        }
    }

    fn on_change(self) -> Option<OnChange> {
        let Self { name, value, example, problems } = self;
        match &value {
            Value::Expr(Expr::Path(path)) if path.path.is_ident("resume") => Some(OnChange::Resume),
            Value::Expr(Expr::Path(path)) if path.path.is_ident("pin") => Some(OnChange::Pin),
            _ => {
                problems.report(
                    Problem::at(&place(&name, &value), format!("`{name}` is `resume` or `pin`"))
                        .note("when a new version changes the workflow, it either resumes unfinished runs, or leaves them to workers of the version with which they began")
                        .help(example),
                );
                None
            }
        }
    }
}

impl Configuration {
    pub(crate) fn new(arguments: Vec<Argument>, problems: &Problems) -> Self {
        let mut configuration = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        for argument in arguments {
            if let Some(first) = seen.iter().find(|name| **name == argument.name) {
                problems.report(Problem::at(&argument.name, format!("`{first}` is given twice")));
                continue;
            }
            let known = Known::named(&argument.name);
            if !known.is_some_and(|known| known.repeats) {
                seen.push(argument.name.clone());
            }
            match known {
                Some(known) => known.read(&mut configuration, argument, problems),
                None => problems.report(unknown(&argument.name)),
            }
        }
        configuration
    }

    /// What `#[durable(..)]` says.
    pub(crate) fn of_helper(arguments: Vec<Argument>, problems: &Problems) -> Self {
        let mut configuration = Self::default();
        for argument in arguments {
            let name = &argument.name;
            let known = Known::named(name).filter(|_| name == "allow" || name == "crate");
            match known {
                Some(known) => known.read(&mut configuration, argument, problems),
                None => problems.report(
                    Problem::at(name, format!("`#[durable]` has no argument `{name}`"))
                        .help("the workflow that calls a helper has the ids, retries and triggers"),
                ),
            }
        }
        configuration
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse_arguments;

    #[test]
    fn every_example_is_right() {
        for known in ARGUMENTS {
            let problems = Problems::new();
            let tokens = known.example.parse().expect("it is a list of tokens");
            let arguments = parse_arguments(tokens, &problems);
            assert!(arguments.iter().all(|argument| argument.name == known.name), "{}", known.name);
            Configuration::new(arguments, &problems);
            let found: Vec<_> = problems.read().iter().map(ToString::to_string).collect();
            assert!(found.is_empty(), "{}: {found:?}", known.name);
        }
    }

    #[test]
    fn only_what_repeats_may_be_given_twice() {
        for known in ARGUMENTS {
            let problems = Problems::new();
            let twice = format!("{0}, {0}", known.example).parse().expect("it is a list of tokens");
            Configuration::new(parse_arguments(twice, &problems), &problems);
            let found: Vec<_> = problems.read().iter().map(ToString::to_string).collect();
            let twice = [format!("`{}` is given twice", known.name)];
            let expected = if known.repeats { &[][..] } else { &twice };
            assert_eq!(found, expected);
        }
    }
}
