use indelible::prelude::*;

use crate::work::{refuse, work};

body! {
    on [4]
    async fn the_first_goes_on(n: u32, step: Step) -> Result<u32, Failure> {
        let won = race! {
            a = step.run("a", work("a", n)) => a?,
            () = step.sleep("rest", "1h") => 0,
        };
        Ok(won + step.run("after", work("after", won)).await?)
    }
}

body! {
    on [3]
    async fn a_winner_leaves_the_loop(n: u32, step: Step) -> Result<u32, Failure> {
        let mut seen = 0;
        loop {
            race! {
                a = step.run("a", work("a", n + seen)) => {
                    seen += a?;
                    if seen > 10 {
                        break;
                    }
                },
                () = step.sleep("rest", "1h") => return Ok(0),
            }
        }
        Ok(seen)
    }
}

body! {
    on [1]
    async fn a_winner_fails_the_body(_n: u32, step: Step) -> Result<u32, Failure> {
        race! {
            a = step.run("a", async || refuse::<u32>("a").await) => Ok(a?),
            () = step.sleep("rest", "90 days") => Ok(1),
        }
    }
}

body! {
    on [vec![3, 1, 2], vec![]]
    async fn a_step_for_each_item(items: Vec<u32>, step: Step) -> Result<Vec<u32>, Failure> {
        let factor = 10;
        let all = items.iter().map(|item| step.run("a", work("a", item * factor)).key(item));
        let mut given = Vec::new();
        for outcome in step.join_all(all).limit(2).await {
            given.push(outcome?);
        }
        Ok(given)
    }
}

body! {
    on [vec!["x".to_owned(), "y".to_owned()]]
    async fn steps_from_a_loop(names: Vec<String>, step: Step) -> Result<usize, Failure> {
        let mut all = Vec::new();
        for name in names {
            let text = format!("dear {name}");
            all.push(step.run("a", work("a", text.clone())).key(&name));
        }
        let outcomes = step.join_all(all).await;
        Ok(outcomes.into_iter().flatten().map(|text| text.len()).sum())
    }
}
