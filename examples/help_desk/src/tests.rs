//! Every workflow with a worker, on both databases. The main job is killed in `tests/survives.rs`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{RunHandle, RunQuery};
use indelible_tests::databases::Fresh;
use indelible_tests::tables::Tables;
use indelible_tests::{eventually, on_both_databases, shut_down};
use serde_json::Value;
use tokio::sync::watch;

use crate::analysis::{self, Analyser, Analysis};
use crate::chat::Chat;
use crate::desk::{Database, Desk, ResetState, Ticket};
use crate::events::{
    CommentPosted, PasswordChanged, PasswordResetRequested, PasswordResetUsed, TicketCreated,
};
use crate::mail::{self, Letter, Mailer};
use crate::workflows::{
    admin_digest, batch_digest, mail_admin_digest, on_comment_posted, on_password_changed,
    on_password_reset_requested, on_ticket_created, on_user_signup, post_admin_digest,
    report_failure,
};
use crate::{HelpDesk, UserSignedUp};

on_both_databases!(
    everybody_in_a_discussion_is_told_once,
    a_ticket_has_ten_comments_at_a_time,
    a_user_has_five_tickets_at_a_time,
    a_new_password_is_confirmed_and_logged_once,
    a_token_is_used_or_lapses,
    the_numbers_of_a_day_are_mailed_and_posted,
    what_is_pending_comes_in_one_letter_each,
    every_failed_run_is_told_in_the_chat,
);

/// The help desk with a worker.
struct Scene {
    desk: Desk,
    runtime: Runtime,
    tables: Tables,
    _database: Fresh,
}

impl Scene {
    async fn on(database: Fresh) -> Self {
        let mailer = mail::outbox(Database::lazy(&database.url()).expect("a URL"));
        Self::with(database, analysis::rules(), mailer).await
    }

    async fn with(database: Fresh, analyser: Arc<dyn Analyser>, mailer: Arc<dyn Mailer>) -> Self {
        let builder = || Runtime::builder(HelpDesk).database(database.url());
        builder().connect().await.expect("it connects").close().await;
        let tables = Database::lazy(&database.url()).expect("a URL");
        let chat = Chat::new(tables.clone(), None);
        let desk =
            Desk::new(tables, analyser, mailer, chat, None).tokens_live(Duration::from_millis(300));
        desk.prepare().await.expect("it takes people and tickets");
        let runtime = builder().resource(desk.clone()).start().await.expect("it starts");
        Self { desk, runtime, tables: Tables::of(&database), _database: database }
    }

    async fn count(&self, question: &str) -> i64 {
        self.tables.count(question).await.expect("an answer")
    }

    /// How many runs of a workflow are over.
    async fn over(&self, workflow: &str) -> u64 {
        let counts = self.runtime.counts().await.expect("the counts");
        let over = counts.iter().filter(|one| one.workflow == workflow && one.status.is_over());
        over.map(|one| one.runs).sum()
    }

    /// How many runs hold a slot of a workflow's busiest key, and how many wait.
    async fn busiest(&self, limit: &str) -> (u64, u64) {
        let limits = self.runtime.limits().await.expect("the limits");
        let limit = limits.into_iter().find(|one| one.name == limit).expect("it is limited");
        limit.keys.first().map_or((0, 0), |key| (key.holding, key.waiting))
    }

    async fn shut_down(self) {
        shut_down(HelpDesk, Bench::new().resource(self.desk), self.runtime).await;
    }
}

async fn output<T: Serialize + for<'de> Deserialize<'de>>(run: RunHandle<T>) -> T {
    run.result().await.expect("it completes")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().expect("a text").parse().expect("a UUID")
}

