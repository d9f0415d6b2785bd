//! Carried loops. No plain function has their attribute, so each is written out twice.

use indelible::prelude::*;

use crate::harness::check;
use crate::plain;
use crate::work::work;

#[indelible::workflow(input)]
async fn each_page(n: u32, step: Step) -> Result<u32, Failure> {
    let mut total = 0;
    let mut page = 0;
    let found = #[carried(page, total)]
    'pages: loop {
        total += step.run("page", work("page", page)).await?;
        page += 1;
        if page == n {
            break 'pages total;
        }
    };
    Ok(found + step.run("after", work("after", page)).await?)
}

async fn plain_each_page(n: u32, step: plain::Step) -> Result<u32, Failure> {
    let mut total = 0;
    for page in 0..n {
        total += work("page", page).await?;
    }
    Ok(total + step.run("after", work("after", n)).await?)
}

#[test]
fn a_loop_gives_its_value() {
    check(each_page, plain_each_page, 4);
}

#[indelible::workflow(input)]
async fn countdown(n: u32, step: Step) -> Result<u32, Failure> {
    let mut queue = vec![n];
    let mut sum = 0;
    #[carried(queue, sum)]
    while let Some(next) = queue.pop() {
        sum += step.run("next", work("next", next)).await?;
        if next == 1 {
            continue;
        }
        queue.push(next - 1);
    }
    Ok(sum)
}

async fn plain_countdown(n: u32, _step: plain::Step) -> Result<u32, Failure> {
    let mut sum = 0;
    for next in (1..=n).rev() {
        sum += work("next", next).await?;
    }
    Ok(sum)
}

#[test]
fn a_while_let_goes_on_where_it_was() {
    check(countdown, plain_countdown, 3);
}

#[indelible::workflow(input)]
async fn each_item(n: u32, step: Step) -> Result<u32, Failure> {
    let mut sum = 0;
    let mut names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    #[carried(sum)]
    for item in 0..n {
        if item == 1 {
            continue;
        }
        sum += step.run("item", work("item", item)).await?;
    }
    #[carried(names, sum)]
    for name in &names {
        sum += step.run("name", work("name", name.len() as u32)).await?;
    }
    names.clear();
    Ok(sum)
}

async fn plain_each_item(n: u32, _step: plain::Step) -> Result<u32, Failure> {
    let mut sum = 0;
    for item in (0..n).filter(|item| *item != 1) {
        sum += work("item", item).await?;
    }
    for _ in 0..3 {
        sum += work("name", 1).await?;
    }
    Ok(sum)
}

#[test]
fn a_for_passes_over_what_it_had() {
    check(each_item, plain_each_item, 4);
}
