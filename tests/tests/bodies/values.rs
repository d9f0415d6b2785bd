use std::collections::{BTreeMap, HashMap};

use indelible::prelude::*;

use crate::work::work;

body! {
    on [300]
    async fn casts_and_literals(n: i64, step: Step) -> Result<f64, Failure> {
        let byte = step.run("byte", work("byte", n as u8)).await?;
        let big = 0xff_u64 + 0b1010 + 0o17 + 1_000;
        let float = byte as f64 * 1e2 + f64::from(2.5f32);
        Ok(float + big as f64 + i32::from(b'a' == 97) as f64)
    }
}

body! {
    on [5]
    async fn options_and_results_combined(n: u32, step: Step) -> Result<Option<u32>, Failure> {
        let found = step.run("find", work("find", Some(n))).await?;
        let scaled =
            found.map(|n| n * 2).filter(|n| *n > 5).or(Some(0)).and_then(|n| n.checked_sub(1));
        let zipped = scaled.zip(found).map(|(a, b)| a + b);
        let all: Option<Vec<u32>> = [scaled, zipped].into_iter().collect();
        let results: Result<Vec<u32>, _> =
            ["1", "2"].iter().map(|text| text.parse::<u32>()).collect();
        let extra: u32 = results?.into_iter().sum();
        let sum = all.map(|all| all.iter().sum::<u32>() + extra);
        Ok(step.run("sum", work("sum", sum)).await?)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Payment {
    Card { last_four: String },
    Transfer(Account),
    Cash,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    iban: String,
}

body! {
    on [
        Payment::Card { last_four: "1234".to_owned() },
        Payment::Transfer(Account { iban: "FR76".to_owned() }),
        Payment::Cash,
    ]
    async fn a_users_own_types(payment: Payment, step: Step) -> Result<(Payment, String), Failure> {
        let checked = step.run("check", work("check", payment.clone())).await?;
        if checked != payment {
            return Err(Failure::msg("it has changed"));
        }
        let what = match &checked {
            Payment::Card { last_four } => {
                step.run("card", work("card", last_four.clone())).await?
            }
            Payment::Transfer(Account { iban }) => {
                step.run("iban", work("iban", iban.to_lowercase())).await?
            }
            Payment::Cash => String::new(),
        };
        Ok((checked, what))
    }
}

body! {
    on [3]
    async fn maps_by_their_keys(n: u32, step: Step) -> Result<BTreeMap<String, u32>, Failure> {
        let prices = (0..n).map(|n| (n.to_string(), n)).collect::<BTreeMap<_, _>>();
        let prices: HashMap<String, u32> =
            step.run("prices", work("prices", prices.clone())).await?.into_iter().collect();
        let names: Vec<_> =
            (0..n).map(|n| n.to_string()).filter(|n| prices.contains_key(n)).collect();
        let mut out = BTreeMap::new();
        for name in names {
            let price = step.run("raise", work(&name, prices[&name] + 1)).await?;
            *out.entry(name).or_insert(0) += price;
        }
        Ok(out)
    }
}

body! {
    on [()]
    async fn units_everywhere(nothing: (), step: Step) -> Result<(), Failure> {
        step.run("first", work("first", nothing)).await?;
        let () = step.run("second", work("second", ())).await?;
        _ = step.run("third", work("third", 1)).await;
        step.sleep("rest", "1ms").await;
        Ok(())
    }
}

body! {
    on [1]
    async fn a_body_without_steps(n: u32, _step: Step) -> Result<u32, Failure> {
        let values = [n; 3];
        Ok(values.iter().sum())
    }
}

/// Something happened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event(name = "bodies/happened")]
pub(crate) struct Happened {
    n: u32,
}

body! {
    on [3]
    async fn events_are_sent(n: u32, step: Step) -> Result<u32, Failure> {
        for n in 0..n {
            step.send_event("tell", Happened { n }).await?;
        }
        let told =
            step.send_event("tell-last", Happened { n: step.run("last", work("last", n)).await? });
        told.await?;
        Ok(n)
    }
}
