//! The program as a process of its own, killed at random moments and started again.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use indelible_tests::databases::Fresh;
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, seed};
use loyalty::Bank;
use serde_json::Value;

on_both_databases!(kills_change_nothing, a_second_start_does_nothing_again);

/// How often the process is killed.
const KILLS: usize = 5;

struct Programme {
    database: Fresh,
    tables: Tables,
}

impl Programme {
    fn on(database: Fresh) -> Self {
        Self { tables: Tables::of(&database), database }
    }

    fn start(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loyalty"));
        command.args(["--database-url", &self.database.url(), "--day", "500"]);
        Process::start(command.stdout(Stdio::piped()).stderr(Stdio::null()))
    }

    /// Runs it to its end and gives what it printed.
    async fn run(&self) -> String {
        let mut process = self.start();
        let mut summary = String::new();
        process.stdout().read_to_string(&mut summary).expect("it prints text");
        assert!(process.wait().success(), "it ended with a failure; it printed: {summary}");
        summary
    }

    /// How many lines all journals have; none before the tables are there.
    async fn lines(&self) -> i64 {
        self.tables.count("SELECT count(*) FROM {journal}").await.unwrap_or(0)
    }

    async fn assert_none(&self, what: &str, count: &str) {
        let found = self.tables.count(count).await.expect("the tables are there");
        assert_eq!(found, 0, "{what}");
    }

    /// What has to hold however often the process died.
    async fn assert_posted_once(&self) {
        let bank = Bank::open(&self.database.url()).await.expect("it opens");
        let wallets = bank.wallets().await.expect("the wallets");
        // A refund that took back all that was in a wallet leaves it empty.
        let wallets: BTreeMap<_, _> =
            wallets.into_iter().filter(|(_, points)| *points != 0).collect();
        assert_eq!(wallets, expected());
        assert!(bank.busiest().await.expect("the log") <= 10, "at most ten at a time per merchant");
        self.assert_none(
            "no purchase has two postings that stand",
            "SELECT count(*) FROM (
                SELECT source_id FROM postings AS posting
                WHERE reverses IS NULL AND NOT EXISTS (
                    SELECT 1 FROM postings AS back WHERE back.reverses = posting.id)
                GROUP BY source_id HAVING count(*) > 1) AS twice",
        )
        .await;
        self.assert_none(
            "every wallet holds what was posted to it",
            "SELECT count(*) FROM wallets AS wallet WHERE points <> (
                SELECT sum(points) FROM postings WHERE user_id = wallet.user_id)",
        )
        .await;
        self.assert_none(
            "every run is over",
            "SELECT count(*) FROM {runs} WHERE status NOT IN ('completed', 'failed', 'cancelled')",
        )
        .await;
    }
}

/// What is in every wallet in the end, by the data alone.
fn expected() -> BTreeMap<String, i64> {
    let lines = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();

    let members = lines(include_str!("../data/members.jsonl"));
    let factors: BTreeMap<_, _> = members
        .iter()
        .map(|member| (text(&member["id"]), if member["gold"] == true { 2 } else { 1 }))
        .collect();
    let merchants = lines(include_str!("../data/merchants.jsonl"));
    let merchants: HashSet<_> = merchants.iter().map(|merchant| text(&merchant["id"])).collect();

    let purchases = lines(include_str!("../data/purchases.jsonl"));
    let named = |name| move |event: &&Value| event["name"] == name;
    let refunds = purchases.iter().filter(named("purchase/refunded"));
    let refunded: HashSet<_> = refunds.map(|event| text(&event["data"]["source_id"])).collect();

    let later = lines(include_str!("../data/later.jsonl"));
    let awards = purchases.iter().chain(&later).filter(named("currency/award.requested"));
    let mut wallets = BTreeMap::new();
    for award in awards.map(|event| &event["data"]) {
        let user = text(&award["user_id"]);
        let Some(factor) = factors.get(&user) else { continue };
        if merchants.contains(&text(&award["merchant_id"]))
            && !refunded.contains(&text(&award["source_id"]))
        {
            let euros = award["amount"].as_i64().expect("an amount") / 100;
            *wallets.entry(user).or_default() += factor * euros;
        }
    }
    wallets
}

async fn kills_change_nothing(database: Fresh) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);

    let undisturbed = Programme::on(database.another().await);
    let expected = undisturbed.run().await;
    undisturbed.assert_posted_once().await;
    let lines = undisturbed.lines().await;
    assert!(lines > 1000, "there is something to disturb: {lines} lines");

    // The moments are spread over the work rather than the time: so many lines of the journals, and up to
    // 40 ms more, which may be in the middle of a start, a step or a flush.
    let programme = Programme::on(database);
    let mut moments: Vec<_> = (0..KILLS).map(|_| random.i64(0..lines)).collect();
    moments.sort_unstable();
    for moment in moments {
        let mut process = programme.start();
        eventually("so much is done", async || programme.lines().await >= moment).await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..40))).await;
        process.kill();
    }
    assert_eq!(programme.run().await, expected, "seed {seed}");
    programme.assert_posted_once().await;
}

async fn a_second_start_does_nothing_again(database: Fresh) {
    let programme = Programme::on(database);
    let first = programme.run().await;
    let work = "SELECT count(*) FROM work_log";
    let before = programme.tables.count(work).await.expect("the tables are there");
    assert_eq!(programme.run().await, first);
    assert_eq!(programme.tables.count(work).await.expect("they still are"), before);
}
