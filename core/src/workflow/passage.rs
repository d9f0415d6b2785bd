use super::{Allowance, Checks, Concurrency, Declared, Flow, Gate, Hold, Key, Scope};
use crate::payload::Payload;

/// What a run with one input has to pass before it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passage {
    /// Its gates.
    pub gates: Vec<Gate>,
    /// How many seconds it is ahead of others that were accepted with it.
    pub ahead: i32,
    /// What is asked about its event.
    pub checks: Checks,
}

impl Flow {
    /// What a run of the workflow has to pass, whatever starts it.
    ///
    /// # Errors
    ///
    /// When a key or the priority fails: why.
    #[doc(hidden)]
    pub fn passage(&self, workflow: &str, input: &Payload) -> Result<Passage, String> {
        let mut passage = Passage::default();
        for (concurrency, limit) in self.slots(workflow) {
            let rule = match concurrency.scope() {
                Scope::Workflow => Rule::Own,
                Scope::App | Scope::Named(_) => Rule::Shared,
            };
            let gate = gate(limit, concurrency.expression(), rule, concurrency.hold(), input)?;
            passage.gates.extend(gate);
        }
        if let Some(throttle) = self.throttle {
            let (limit, key) = (pace(workflow), throttle.expression());
            passage.gates.extend(gate(limit, key, Rule::Own, Hold::Pass, input)?);
        }
        if let Some(singleton) = self.singleton {
            let (limit, key) = (single(workflow), singleton.expression());
            let gate = gate(limit, key, Rule::Own, Hold::Run, input)?;
            passage.checks.single = gate.clone().map(|gate| (gate, singleton.mode()));
            passage.gates.extend(gate);
        }
        if let Some(priority) = self.priority {
            passage.ahead = priority.of(input)?;
        }
        Ok(passage)
    }

    /// The same of a run that an event starts, with what is asked about the event.
    ///
    /// # Errors
    ///
    /// As [`passage`](Self::passage).
    #[doc(hidden)]
    pub fn passage_of_event(&self, workflow: &str, input: &Payload) -> Result<Passage, String> {
        let mut passage = self.passage(workflow, input)?;
        if let Some(rate) = self.rate_limit {
            let (limit, key) = (window(workflow), rate.expression());
            passage.checks.rate = gate(limit, key, Rule::Own, Hold::Pass, input)?;
        }
        if let Some(once) = self.idempotency {
            let (limit, key) = (format!("{workflow}/idempotency"), Some(once.expression()));
            let gate = gate(limit, key, Rule::Own, Hold::Pass, input)?;
            passage.checks.once = gate.map(|gate| (gate, once.within()));
        }
        Ok(passage)
    }

    /// The limits of the workflow, with what they allow.
    #[doc(hidden)]
    pub fn declared(&self, workflow: &str) -> Vec<Declared> {
        let slots = self.slots(workflow).map(|(concurrency, limit)| {
            let allows = Allowance::Slots(concurrency.limit());
            Declared { limit, allows }
        });
        let throttle = self.throttle.map(|throttle| {
            let (limit, per, burst) = (throttle.limit(), throttle.per(), throttle.burst());
            let allows = Allowance::Pace { limit, per, burst };
            Declared { limit: pace(workflow), allows }
        });
        let rate = self.rate_limit.map(|rate| {
            let allows = Allowance::Window { limit: rate.limit(), per: rate.per() };
            Declared { limit: window(workflow), allows }
        });
        let single = self.single(workflow).map(|limit| {
            let allows = Allowance::Slots(1);
            Declared { limit, allows }
        });
        slots.chain(throttle).chain(rate).chain(single).collect()
    }

    /// The limit that lets one run of a key through at a time, if the workflow has it.
    #[doc(hidden)]
    pub fn single(&self, workflow: &str) -> Option<String> {
        self.singleton.map(|_| single(workflow))
    }

    /// Its concurrency limits by their names. Its own ones are counted, so that each has a name.
    fn slots(&self, workflow: &str) -> impl Iterator<Item = (Concurrency, String)> {
        let mut own = 0;
        self.concurrency.into_iter().flatten().map(move |concurrency| {
            let limit = match concurrency.scope() {
                Scope::App => "app".to_owned(),
                Scope::Named(name) => format!("scope/{name}"),
                Scope::Workflow => {
                    own += 1;
                    match own {
                        1 => format!("{workflow}/concurrency"),
                        nth => format!("{workflow}/concurrency-{nth}"),
                    }
                }
            };
            (concurrency, limit)
        })
    }
}