/// The comments on the ticket that has most of them, and who opened it.
fn discussion() -> (Vec<Value>, Uuid) {
    let comments = lines(include_str!("../data/comments.jsonl"));
    let on = |ticket: &Value| comments.iter().filter(|one| one["ticket"] == *ticket).count();
    let ticket = comments.iter().map(|one| &one["ticket"]).max_by_key(|ticket| on(ticket));
    let ticket = ticket.expect("there are comments").clone();
    let tickets = lines(include_str!("../data/tickets.jsonl"));
    let opened = tickets.iter().find(|one| one["id"] == ticket).expect("it is there");
    let opened_by = uuid(&opened["opened_by"]);
    (comments.into_iter().filter(|one| one["ticket"] == ticket).collect(), opened_by)
}

fn posted(comment: &Value) -> CommentPosted {
    CommentPosted { ticket_id: uuid(&comment["ticket"]), comment_id: uuid(&comment["id"]) }
}

async fn everybody_in_a_discussion_is_told_once(database: Fresh) {
    let scene = Scene::on(database).await;
    let (comments, opened_by) = discussion();
    let mut told = 0;
    for (n, comment) in comments.iter().enumerate() {
        let earlier = comments[..n].iter().map(|one| uuid(&one["author"]));
        let mut others: HashSet<Uuid> = earlier.chain([opened_by]).collect();
        others.remove(&uuid(&comment["author"]));
        let run = scene.runtime.start(on_comment_posted, posted(comment)).await;
        assert_eq!(output(run.expect("it starts")).await, others.len(), "comment {}", n + 1);
        told += others.len();
    }
    let letters = scene.count("SELECT count(*) FROM {outbox} WHERE kind = 'comment'").await;
    assert_eq!(letters, told as i64);
    scene.shut_down().await;
}

/// Lets nobody pass until it is opened.
struct Barrier(watch::Sender<bool>);

impl Barrier {
    async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.expect("the barrier is there");
    }

    fn open(&self) {
        self.0.send_replace(true);
    }
}

#[async_trait]
impl Mailer for Barrier {
    async fn send(&self, _letter: &Letter) -> Result<(), Failure> {
        self.pass().await;
        Ok(())
    }
}

#[async_trait]
impl Analyser for Barrier {
    async fn analyse(&self, ticket: &Ticket) -> Result<Analysis, Failure> {
        self.pass().await;
        analysis::rules().analyse(ticket).await
    }
}

async fn a_ticket_has_ten_comments_at_a_time(database: Fresh) {
    let barrier = Arc::new(Barrier(watch::Sender::new(false)));
    let scene = Scene::with(database, analysis::rules(), barrier.clone()).await;
    let (comments, _) = discussion();
    // Each tells somebody: the first one is not by the one who opened the ticket.
    for comment in &comments {
        scene.runtime.send(posted(comment)).await.expect("it is accepted");
    }
    let waiting = comments.len() as u64 - 10;
    eventually("ten are at work, and the others wait", async || {
        scene.busiest("on-comment-posted/concurrency").await == (10, waiting)
    })
    .await;
    barrier.open();
    eventually("all are over", async || {
        scene.over(on_comment_posted::ID).await == comments.len() as u64
    })
    .await;
    scene.shut_down().await;
}

async fn a_user_has_five_tickets_at_a_time(database: Fresh) {
    let barrier = Arc::new(Barrier(watch::Sender::new(false)));
    let mailer = mail::outbox(Database::lazy(&database.url()).expect("a URL"));
    let scene = Scene::with(database, barrier.clone(), mailer).await;
    let tickets = lines(include_str!("../data/tickets.jsonl"));
    for ticket in &tickets[..8] {
        let ticket_id = uuid(&ticket["id"]);
        let opened = TicketCreated { ticket_id, opened_by: Uuid::from_u128(1) };
        scene.runtime.send(opened).await.expect("it is accepted");
    }
    eventually("five are at work, and the others wait", async || {
        scene.busiest("on-ticket-created/concurrency").await == (5, 3)
    })
    .await;
    barrier.open();
    eventually("all are over", async || scene.over(on_ticket_created::ID).await == 8).await;
    scene.shut_down().await;
}

