//! Awards on both databases: what a refund does to them at which time, and what keeps them apart.

use std::time::Duration;

use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, RunQuery, RunRecord};
use indelible_tests::databases::Fresh;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, seed, shut_down};
use loyalty::{Award, AwardRequested, Bank, Loyalty, Posting, PurchaseRefunded};

on_both_databases!(
    points_are_posted_after_the_merchants_delay,
    a_refund_before_the_request_is_found_in_the_first_step,
    a_refund_before_the_run_has_started_cancels_it,
    a_refund_during_the_delay_cancels_the_award,
    a_refund_after_the_end_does_nothing,
    a_refund_at_any_moment_leaves_all_points_or_none,
    a_posting_is_taken_back_once,
    a_merchant_has_ten_awards_at_a_time,
    what_is_not_there_fails_without_a_retry,
);

/// A bank with its runtime.
struct Scene {
    database: Fresh,
    bank: Bank,
    client: Client,
}

impl Scene {
    /// Without a worker. There was one before: events that are sent before the first one start nothing.
    async fn on(database: Fresh) -> Self {
        let client = Runtime::builder(Loyalty).database(database.url()).connect().await;
        let bank = Bank::open(&database.url()).await.expect("it opens");
        bank.seed().await.expect("it takes merchants and members");
        let scene = Self { client: client.expect("it connects"), bank, database };
        scene.start().await.shutdown().await;
        scene
    }

    async fn start(&self) -> Runtime {
        let runtime = Runtime::builder(Loyalty).database(self.database.url());
        runtime.resource(self.bank.clone()).start().await.expect("it starts")
    }

    async fn request(&self, award: &AwardRequested) {
        self.client.send(award.clone()).await.expect("it is accepted");
    }

    /// The run of an award, if there is one.
    async fn run(&self, award: &AwardRequested) -> Option<RunRecord> {
        let runs = self.client.runs(&RunQuery::default()).await.expect("the runs");
        runs.into_iter().find(|run| {
            let input: AwardRequested = run.input.decode().expect("an award");
            input.source_id == award.source_id
        })
    }

    async fn ended(&self, award: &AwardRequested) -> RunRecord {
        eventually("the award is over", async || {
            self.run(award).await.is_some_and(|run| run.status.is_over())
        })
        .await;
        self.run(award).await.expect("it is there")
    }

    async fn rests(&self, award: &AwardRequested) {
        eventually("the award waits for its day", async || {
            self.run(award).await.is_some_and(|run| run.status == RunStatus::Waiting)
        })
        .await;
    }

    async fn count(&self, question: &str) -> i64 {
        Tables::of(&self.database).count(question).await.expect("an answer")
    }

    async fn points(&self, member: &str) -> i64 {
        let wallets = self.bank.wallets().await.expect("the wallets");
        wallets.into_iter().find(|(user, _)| user == member).map_or(0, |(_, points)| points)
    }

    async fn shut_down(self, runtime: Runtime) {
        let bench = Bench::new().resource(self.bank);
        shut_down(Loyalty, bench, runtime).await;
    }
}

fn output(run: &RunRecord) -> Option<Award> {
    run.output.as_ref().map(|output| output.decode().expect("an award"))
}

/// Ada, who is no gold member, has bought something for 12 euros and a half.
fn bought(merchant_id: &str, source_id: impl ToString) -> AwardRequested {
    AwardRequested {
        user_id: "ada".to_owned(),
        merchant_id: merchant_id.to_owned(),
        source_id: source_id.to_string(),
        amount: 1_250,
    }
}

async fn points_are_posted_after_the_merchants_delay(database: Fresh) {
    let mut scene = Scene::on(database).await;
    // The merchant's delay is 72 hours.
    let delay = Duration::from_millis(900);
    scene.bank = scene.bank.day_lasts(delay / 3);
    let runtime = scene.start().await;
    let award = bought("bicycles", 1);
    scene.request(&award).await;
    let run = scene.ended(&award).await;
    assert_eq!(output(&run), Some(Award::Posted { points: 12 }));
    let lasted = run.ended_at.expect("it is over").duration_since(run.accepted_at);
    assert!(lasted.unsigned_abs() >= delay, "it took {lasted}");
    assert_eq!(scene.points("ada").await, 12);

    // A merchant without a delay, and a gold member.
    let award = AwardRequested { user_id: "chidi".to_owned(), ..bought("bakery", 2) };
    scene.request(&award).await;
    scene.ended(&award).await;
    assert_eq!(scene.points("chidi").await, 24);
    scene.shut_down(runtime).await;
}

async fn a_refund_before_the_request_is_found_in_the_first_step(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    let award = bought("bakery", 1);
    scene.bank.refund(&scene.client, &award.source_id).await.expect("it is refunded");
    scene.request(&award).await;
    assert_eq!(output(&scene.ended(&award).await), Some(Award::Refunded));
    assert_eq!(scene.count("SELECT count(*) FROM postings").await, 0);
    scene.shut_down(runtime).await;
}

async fn a_refund_before_the_run_has_started_cancels_it(database: Fresh) {
    let scene = Scene::on(database).await;
    let awards: Vec<_> = (0..30).map(|n| bought("bakery", n)).collect();
    for award in &awards {
        scene.request(award).await;
        // It leaves no note, so that the first step would find none.
        let refunded = PurchaseRefunded { source_id: award.source_id.clone() };
        scene.client.send(refunded).await.expect("it is accepted");
    }
    let kept = bought("bakery", "kept");
    scene.request(&kept).await;

    let runtime = scene.start().await;
    for award in &awards {
        assert_eq!(scene.ended(award).await.status, RunStatus::Cancelled);
    }
    assert_eq!(output(&scene.ended(&kept).await), Some(Award::Posted { points: 12 }));
    assert_eq!(scene.count("SELECT count(*) FROM postings").await, 1);
    scene.shut_down(runtime).await;
}

