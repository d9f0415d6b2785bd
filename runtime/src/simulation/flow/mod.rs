//! Random events, limits, deploys, operators and crashes, against a plain model of each limit.
//!
//! A case is some workflows with limits, and what the world does to them ([`case`]). A batch of cases shares
//! one database ([`batch`]). Workers without tasks drive its runs. Their flushes are lost, doubled and overtaken.
//! The database's clock stands still until there is nothing left to do. After each act, the batch compares the
//! store with a model of the case ([`model`]). The model says what each limit means, and shares no code with the
//! product.
//!
//! The variables are those of the other [simulation](super), though only some of the cases are done. A failure
//! prints the seed of its batch, and a case that is as small as could be found, with what happened in it.

mod batch;
mod case;
mod model;

use uuid::Uuid;

use self::batch::{Batch, Failure};
use self::case::Case;
use super::random::{Random, mix};
use super::variable;
use crate::store::conformance::TestDatabase;

/// How many cases are asked for, unless said otherwise: half of those that are done.
const CASES: u64 = 500;

/// How many cases share a database. What is asked about limits goes over those of all.
const BATCH: u64 = 100;

/// So many cases are done for so many that are asked for.
struct Share(u64, u64);

impl Share {
    /// How many are done.
    fn of(&self, asked: u64) -> u64 {
        asked * self.0 / self.1
    }

    /// How many have to be asked for.
    fn asked(&self, done: u64) -> u64 {
        (done * self.1).div_ceil(self.0)
    }
}

const ON_SQLITE: Share = Share(9, 5);

/// Each takes several times as long as on SQLite.
const ON_POSTGRES: Share = Share(1, 5);

#[tokio::test]
async fn limits_mean_what_they_say_on_sqlite() {
    limits_mean_what_they_say(async || TestDatabase::sqlite_in_memory(), ON_SQLITE).await;
}

#[tokio::test]
async fn limits_mean_what_they_say_on_postgres() {
    limits_mean_what_they_say(TestDatabase::postgres, ON_POSTGRES).await;
}

async fn limits_mean_what_they_say(database: impl AsyncFn() -> TestDatabase, share: Share) {
    let mut seed =
        variable("INDELIBLE_TEST_SEED").unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    let mut left = share.of(variable("INDELIBLE_TEST_CASES").unwrap_or(CASES));
    while left > 0 {
        let count = left.min(BATCH);
        println!("INDELIBLE_TEST_SEED={seed} INDELIBLE_TEST_CASES={}", share.asked(count));
        let mut random = Random::new(seed);
        let cases: Vec<_> = (0..count).map(|case| Case::random(case, &mut random)).collect();
        let batch = Batch::open(&cases, database().await, random, true).await;
        if let Err(failure) = batch.run().await {
            let case = cases.iter().find(|case| case.number == failure.case);
            let case = case.expect("it is one of them");
            let (case, failure) = shrunken(case, failure).await;
            let story = failure.story.join("\n");
            panic!("{}\n{case:#?}\n{story}\n{}", failure.what, failure.what);
        }
        left -= count;
        seed = Random::new(seed).next();
    }
}

/// A smaller case that fails, too, if one is found. Most need no company to do so, and no special luck.
async fn shrunken(case: &Case, failure: Failure) -> (Case, Failure) {
    let (mut smallest, mut known) = (case.clone(), failure);
    match failing(case).await {
        Some(failure) => known = failure,
        None => return (smallest, known),
    }
    loop {
        let before = smallest.deeds.len();
        for nth in (0..before).rev() {
            let mut smaller = smallest.clone();
            smaller.deeds.remove(nth);
            if let Some(failure) = failing(&smaller).await {
                (smallest, known) = (smaller, failure);
            }
        }
        if smallest.deeds.len() == before {
            return (smallest, known);
        }
    }
}

/// How a case fails alone, if it does.
async fn failing(case: &Case) -> Option<Failure> {
    const ATTEMPTS: u64 = 12;
    for attempt in 0..ATTEMPTS {
        let random = Random::new(mix(attempt, case.number));
        let database = TestDatabase::sqlite_in_memory();
        let disturbed = attempt >= ATTEMPTS / 2;
        let batch = Batch::open(std::slice::from_ref(case), database, random, disturbed).await;
        if let Err(failure) = batch.run().await {
            return Some(failure);
        }
    }
    None
}
