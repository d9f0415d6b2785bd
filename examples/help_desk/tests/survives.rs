//! The help desk as a process of its own, killed at random moments and started again.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use indelible_tests::databases::Fresh;
use indelible_tests::process::Process;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, seed};

on_both_databases!(
    fifty_kills_change_nothing,
    a_crash_between_effect_and_checkpoint_changes_nothing,
    a_second_start_does_nothing_again,
);

/// How often the process is killed.
const KILLS: usize = 50;

struct Desk {
    database: Fresh,
    tables: Tables,
}

impl Desk {
    async fn on(database: Fresh) -> Self {
        let tables = Tables::of(&database);
        Self { database, tables }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_help_desk"));
        command
            .args(["--database-url", &self.database.url(), "--concurrency", "8"])
            .args(["--token-lifetime", "2000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Runs it to its end and gives what it printed.
    async fn run(&self) -> String {
        let mut process = Process::start(&mut self.command());
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
    async fn assert_done_once(&self) {
        self.assert_none(
            "every run is over",
            "SELECT count(*) FROM {runs} WHERE status NOT IN ('completed', 'failed')",
        )
        .await;
        self.assert_none(
            "each journal holds each outcome once",
            "SELECT count(*) FROM (
                SELECT run_id FROM {journal} WHERE transition IN ('succeeded', 'failed')
                GROUP BY run_id, key HAVING count(*) > 1) AS twice",
        )
        .await;
        self.assert_none(
            "every ticket that was triaged is assigned once",
            "SELECT count(*) FROM {tickets} AS ticket WHERE status = 'in_progress' AND 1 <> (
                SELECT count(*) FROM {audit} AS audit
                WHERE audit.ticket = ticket.id AND action = 'assigned')",
        )
        .await;
        self.assert_none(
            "every welcome was sent, once",
            "SELECT abs((SELECT count(*) FROM {outbox} WHERE kind = 'welcome')
                - (SELECT count(*) FROM {runs}
                   WHERE workflow = 'on-user-signup' AND status = 'completed'))",
        )
        .await;
        self.assert_none(
            "every new password was logged, once",
            "SELECT abs((SELECT count(*) FROM {account_log})
                - (SELECT count(*) FROM {runs}
                   WHERE workflow = 'on-password-changed' AND status = 'completed'))",
        )
        .await;
        self.assert_none(
            "every failure was told in the chat, once",
            "SELECT abs((SELECT count(*) FROM {chat} WHERE text LIKE '% has failed: %')
                - (SELECT count(*) FROM {runs} WHERE status = 'failed'))",
        )
        .await;
        self.assert_none(
            "no step whose outcome was committed ran again",
            "SELECT count(*) FROM {executions} AS execution
            JOIN {runs} AS run ON execution.subject IN
                (run.input {field} 'ticket_id', run.input {field} 'email',
                 run.input {field} 'comment_id', run.input {field} 'change_id',
                 run.input {field} 'reset_id')
            JOIN {journal} AS line
                ON line.run_id = run.id AND line.key = execution.step
                AND line.transition IN ('succeeded', 'failed')
            WHERE {micros of execution.started_at} > {micros of line.at}",
        )
        .await;
    }
}

async fn fifty_kills_change_nothing(database: Fresh) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);

    let undisturbed = Desk::on(database.another().await).await;
    let expected = undisturbed.run().await;
    let lines = undisturbed.lines().await;
    assert!(lines > 1000, "there is something to disturb: {lines} lines");

    // The moments are spread over the work rather than the time: so many lines of the journals, and
    // up to 40 ms more, which may be in the middle of a start, a step or a flush.
    let desk = Desk::on(database).await;
    let mut moments: Vec<_> = (0..KILLS).map(|_| random.i64(0..lines)).collect();
    moments.sort_unstable();
    for moment in moments {
        let mut process = Process::start(&mut desk.command());
        eventually("so much is done", async || desk.lines().await >= moment).await;
        tokio::time::sleep(Duration::from_millis(random.u64(0..40))).await;
        process.kill();
    }
    let summary = desk.run().await;
    assert_eq!(summary, expected, "seed {seed}");
    desk.assert_done_once().await;
}

async fn a_crash_between_effect_and_checkpoint_changes_nothing(database: Fresh) {
    let undisturbed = Desk::on(database.another().await).await;
    let expected = undisturbed.run().await;

    let desk = Desk::on(database).await;
    // In the order in which they come, as runs go by the time of their acceptance.
    for place in ["welcome", "assign:5", "notify-commenter:3", "post-failure", "alarm-admin:2"] {
        let status = Process::start(desk.command().args(["--crash-at", place])).wait();
        assert!(!status.success(), "it crashed at {place}");
    }
    assert_eq!(desk.run().await, expected);
    desk.assert_done_once().await;
}

async fn a_second_start_does_nothing_again(database: Fresh) {
    let desk = Desk::on(database).await;
    let first = desk.run().await;
    // A digest may be due meanwhile.
    let executions = "SELECT count(*) FROM {executions} WHERE subject NOT LIKE 'digest %'";
    let before = desk.tables.count(executions).await.expect("the tables are there");
    assert_eq!(desk.run().await, first);
    assert_eq!(desk.tables.count(executions).await.expect("they still are"), before);
}

#[test]
fn a_database_that_does_not_answer_is_one_sentence_and_exit_code_2() {
    // Nothing listens on port 1.
    let url = "postgres://desk:secret@127.0.0.1:1/desk";
    let output = Command::new(env!("CARGO_BIN_EXE_help_desk"))
        .args(["--database-url", url])
        .output()
        .expect("it starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("127.0.0.1:1") && !message.contains("secret"), "{message}");
}
