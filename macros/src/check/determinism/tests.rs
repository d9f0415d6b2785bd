use syn::{Block, ItemFn, parse_quote};

use super::body::{Body, Finding};
use crate::model::Handle;

fn findings(function: &ItemFn) -> impl Iterator<Item = Finding> {
    let handle = Handle::new(quote::format_ident!("step"));
    Body::of(function, Some(&handle)).into_iter().map(|found| found.finding)
}

fn found_in(function: &ItemFn) -> Vec<String> {
    let seen = |finding| match finding {
        Finding::Seen { what, .. } => Some(what),
        Finding::Asked(_) => None,
    };
    findings(function).filter_map(seen).collect()
}

/// Where rustc is asked.
fn asked(block: Block) -> Vec<String> {
    let asked = |finding| match finding {
        Finding::Seen { .. } => None,
        Finding::Asked(place) => Some(place.to_string()),
    };
    findings(&parse_quote!(async fn body(order: Order, step: Step) #block))
        .filter_map(asked)
        .collect()
}

fn found(block: Block) -> Vec<String> {
    found_in(&parse_quote!(async fn body(step: Step) #block))
}

#[test]
fn every_kind_of_source_is_known() {
    let found = found(parse_quote!({
        let now = std::time::SystemTime::now();
        let id = Uuid::new_v4();
        let x: f64 = rand::random();
        let ids: Vec<_> = (0..3).map(|_| fastrand::u8(..)).collect();
        let home = std::env::var("HOME");
        tokio::spawn(async {});
        tokio::time::sleep(d);
        let text = std::fs::read_to_string(path);
        std::thread::sleep(d);
        let client = reqwest::Client::new();
        let id = maybe.unwrap_or_else(Uuid::now_v7);
    }));
    assert_eq!(found.len(), 11, "{found:?}");
}

#[test]
fn modules_of_ones_own_may_have_the_names_of_others() {
    let found = found(parse_quote!({
        let order = process::order(id);
        let command = Command::new(order);
        let setting = env::Setting::default();
        let now = clock::now(&step);
        let pause = tokio::time::Duration::from_secs(1);
        let here = std::net::Ipv4Addr::LOCALHOST;
    }));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn another_name_does_not_hide_a_source() {
    let found = found(parse_quote!({
        let variable = e::var("HOME");
        use rand::{self, random as toss};
        use std::env as e;
        let now = <std::time::Instant>::now();
        static BEGAN: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);
        use std::time::SystemTime as Clock;
        let now = Clock::now();
        let heads = toss::<bool>();
        tracing::debug!("{}", format!("{:?}", Clock::now()));
    }));
    let first = ["e::var", "std::time::Instant::now", "SystemTime::now"];
    assert_eq!(found[..3], first);
    assert_eq!(found[3..], ["Clock::now", "toss", "Clock::now"]);
}

#[test]
fn what_a_module_imports_is_known_by_the_name_of_its_function() {
    let found = found(parse_quote!({
        let began = Clock::now();
        let id = ids.unwrap_or_else(Id::new_v4);
        let heads = random::<bool>();
        spawn(async {});
        let order = Order::new();
        let calendar = Calendar::now(&holidays);
        let random = |step: &Step| step.random("toss");
        let tails = random(&step);
        let pause = sleep(&step, 3);
    }));
    assert_eq!(found, ["Clock::now", "Id::new_v4", "random", "spawn"]);
}

#[test]
fn what_a_step_does_is_its_own() {
    let found = found(parse_quote!({
        step.run("read", tokio::fs::read(path)).await?;
        step.run("toss", async { Ok(rand::random::<bool>()) }).timeout("1s").await?;
        step.sleep_until("rest", Utc::now()).await;
    }));
    assert_eq!(found, ["Utc::now"]);
}

#[test]
fn what_stands_in_macros_is_read() {
    let found = found(parse_quote!({
        let late = matches!(due, Some(at) if at < Utc::now());
        tracing::info!(at = %SystemTime::now(), ?order, toss = ?random(), "told");
        let body = json!({ "ids": [Uuid::new_v4()], "took": { "ms": began.elapsed() } });
        let name = stringify!(Uuid::new_v4());
        let short = nanoid!(10);
    }));
    assert_eq!(
        found,
        ["Utc::now", "SystemTime::now", "random", "Uuid::new_v4", "elapsed", "nanoid"]
    );
}

#[test]
fn what_is_called_on_a_value_is_known_by_its_name() {
    let found = found(parse_quote!({
        let took = began.elapsed();
        let took = Instant::now().elapsed();
        let now = clock.now();
        let again = step.clone();
        let now = (step.now(), again.now(), ids.map(|step: &Step| step.now()));
        Handle::current().block_on(mail());
        futures::executor::block_on(mail());
        let sent = mail().now_or_never();
        tokio::task::block_in_place(|| mail());
        let left = timers.elapsed(&order);
    }));
    assert_eq!(
        found,
        [
            "elapsed",
            "Instant::now",
            "now",
            "block_on",
            "futures::executor::block_on",
            "now_or_never",
            "tokio::task::block_in_place",
        ]
    );
}

#[test]
fn plain_values_of_modules_that_do_something_are_no_sources() {
    let found = found(parse_quote!({
        let mut draws = rand::rngs::StdRng::seed_from_u64(order.id);
        let page = reqwest::Url::parse(&order.page);
        let missing = Err(std::env::VarError::NotPresent);
    }));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn names_are_known_in_their_blocks_alone() {
    let found = found(parse_quote!({
        {
            use rand::random as toss;
            toss();
        }
        toss();
        random();
        fn random() {}
        {
            let spawn = |name| name;
            spawn("a");
        }
        spawn("b");
    }));
    assert_eq!(found, ["toss", "spawn"]);
}

#[test]
fn a_hash_table_may_be_asked_but_not_iterated() {
    let found = found(parse_quote!({
        let mut seen = HashSet::new();
        let names: HashMap<u32, String> = names();
        let order = ids.iter().collect::<HashSet<_>>();
        let sorted = BTreeMap::new();
        let tables = ids.iter().collect::<Vec<HashSet<_>>>();
        if seen.insert(1) && names.contains_key(&2) {}
        for id in &seen {}
        for name in names.values() {}
        for id in order {}
        for id in &sorted {}
        for table in &tables {}
    }));
    assert_eq!(found, ["seen", "names", "order"]);
}

#[test]
fn a_hash_table_is_known_wherever_its_type_can_be_seen() {
    let found = found_in(&parse_quote! {
        async fn body(
            input: &HashSet<u32>,
            Resource(prices): Resource<HashMap<u32, u32>>,
            step: Step,
        ) {
            input.iter().for_each(bill);
            prices.values().for_each(bill);
            use std::collections::HashMap as Map;
            let by_name: Map<String, u32> = made();
            by_name.into_iter().for_each(bill);
            let alias = &mut input.clone();
            alias.drain().for_each(bill);
            let (first, second): (HashSet<u32>, Vec<u32>) = split();
            first.iter().for_each(bill);
            second.iter().for_each(bill);
            let parsed = lines.collect::<Result<HashSet<_>, Failure>>()?;
            parsed.iter().for_each(bill);
            let maybe: Option<HashSet<u32>> = made();
            if let Some(held) = &maybe {
                held.iter().for_each(bill);
            }
            match maybe {
                Some(guarded) if guarded.len() > 3 => guarded.iter().for_each(bill),
                Some(given) => given.iter().for_each(bill),
                None => {}
            }
            (&parsed - input).into_iter().for_each(bill);
            let unique: Vec<_> = ids.collect::<HashSet<_>>().into_iter().collect();
            let filled = {
                let mut table = HashSet::new();
                table.insert(1);
                table
            };
            filled.iter().for_each(bill);
            let mut late = None;
            late = Some(HashSet::from([1]));
            late.iter().for_each(bill);
            let other = maybe.unwrap_or_else(HashSet::new);
            other.iter().for_each(bill);
            let report = Report::new(&input);
            report.iter().for_each(bill);
            let list = {
                let input = Vec::new();
                input
            };
            list.iter().for_each(bill);
        }
    });
    assert_eq!(
        found,
        [
            "input", "prices", "by_name", "alias", "first", "parsed", "held", "guarded", "given",
            "parsed", "HashSet", "filled", "late", "other",
        ]
    );
}

#[test]
fn a_hash_table_shows_its_order_wherever_it_is_gone_through() {
    let found = found(parse_quote!({
        let (a, b, c, d) = (HashSet::new(), HashSet::new(), HashSet::new(), HashSet::new());
        let (e, f, g) = (HashSet::new(), HashSet::new(), HashSet::new());
        let list = Vec::from_iter(a);
        list.extend(&b);
        let all: Vec<_> = ids.iter().chain(&c).collect();
        let text = format!("{d:?}");
        let text = format!("{:?} {}", e, f.len());
        let text = serde_json::to_string(&f)?;
        let body = json!({ "ids": g, "count": g.len() });
        tracing::info!("{a:?}");
    }));
    assert_eq!(found, ["a", "b", "c", "d", "e", "f", "g"]);
}

#[test]
fn a_variable_is_a_hash_table_in_its_scope_alone() {
    let found = found(parse_quote!({
        let list: Vec<u32> = list();
        {
            let list: HashSet<u32> = table();
        }
        list.iter().for_each(bill);
        let table: HashSet<u32> = table();
        if let Some(table) = lists.pop() {
            table.iter().for_each(bill);
        }
        for table in lists {
            table.iter().for_each(bill);
        }
        lists.map(|table| table.iter().for_each(bill));
        match lists.pop() {
            Some(table) => table.iter().for_each(bill),
            None => {}
        }
        let late = matches!(lists.pop(), Some(table) if table.iter().next() == None);
        table.iter().for_each(bill);
    }));
    assert_eq!(found, ["table"]);
}

#[test]
fn an_order_that_does_not_show_is_no_matter() {
    let found = found(parse_quote!({
        let seen: HashSet<u32> = seen();
        let tree: BTreeSet<_> = seen.iter().collect();
        let tree: BTreeSet<_> = if all { seen.iter().collect() } else { BTreeSet::new() };
        let tree = seen.iter().collect::<BTreeSet<_>>();
        let mut tree = BTreeSet::from_iter(&seen);
        tree.extend(seen.iter().copied());
        tree = seen.iter().copied().collect();
        let most = seen.iter().max();
        let sum = seen.iter().sum::<u32>();
        let sum: u64 = seen.iter().map(|id| id.cents).sum();
        let most = weights.intersection(&seen).copied().fold(0.0, f64::max);
        let most = seen.iter().copied().max_by(|a, b| a.total_cmp(b));
        let sum = seen.iter().fold(0, |sum, id| sum + id.cents);
        let dearest = seen.iter().max_by_key(|order| (order.cents, order.id));
        let dearest = seen.iter().min_by(|a, b| a.cents.cmp(&b.cents).then(a.id.cmp(&b.id)));
    }));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn an_order_shows_where_the_first_or_the_rounding_counts() {
    let found = found(parse_quote!({
        let a: HashMap<u32, f64> = made();
        let (b, c, d, e) = (a.clone(), a.clone(), a.clone(), a.clone());
        let sum: f64 = a.values().sum();
        let dearest = b.iter().max_by(|a, b| a.1.total_cmp(b.1));
        let dearest = b.iter().max_by_key(|order| order.1.cents);
        let three: BTreeSet<_> = c.iter().take(3).collect();
        let places = d.keys().enumerate().collect::<BTreeMap<_, _>>();
        let first: BTreeSet<_> = ids.filter(|id| e.keys().next() == id).collect();
        let (f, g, h, i) = (a.clone(), a.clone(), a.clone(), a.clone());
        let sum = f.values().fold(0.0, |sum, part| sum + part);
        let hash = g.keys().fold(0, |hash, id| hash * 31 + id);
        let hash = h.keys().fold(0, |hash, id| hash + id * hash);
        let hash: u64 = hash_of(i.keys());
    }));
    assert_eq!(found, ["a", "b", "b", "c", "d", "e", "f", "g", "h", "i"]);
}

#[test]
fn a_loop_may_fill_what_has_one_order() {
    let found = found(parse_quote!({
        let seen: HashMap<u32, Order> = seen();
        let (mut tags, mut states) = (BTreeSet::new(), BTreeMap::new());
        let (mut sum, mut due) = (0, 0usize);
        for order in seen.values() {
            for tag in &order.tags {
                tags.insert(tag);
            }
        }
        for order in seen.values() {
            *states.entry(order.state).or_default() += 1;
        }
        for order in seen.values() {
            sum += order.cents;
        }
        for order in seen.values() {
            if order.is_due {
                due += 1;
            }
        }
    }));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_loop_may_not_fill_what_shows_its_order() {
    let found = found(parse_quote!({
        let a: HashMap<u32, f64> = made();
        let (b, c, d) = (a.clone(), a.clone(), a.clone());
        let (mut sum, mut cents, mut places) = (0.0, 0, BTreeMap::new());
        for part in a.values() {
            sum += part;
        }
        for part in b.values() {
            if cents < 100 {
                cents += part.cents;
            }
        }
        for id in c.keys() {
            places.insert(id, places.len());
        }
        for (place, id) in d.keys().enumerate() {
            places.insert(id, place);
        }
    }));
    assert_eq!(found, ["a", "b", "c", "d"]);
}

#[test]
fn an_order_shows_in_what_the_run_does() {
    let found = found(parse_quote!({
        let a: HashSet<u32> = made();
        let (b, c, d) = (a.clone(), a.clone(), a.clone());
        let mut sent = Vec::new();
        for id in &a {
            sent.push(step.run("send", mail(id)).key(id).await?);
        }
        sent.sort();
        let ids = b.iter().map(|id| (id, step.uuid("mail"))).collect::<BTreeMap<_, _>>();
        let mut sent = BTreeSet::new();
        for id in &c {
            sent.insert(join!(first(&step, id), second(&step, id)));
        }
        let sends = d.iter().map(|id| step.run("send-all", mail(id)).key(id));
        let mut all = step.join_all(d.iter().map(|id| send(&step, id).key(id))).await;
        all.sort();
        let all: BTreeSet<_> = d.iter().chain(step.run("more", more()).await?.iter()).collect();
    }));
    assert_eq!(found, ["a", "b", "c", "d"]);
}

#[test]
fn a_list_may_be_sorted_before_anything_else() {
    let found = found(parse_quote!({
        let (a, b, c) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut sorted = a.iter().copied().collect::<Vec<_>>();
        sorted.sort_unstable();
        let mut both = Vec::from_iter(&a);
        both.extend(&b);
        for id in &c {
            both.push(id);
        }
        both.sort();
        let mut sent: Vec<_> = b.iter().collect();
        send(&sent);
        sent.sort();
        let mut never = Vec::from_iter(&c);
        never.dedup();
    }));
    assert_eq!(found, ["b", "c"]);
}

#[test]
fn rustc_is_asked_what_is_gone_through_where_its_order_shows() {
    let asked = asked(parse_quote!({
        for line in &order.lines {
            step.sleep("rest", "1s").key(line).await;
        }
        for (index, name) in 0..3 {
            step.sleep("rest-more", "1s").key(index).await;
        }
        let first = order.tags.keys().next();
        let mut sum = 0;
        for price in order.prices.values() {
            sum += price;
        }
        let mut all: Vec<_> = order.tags.drain().collect();
        all.sort();
        for tag in prices().into_iter().rev() {
            all.push(tag);
        }
        let names: Vec<_> = order.tags.iter().collect();
        let text = names.join(",");
    }));
    assert_eq!(asked, ["for", "keys", "into_iter", "iter"]);
}

#[test]
fn what_may_be_without_an_order_may_be_filled_in_any() {
    let asked = asked(parse_quote!({
        let report = Report { tags: order.tags.iter().cloned().collect() };
        summary.tags.extend(order.tags.iter().cloned());
        for tag in &order.tags {
            summary.seen.insert(tag.clone());
        }
        let sets: Vec<HashSet<_>> = order.lists.iter().map(|it| it.values().collect()).collect();
        Ok(order.tags.into_iter().collect())
    }));
    assert_eq!(asked, ["iter"], "a list of sets has the order of what they were made of");
}

#[test]
fn whether_there_is_one_is_the_same_in_every_order() {
    let found = found(parse_quote!({
        let mut seen = HashSet::new();
        let is_empty = seen.iter().next().is_none();
        let has_large = seen.iter().find(|it| **it > 3).is_some();
        let small = seen.iter().find(|it| **it < 3);
        let drawn = seen.iter().find(|it| step.random("draw") < **it).is_some();
    }));
    assert_eq!(found, ["seen", "seen"]);
}