fn pace(workflow: &str) -> String {
    format!("{workflow}/throttle")
}

fn window(workflow: &str) -> String {
    format!("{workflow}/rate-limit")
}

fn single(workflow: &str) -> String {
    format!("{workflow}/singleton")
}

/// Whether keys count together only if their expression is the same.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    Own,
    Shared,
}

/// One key of a limit; `None` if the run is not limited.
fn gate(
    limit: String,
    key: Option<Key>,
    rule: Rule,
    hold: Hold,
    input: &Payload,
) -> Result<Option<Gate>, String> {
    let rule = match &key {
        Some(key) if rule == Rule::Own => key.expression(),
        _ => "",
    };
    let text = key.map_or(Ok(Some(String::new())), |key| key.counted(input))?;
    Ok(text.map(|key| Gate { limit, key, rule, hold }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::prelude::*;
    use crate::workflow::{Config, Single};

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/paid")]
    struct Paid {
        order: u32,
        shop: Option<String>,
        cents: i64,
    }

    #[derive(Event, Serialize, Deserialize, JsonSchema)]
    #[event(name = "order/refunded")]
    struct Refunded {
        order: u32,
    }

    #[derive(Triggers)]
    enum Settled {
        Paid(Received<Paid>),
        Refunded(Refunded),
        Tick(Tick),
    }

    impl Settled {
        fn order(&self) -> Option<u32> {
            match self {
                Self::Paid(paid) => Some(paid.data.order),
                Self::Refunded(refunded) => Some(refunded.order),
                Self::Tick(_) => None,
            }
        }
    }

    #[workflow(
        concurrency(limit = 5, key = event.shop),
        concurrency(limit = 2, key = event.order, hold = run),
        throttle(limit = 10, per = "1m", burst = 5),
        rate_limit(limit = 3, per = "1h", key = event.shop),
        singleton(key = (event.order, event.cents > 0), mode = latest),
        idempotency(key = event.order),
        priority = event.cents / 100,
    )]
    async fn ship(_paid: Received<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        cron("0 9 * * *"),
        concurrency(limit = 7, scope = app),
        concurrency(limit = 8, key = event.order(), scope = "bank")
    )]
    async fn book(_settled: Settled) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        batch(max = 10, timeout = "5s"),
        concurrency(limit = 1, key = events.len()),
        priority = -60
    )]
    async fn gather(_paid: Vec<Paid>) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(input, throttle(limit = 1, per = "1s", key = input % 2))]
    async fn count(_number: u32) -> Result<(), Failure> {
        Ok(())
    }

    #[workflow(
        cron("0 9 * * *"),
        singleton(mode = skip),
        concurrency(limit = 0, key = tick.previous.is_some())
    )]
    async fn report(_tick: Tick) -> Result<(), Failure> {
        Ok(())
    }

    fn gate(limit: &str, key: &str, rule: &'static str, hold: Hold) -> Gate {
        Gate { limit: limit.to_owned(), key: key.to_owned(), rule, hold }
    }

    fn passage(config: Config, workflow: &str, input: &str) -> Passage {
        config.flow.passage(workflow, &Payload::stored(input)).expect("it has one")
    }

    #[test]
    fn each_limit_is_a_gate_under_the_key_of_the_input() {
        let input = Payload::stored(r#"{"order":7,"shop":"north","cents":5000}"#);
        let passage = ship::CONFIG.flow.passage_of_event("ship", &input).expect("it has one");
        let single =
            gate("ship/singleton", "[7,true]", "(event.order, event.cents > 0)", Hold::Run);
        let gates = vec![
            gate("ship/concurrency", r#""north""#, "event.shop", Hold::Active),
            gate("ship/concurrency-2", "7", "event.order", Hold::Run),
            gate("ship/throttle", "", "", Hold::Pass),
            single.clone(),
        ];
        let once = gate("ship/idempotency", "7", "event.order", Hold::Pass);
        let checks = Checks {
            once: Some((once, Duration::from_hours(24))),
            rate: Some(gate("ship/rate-limit", r#""north""#, "event.shop", Hold::Pass)),
            single: Some((single, Single::Latest)),
        };
        assert_eq!(passage, Passage { gates, ahead: 50, checks });
    }

    #[test]
    fn a_run_that_no_event_starts_is_asked_whether_it_is_the_single_one_alone() {
        let input = r#"{"order":7,"shop":"north","cents":0}"#;
        let Checks { once, rate, single } = passage(ship::CONFIG, "ship", input).checks;
        assert_eq!((once, rate), (None, None));
        assert!(single.is_some());
    }

    #[test]
    fn what_has_no_key_is_not_limited() {
        let input = Payload::stored(r#"{"order":7,"cents":0}"#);
        let passage = ship::CONFIG.flow.passage_of_event("ship", &input).expect("it has one");
        let limits: Vec<_> = passage.gates.iter().map(|gate| &*gate.limit).collect();
        assert_eq!(limits, ["ship/concurrency-2", "ship/throttle", "ship/singleton"]);
        assert_eq!(passage.checks.rate, None);
    }

    #[test]
    fn keys_see_what_starts_the_workflow_in_each_of_its_forms() {
        let shared = gate("app", "", "", Hold::Active);
        let of_order = |key: &str| gate("scope/bank", key, "", Hold::Active);
        let of = |input: &str| passage(book::CONFIG, "book", input).gates;
        let paid = r#"{"order/paid":{"order":7,"cents":1}}"#;
        assert_eq!(of(paid), [shared.clone(), of_order("7")]);
        assert_eq!(of(r#"{"order/refunded":{"order":8}}"#), [shared.clone(), of_order("8")]);
        assert_eq!(of(r#"{"tick":{"scheduled_at":"2026-01-01T09:00:00Z"}}"#), [shared]);

        let paid = r#"[{"order":7,"cents":1},{"order":8,"cents":1}]"#;
        let gathered = passage(gather::CONFIG, "gather", paid);
        let gates = [gate("gather/concurrency", "2", "events.len()", Hold::Active)];
        assert_eq!((&*gathered.gates, gathered.ahead), (&gates[..], -60));

        let gates = [gate("count/throttle", "1", "input % 2", Hold::Pass)];
        assert_eq!(passage(count::CONFIG, "count", "7").gates, gates);

        let tick = r#"{"scheduled_at":"2026-01-01T09:00:00Z"}"#;
        let ticked = passage(report::CONFIG, "report", tick);
        let slots = gate("report/concurrency", "false", "tick.previous.is_some()", Hold::Active);
        let single = gate("report/singleton", "", "", Hold::Run);
        assert_eq!(ticked.checks.single, Some((single.clone(), Single::Skip)));
        assert_eq!(ticked.gates, [slots, single]);
    }

    #[test]
    fn what_fails_says_which_key_or_priority_it_is_and_why() {
        let reason = |order: &str, shop: &str, cents: i64| {
            let input = format!(r#"{{"order":{order},"shop":"{shop}","cents":{cents}}}"#);
            let passage = ship::CONFIG.flow.passage("ship", &Payload::stored(input));
            passage.expect_err("it fails")
        };
        let expected = "the key `event.shop` has 602 bytes as JSON, over the limit of 512 bytes";
        assert_eq!(reason("7", &"x".repeat(600), 0), expected);
        let expected = "the priority `event.cents / 100` is 50000; it may be from -43200 to 43200 \
                        seconds";
        assert_eq!(reason("7", "north", 5_000_000), expected);
        let unread = reason("true", "north", 0);
        assert!(unread.starts_with("the key `event.shop` cannot read its data: order"), "{unread}");
    }

    #[test]
    fn limits_are_declared_under_the_names_of_their_gates() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let declared = |limit: &str, allows| Declared { limit: limit.to_owned(), allows };
        let of_ship = [
            declared("ship/concurrency", Allowance::Slots(5)),
            declared("ship/concurrency-2", Allowance::Slots(2)),
            declared("ship/throttle", Allowance::Pace { limit: 10, per: minute, burst: 5 }),
            declared("ship/rate-limit", Allowance::Window { limit: 3, per: hour }),
            declared("ship/singleton", Allowance::Slots(1)),
        ];
        assert_eq!(ship::CONFIG.flow.declared("ship"), of_ship);
        let of_book =
            [declared("app", Allowance::Slots(7)), declared("scope/bank", Allowance::Slots(8))];
        assert_eq!(book::CONFIG.flow.declared("book"), of_book);
    }
}
