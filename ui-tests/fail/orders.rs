use std::collections::{HashMap, HashSet};

use indelible::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    lines: HashMap<String, u32>,
    tags: HashSet<String>,
}

async fn prices() -> Result<HashMap<String, u32>, Failure> {
    Ok(HashMap::new())
}

fn shelves() -> Vec<HashMap<String, u32>> {
    Vec::new()
}

#[workflow(input)]
async fn ship(order: Order, step: Step) -> Result<(), Failure> {
    for (name, count) in &order.lines {
        step.run("ship", async move { Ok((name.clone(), *count)) }).key(name).await?;
    }
    let prices = step.run("fetch-prices", prices()).await?;
    for name in prices.keys() {
        step.sleep("rest", "1s").key(name).await;
    }
    for shelf in shelves() {
        for (name, _) in shelf {
            step.sleep("rest-more", "1s").key(name).await;
        }
    }
    let first = order.tags.iter().next();
    step.attribute("first", format!("{first:?}"));
    let all: Vec<_> = order.lines.keys().cloned().collect();
    step.run("all", async { Ok(all.len()) }).await?;
    let mut named = Vec::new();
    #[carried(named)]
    for name in order.lines.values() {
        named.push(*name);
    }
    Ok(())
}

fn main() {}
