//! Random workflows, with crashes at random commits, against the same without.
//!
//! A case is a workflow as data ([`plan`]), done by one body ([`body`]) whose input it is. A batch of
//! cases is driven on a database of its own ([`batch`]) by workers without tasks ([`worker`]), whose
//! flushes are lost, doubled, torn and overtaken ([`faults`]). The database's clock stands still
//! until there is nothing left to do, and then leaps to the next time at which something happens; so
//! a crash costs no time, and what has to be the same is the same to the microsecond. On Postgres
//! others commit on the same server all the while ([`bustle`]).
//!
//! Some cases cannot be the same, as their steps take a while, their runs talk to one another or
//! [`operators`] come at any moment: those are held to what is true of every run ([`story`]).
//!
//! `INDELIBLE_TEST_CASES` says how many cases there are on each kind of database, and
//! `INDELIBLE_TEST_SEED` which come first: the seed that a failure has printed shows it at once.

mod batch;
mod body;
mod bustle;
mod database;
mod effects;
mod faults;
mod flow;
mod lab;
mod maker;
mod operators;
mod plan;
mod random;
mod reading;
mod story;
mod woken;
mod work;
mod worker;
mod workflow;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use self::batch::Batch;
use self::lab::Lab;
use self::plan::{Case, Steadiness};
use self::random::Random;
use self::story::{Story, check_children};
use crate::id::RunId;
use crate::step::Resources;
use crate::store::conformance::TestDatabase;

const APP: &str = "simulation";

/// How many cases there are on each kind of database, unless said otherwise.
const CASES: u64 = 500;

/// How many cases share a database.
const BATCH: u64 = 500;

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

#[tokio::test]
async fn crashes_change_nothing_on_sqlite() {
    crashes_change_nothing(async || TestDatabase::sqlite_in_memory()).await;
}

#[tokio::test]
async fn crashes_change_nothing_on_postgres() {
    crashes_change_nothing(TestDatabase::postgres).await;
}

async fn crashes_change_nothing(database: impl AsyncFn() -> TestDatabase) {
    let mut seed =
        variable("INDELIBLE_TEST_SEED").unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
    let mut left = variable("INDELIBLE_TEST_CASES").unwrap_or(CASES);
    while left > 0 {
        let count = left.min(BATCH);
        println!("INDELIBLE_TEST_SEED={seed} INDELIBLE_TEST_CASES={count}");
        let mut random = Random::new(seed);
        let cases: Vec<_> = (0..count).map(|case| Case::random(case, &mut random)).collect();
        let undisturbed =
            Batch::undisturbed(&cases, TestDatabase::sqlite_in_memory()).await.run().await;
        let disturbed = Batch::disturbed(&cases, database().await, &mut random).await.run().await;
        undisturbed.values().chain(disturbed.values()).for_each(Story::check);
        [&undisturbed, &disturbed].into_iter().for_each(check_children);
        compare(&cases, &undisturbed, &disturbed);
        // Some will do: whatever a body does wrong, it does in many of them.
        let mut resources = Resources::default();
        resources.insert(Lab::default());
        let resources = Arc::new(resources);
        disturbed.values().step_by(4).for_each(|story| story.replay(&resources));
        left -= count;
        seed = Random::new(seed).next();
    }
}

fn compare(cases: &[Case], undisturbed: &BTreeMap<RunId, Story>, other: &BTreeMap<RunId, Story>) {
    for case in cases.iter().filter(|case| case.scenario.steadiness == Steadiness::Exact) {
        let [expected, found] = [undisturbed, other].map(|stories| {
            let stories =
                stories.values().filter(|story| story.scenario.case == case.scenario.case);
            stories.map(ToString::to_string).collect::<String>()
        });
        assert!(
            expected == found,
            "{case:#?}\n--- undisturbed\n{expected}--- with crashes\n{found}"
        );
    }
}
