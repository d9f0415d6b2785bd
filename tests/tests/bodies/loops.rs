use indelible::prelude::*;

use crate::work::{flaky, work};

body! {
    on [0, 1, 4]
    async fn for_over_a_range(n: u32, step: Step) -> Result<u32, Failure> {
        let mut sum = 0;
        for i in 0..n {
            sum += step.run("add", work(format!("add {i}"), i)).await?;
        }
        Ok(sum)
    }
}

body! {
    on [vec![], vec!["a".to_owned(), "b".to_owned()]]
    async fn for_over_a_list(names: Vec<String>, step: Step) -> Result<String, Failure> {
        let mut greeting = String::from("hello");
        for (n, name) in names.iter().enumerate() {
            if n > 0 {
                step.sleep("breathe", "1s").await;
            }
            let part = step.run("greet", work(name, format!(", {name}"))).await?;
            greeting.push_str(&part);
        }
        Ok(greeting)
    }
}

body! {
    on [1, 10]
    async fn while_with_a_step_in_its_condition(n: u32, step: Step) -> Result<u32, Failure> {
        let mut rounds = 0;
        while step.run("more", work(format!("more {rounds}"), rounds * 3 < n)).await? {
            rounds += 1;
        }
        Ok(rounds)
    }
}

body! {
    on [0, 3]
    async fn while_let(n: u32, step: Step) -> Result<Vec<u32>, Failure> {
        let mut pending: Vec<u32> = (0..n).collect();
        let mut done = Vec::new();
        while let Some(next) = pending.pop() {
            done.push(step.run("take", work(format!("take {next}"), next * 10)).await?);
        }
        Ok(done)
    }
}

body! {
    on [3]
    async fn while_let_over_a_step(n: u32, step: Step) -> Result<u32, Failure> {
        let mut page = 0;
        let mut total = 0;
        while let Some(next) =
            step.run("page", work(format!("page {page}"), (page < n).then_some(page + 1))).await?
        {
            total += next;
            page = next;
        }
        Ok(total)
    }
}

body! {
    on [1, 4]
    async fn loop_that_breaks_with_a_value(n: u32, step: Step) -> Result<String, Failure> {
        let mut tries = 0;
        let found = loop {
            tries += 1;
            let seen = step.run("try", work(format!("try {tries}"), tries >= n)).await?;
            if seen {
                break format!("after {tries}");
            }
            if tries > 10 {
                return Err(Failure::msg("never"));
            }
        };
        Ok(found)
    }
}

body! {
    on [2, 3]
    async fn labels_and_continue(n: u32, step: Step) -> Result<Vec<(u32, u32)>, Failure> {
        let mut found = Vec::new();
        'rows: for row in 0..n {
            'columns: for column in 0..n {
                if column == row {
                    continue 'columns;
                }
                let product =
                    step.run("multiply", work(format!("{row} {column}"), row * column)).await?;
                match product {
                    0 if row == 0 => continue 'rows,
                    2 => break 'rows,
                    _ => found.push((row, column)),
                }
            }
        }
        Ok(found)
    }
}

body! {
    on [5]
    async fn steps_in_the_branches_of_a_loop(n: u32, step: Step) -> Result<String, Failure> {
        let mut word = String::new();
        for i in 0..n {
            word += &match i % 3 {
                0 => step.run("fizz", work(format!("fizz {i}"), "fizz".to_owned())).await?,
                1 => {
                    step.sleep("pause", "10s").await;
                    "-".to_owned()
                }
                _ if i == 2 => continue,
                _ => step.run("other", work("other", "other".to_owned())).await?,
            };
        }
        Ok(word)
    }
}

body! {
    on [3]
    async fn a_flaky_step_in_a_loop(n: u32, step: Step) -> Result<u32, Failure> {
        let mut sum = 0;
        for i in (1..=n).rev() {
            let attempt = || flaky(format!("flaky {i}"), i as usize, i);
            sum += step.run("flaky", || attempt()).await?;
        }
        Ok(sum)
    }
}

body! {
    on [4]
    async fn iterator_chains_between_steps(n: u32, step: Step) -> Result<String, Failure> {
        let numbers = step.run("numbers", work("numbers", (1..=n).collect::<Vec<_>>())).await?;
        let squares: Vec<u64> =
            numbers.iter().map(|n| u64::from(*n).pow(2)).filter(|n| n % 2 == 0).collect();
        let sum = step.run("sum", work("sum", squares.iter().sum::<u64>())).await?;
        let words = squares.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        Ok(format!("{words}={sum}"))
    }
}

body! {
    on [vec![3, 1, 2]]
    async fn a_collection_that_grows_and_shrinks(
        list: Vec<u32>,
        step: Step,
    ) -> Result<Vec<u32>, Failure> {
        let mut queue = std::collections::VecDeque::from(list);
        let mut order = vec![];
        while let Some(n) = queue.pop_front() {
            let rest = step.run("visit", work(format!("visit {n}"), n.checked_sub(1))).await?;
            order.push(n);
            queue.extend(rest.filter(|rest| *rest > 0));
        }
        Ok(order)
    }
}

body! {
    on [2]
    async fn a_loop_within_a_loop_within_a_block(n: u32, step: Step) -> Result<u32, Failure> {
        let mut count = 0;
        let last = 'outer: loop {
            for _ in 0..n {
                let mut inner = 0;
                while inner < n {
                    inner += step.run("count", work(format!("count {count}"), 1)).await?;
                    count += inner;
                    if count > 7 {
                        break 'outer inner;
                    }
                }
            }
        };
        Ok(last * 100 + count)
    }
}