async fn a_new_password_is_confirmed_and_logged_once(database: Fresh) {
    let scene = Scene::on(database).await;
    for n in 1..=3 {
        let email = "zoe.kravchenko@posteo.example".to_owned();
        let changed = PasswordChanged { change_id: Uuid::from_u128(n), email };
        output(scene.runtime.start(on_password_changed, changed).await.expect("it starts")).await;
    }
    let confirmed = "SELECT count(*) FROM {outbox} WHERE kind = 'password changed'";
    assert_eq!(scene.count(confirmed).await, 3);
    let logged = "SELECT count(*) FROM {account_log} AS log JOIN {users} AS person
        ON person.id = log.account WHERE person.email = 'zoe.kravchenko@posteo.example'";
    assert_eq!(scene.count(logged).await, 3);
    scene.shut_down().await;
}

async fn a_token_is_used_or_lapses(database: Fresh) {
    let scene = Scene::on(database).await;
    let request = |n| PasswordResetRequested {
        reset_id: Uuid::from_u128(n),
        email: "zoe.kravchenko@posteo.example".to_owned(),
    };
    let lapses = scene.runtime.start(on_password_reset_requested, request(1)).await;
    assert_eq!(output(lapses.expect("it starts")).await, ResetState::Lapsed);

    // The token is used at once: before anybody waits for that, it may be.
    let used = scene.runtime.start(on_password_reset_requested, request(2)).await;
    let event = PasswordResetUsed { reset_id: Uuid::from_u128(2) };
    scene.runtime.send(event).await.expect("it is accepted");
    assert_eq!(output(used.expect("it starts")).await, ResetState::Used);

    for (state, number) in [("used", 1), ("lapsed", 1), ("open", 0)] {
        let question = format!("SELECT count(*) FROM {{resets}} WHERE state = '{state}'");
        assert_eq!(scene.count(&question).await, number, "{state}");
    }
    // Who has the mail has the token.
    let mailed = "SELECT count(*) FROM {outbox} WHERE body LIKE '%password?token=%'";
    assert_eq!(scene.count(mailed).await, 2);
    scene.shut_down().await;
}

fn midnight() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().expect("a time")
}

async fn the_numbers_of_a_day_are_mailed_and_posted(database: Fresh) {
    let scene = Scene::on(database).await;
    let run = scene.runtime.start(admin_digest, Tick::at(midnight())).await;
    output(run.expect("it starts")).await;
    eventually("both have reacted", async || {
        scene.over(mail_admin_digest::ID).await == 1 && scene.over(post_admin_digest::ID).await == 1
    })
    .await;
    let admins = scene.count("SELECT count(*) FROM {users} WHERE role = 'admin'").await;
    let mailed = "SELECT count(*) FROM {outbox} WHERE kind = 'admin digest'";
    assert!(admins > 1);
    assert_eq!(scene.count(mailed).await, admins);
    let tickets = lines(include_str!("../data/tickets.jsonl")).len();
    let posted = format!(
        "SELECT count(*) FROM {{chat}} WHERE text =
        '2026-03-01: {tickets} tickets are waiting, 0 are urgent, nobody has 0.'"
    );
    assert_eq!(scene.count(&posted).await, 1);
    scene.shut_down().await;
}

async fn what_is_pending_comes_in_one_letter_each(database: Fresh) {
    let scene = Scene::on(database).await;
    // Some people have opened several tickets.
    let mut tickets = lines(include_str!("../data/tickets.jsonl"));
    tickets.sort_by_key(|ticket| ticket["opened_by"].to_string());
    for ticket in &tickets[..20] {
        let (ticket_id, opened_by) = (uuid(&ticket["id"]), uuid(&ticket["opened_by"]));
        let run = scene.runtime.start(on_ticket_created, TicketCreated { ticket_id, opened_by });
        output(run.await.expect("it starts")).await;
    }
    let pending = "SELECT count(*) FROM {notifications} WHERE sent_on IS NULL";
    let people = scene.count("SELECT count(DISTINCT recipient) FROM {notifications}").await;
    assert!(scene.count(pending).await > people, "somebody hears of several tickets");

    let digest = async || {
        let run = scene.runtime.start(batch_digest, Tick::at(midnight())).await;
        output(run.expect("it starts")).await as i64
    };
    assert_eq!(digest().await, people);
    assert_eq!(scene.count(pending).await, 0);
    let letters = "SELECT count(*) FROM {outbox} WHERE kind = 'digest'";
    assert_eq!(scene.count(letters).await, people);
    let lines = "SELECT sum(length(body) - length(replace(body, '- ', ' '))) FROM {outbox}
        WHERE kind = 'digest'";
    assert_eq!(scene.count(lines).await, scene.count("SELECT count(*) FROM {notifications}").await);

    // Nothing is left for the next morning.
    assert_eq!(digest().await, 0);
    scene.shut_down().await;
}

