use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use indelible::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    lines: BTreeMap<String, u32>,
    prices: HashMap<String, u32>,
    tags: HashSet<String>,
    notes: Vec<String>,
}

#[derive(Default)]
struct Summary {
    tags: BTreeSet<String>,
    all: HashSet<String>,
}

struct Shelf(Vec<u32>);

impl Shelf {
    fn iter(&self) -> std::slice::Iter<'_, u32> {
        self.0.iter()
    }
}

impl<'s> IntoIterator for &'s Shelf {
    type Item = &'s u32;
    type IntoIter = std::slice::Iter<'s, u32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

async fn names() -> Result<Vec<String>, Failure> {
    Ok(Vec::new())
}

#[workflow(input)]
async fn ship(mut order: Order, step: Step) -> Result<u32, Failure> {
    for (name, count) in &order.lines {
        step.run("ship", async move { Ok((name.clone(), *count)) }).key(name).await?;
    }
    for name in step.run("fetch-names", names()).await? {
        step.sleep("rest", "1s").key(name).await;
    }
    for note in order.notes.iter_mut().filter(|note| !note.is_empty()) {
        *note = step.run("write", async { Ok(note.to_uppercase()) }).key(note.len()).await?;
    }
    for item in &Shelf(vec![1, 2]) {
        step.sleep("rest-more", "1s").key(item).await;
    }
    let mut tags: Vec<_> = order.tags.iter().collect();
    tags.sort();
    for tag in tags {
        step.sleep("tag", "1s").key(tag).await;
    }
    #[workflow(allow(determinism, reason = "there is at most one"))]
    for price in order.prices.keys() {
        step.sleep("price", "1s").key(price).await;
    }
    let mut sum = 0;
    for price in order.prices.values() {
        sum += price;
    }
    let mut summary = Summary::default();
    for tag in &order.tags {
        summary.tags.insert(tag.clone());
    }
    summary.all.extend(order.tags.iter().cloned());
    let copied = Summary { all: order.tags.iter().cloned().collect(), ..summary };
    let is_known = order.tags.iter().find(|tag| copied.all.contains(*tag)).is_some();
    step.attribute("known", is_known);
    #[carried(sum)]
    for note in order.notes {
        sum += step.run("count", async move { Ok(note.len() as u32) }).await?;
    }
    Ok(sum + order.prices.values().copied().max().unwrap_or_default())
}

fn main() {}