async fn a_refund_during_the_delay_cancels_the_award(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    let award = bought("furniture", 1);
    scene.request(&award).await;
    scene.rests(&award).await;
    scene.bank.refund(&scene.client, &award.source_id).await.expect("it is refunded");
    assert_eq!(scene.ended(&award).await.status, RunStatus::Cancelled);
    assert_eq!(scene.count("SELECT count(*) FROM postings").await, 0);
    scene.shut_down(runtime).await;
}

async fn a_refund_after_the_end_does_nothing(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    let (award, later) = (bought("bakery", 1), bought("furniture", 2));
    scene.request(&award).await;
    scene.request(&later).await;
    let ended = scene.ended(&award).await.ended_at;
    scene.rests(&later).await;

    // Once the second refund has done its work, the first one has arrived, too.
    for award in [&award, &later] {
        scene.bank.refund(&scene.client, &award.source_id).await.expect("it is refunded");
    }
    assert_eq!(scene.ended(&later).await.status, RunStatus::Cancelled);
    let run = scene.ended(&award).await;
    assert_eq!((run.status, run.ended_at), (RunStatus::Completed, ended));
    assert_eq!(scene.points("ada").await, 12);
    scene.shut_down(runtime).await;
}

async fn a_refund_at_any_moment_leaves_all_points_or_none(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let awards: Vec<_> = (0..60).map(|n| bought("bakery", n)).collect();
    for award in &awards {
        scene.request(award).await;
        let moment = Duration::from_millis(random.u64(0..25));
        let refunded = PurchaseRefunded { source_id: award.source_id.clone() };
        let client = scene.client.clone();
        tokio::spawn(async move {
            tokio::time::sleep(moment).await;
            client.send(refunded).await.expect("it is accepted");
        });
    }
    let mut posted = 0;
    for award in &awards {
        let run = scene.ended(award).await;
        posted += i64::from(run.status == RunStatus::Completed);
        assert!(matches!(run.status, RunStatus::Completed | RunStatus::Cancelled), "seed {seed}");
    }
    assert_eq!(scene.points("ada").await, posted * 12, "seed {seed}");
    scene.shut_down(runtime).await;
}

async fn a_posting_is_taken_back_once(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    for n in 1..=2 {
        let award = bought("bakery", n);
        scene.request(&award).await;
        scene.ended(&award).await;
    }
    let id = scene.count("SELECT id FROM postings WHERE source_id = '1'").await;
    let posting = Posting { id, user_id: "ada".to_owned(), source_id: "1".to_owned(), points: 12 };
    for _ in 0..3 {
        scene.bank.reverse(&posting).await.expect("it is taken back");
    }
    assert_eq!(scene.points("ada").await, 12);
    scene.shut_down(runtime).await;
}

async fn a_merchant_has_ten_awards_at_a_time(database: Fresh) {
    let mut scene = Scene::on(database).await;
    scene.bank = scene.bank.answers_after(Duration::from_millis(30));
    let merchants = ["bakery", "grocer", "bakery"];
    let awards: Vec<_> = (0..60).map(|n| bought(merchants[n % 3], n)).collect();
    for award in &awards {
        scene.request(award).await;
    }
    let runtime = scene.start().await;
    for award in &awards {
        assert_eq!(output(&scene.ended(award).await), Some(Award::Posted { points: 12 }));
    }
    assert_eq!(scene.bank.busiest().await.expect("the log"), 10);
    assert_eq!(scene.points("ada").await, 60 * 12);
    scene.shut_down(runtime).await;
}

async fn what_is_not_there_fails_without_a_retry(database: Fresh) {
    let scene = Scene::on(database).await;
    let runtime = scene.start().await;
    let stranger = AwardRequested { user_id: "nobody".to_owned(), ..bought("bakery", 1) };
    let nowhere = bought("haberdasher", 2);
    for (award, said) in [(stranger, "member `nobody`"), (nowhere, "merchant `haberdasher`")] {
        scene.request(&award).await;
        let error = scene.ended(&award).await.error.expect("it fails");
        assert!(error.to_string().contains(said), "{error}");
    }
    // `calculate` of both, and `read-merchant` of one.
    assert_eq!(scene.count("SELECT count(*) FROM work_log WHERE change = 1").await, 3);
    scene.shut_down(runtime).await;
}

#[tokio::test]
async fn a_delay_of_days_takes_no_time_in_a_test() {
    let folder = Fresh::sqlite().await;
    let bank = Bank::open(&folder.url()).await.expect("it opens");
    bank.seed().await.expect("it takes merchants and members");
    let pool = sqlx::SqlitePool::connect(&folder.url()).await.expect("it opens");
    let bench = Bench::new().resource(bank.clone()).sqlite(pool);
    let mut run = bench.start(loyalty::currency_award, bought("bicycles", 1));
    assert_eq!(run.finish().await, Ok(Award::Posted { points: 12 }));
    assert_eq!(bank.wallets().await.expect("the wallets"), [("ada".to_owned(), 12)]);
}