async fn every_failed_run_is_told_in_the_chat(database: Fresh) {
    let scene = Scene::on(database).await;
    let nobody = || "nobody@posteo.example".to_owned();
    let ticket = TicketCreated { ticket_id: Uuid::nil(), opened_by: Uuid::nil() };
    scene.runtime.send(ticket).await.expect("it is accepted");
    scene.runtime.send(UserSignedUp { email: nobody() }).await.expect("it is accepted");
    let changed = PasswordChanged { change_id: Uuid::nil(), email: nobody() };
    scene.runtime.send(changed).await.expect("it is accepted");
    eventually("all three are told", async || scene.over(report_failure::ID).await == 3).await;
    for workflow in [on_ticket_created::ID, on_user_signup::ID, on_password_changed::ID] {
        let told = format!(
            "SELECT count(*) FROM {{chat}} WHERE text LIKE '{workflow} has failed: there is no %'"
        );
        assert_eq!(scene.count(&told).await, 1, "{workflow}");
    }
    let failed = RunQuery { status: Some(RunStatus::Failed), ..RunQuery::default() };
    assert_eq!(scene.runtime.runs(&failed).await.expect("the runs").len(), 3);
    scene.shut_down().await;
}

/// A desk in memory, with all people and tickets, on the test kit's bench.
async fn bench() -> Bench {
    let database = crate::desk::testing::database().await;
    let Database::Sqlite(pool) = database.clone() else { panic!("it is in memory") };
    let mailer = mail::outbox(database.clone());
    let chat = Chat::new(database.clone(), None);
    let desk = Desk::new(database, analysis::rules(), mailer, chat, None);
    desk.prepare().await.expect("it takes people and tickets");
    Bench::new().resource(desk).sqlite(pool)
}

/// The first ticks of a workflow's schedule after a time.
fn ticks<W: Workflow>(_workflow: impl indelible::WorkflowFn<W>) -> Vec<String> {
    let schedule = W::CONFIG.cron.expect("it has a schedule");
    schedule.upcoming(midnight()).take(2).map(|tick| tick.to_string()).collect()
}

#[tokio::test]
async fn digests_are_due_at_midnight_and_at_eight() {
    assert_eq!(ticks(admin_digest), ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"]);
    assert_eq!(ticks(batch_digest), ["2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"]);
}

#[tokio::test]
async fn digests_resume_wherever_they_are_cut_off() {
    bench().await.start(admin_digest, Tick::at(midnight())).assert_resumes().await;
    bench().await.start(batch_digest, Tick::at(midnight())).assert_resumes().await;
}

#[tokio::test]
async fn a_token_lives_an_hour_which_takes_no_time_in_a_test() {
    let request = PasswordResetRequested {
        reset_id: Uuid::from_u128(1),
        email: "zoe.kravchenko@posteo.example".to_owned(),
    };
    let mut run = bench().await.start(on_password_reset_requested, request);
    assert_eq!(run.finish().await, Ok(ResetState::Lapsed));
    let journal = run.journal();
    let (first, last) = (journal.first().expect("lines").at, journal.last().expect("lines").at);
    let hours = last.duration_since(first).as_hours();
    assert_eq!(hours, 1);
    run.assert_resumes().await;
}
