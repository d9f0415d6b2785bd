//! The ways to send an event.

use std::sync::OnceLock;

use indelible::event::InvalidEvent;
use indelible::prelude::*;
use indelible::testing::Bench;
use indelible::{Client, Error, RunQuery, TraceContext};
use indelible_tests::databases::Fresh;
use indelible_tests::{eventually, on_both_databases, shut_down};

on_both_databases!(
    an_event_that_is_due_while_no_worker_is_there_is_not_lost,
    a_text_that_is_no_duration_is_refused,
    many_events_of_a_type_are_sent_in_order,
    a_step_sends_an_event_in_its_transaction,
    events_of_the_system_are_sent_by_nobody_else,
);

/// Somebody has knocked.
#[derive(Debug, Clone, PartialEq, Event, Serialize, Deserialize, JsonSchema)]
#[event(name = "house/knocked")]
struct Knocked {
    n: u32,
}

/// Notes who knocked, and when.
#[workflow]
async fn on_knock(knocked: Received<Knocked>) -> Result<(u32, Timestamp), Failure> {
    Ok((knocked.data.n, knocked.accepted_at))
}

/// Lets somebody in, and has others know it if that is committed.
#[workflow(input, retries = 1)]
async fn let_in(
    (n, goes_well): (u32, bool),
    step: Step,
    Resource(client): Resource<OnceLock<Client>>,
) -> Result<EventId, Failure> {
    let sent = step.transaction("let-in", async |tx| {
        let client = client.get().expect("it was lent");
        let event = client.send_in(&mut tx, Knocked { n }).await?;
        if goes_well { Ok(event) } else { Err(Failure::msg("the door is stuck")) }
    });
    Ok(sent.await?)
}

indelible::app! {
    House = "house";
    events: [Knocked],
    workflows: [on_knock, let_in],
}

async fn connect(database: &Fresh) -> Client {
    Runtime::builder(House).database(database.url()).connect().await.expect("it opens")
}

async fn start(database: &Fresh) -> Runtime {
    let runtime = Runtime::builder(House).database(database.url());
    runtime.resource(OnceLock::<Client>::new()).start().await.expect("it starts")
}

/// What the run of an event has noted.
async fn noted(client: &Client, event: EventId) -> (u32, Timestamp) {
    let query = RunQuery { event: Some(event), ..RunQuery::default() };
    let mut runs = Vec::new();
    eventually("its run is there", async || {
        runs = client.runs(&query).await.expect("it answers");
        !runs.is_empty()
    })
    .await;
    assert_eq!(runs.len(), 1);
    client.handle(runs[0].id).result().await.expect("it completes")
}

/// Its sender has gone, too.
async fn an_event_that_is_due_while_no_worker_is_there_is_not_lost(database: Fresh) {
    let client = connect(&database).await;
    let due = Timestamp::now();
    let event = client.send(Knocked { n: 7 }).at(due).await.expect("it is stored");
    client.close().await;

    let runtime = start(&database).await;
    let (n, accepted_at) = noted(&runtime, event).await;
    assert_eq!(n, 7);
    assert!(accepted_at >= due, "{accepted_at} is before {due}");
    shut_down(House, Bench::new(), runtime).await;
}

async fn a_text_that_is_no_duration_is_refused(database: Fresh) {
    let client = connect(&database).await;
    let error = client.send(Knocked { n: 7 }).after("soon").await.expect_err("when is that?");
    assert!(matches!(error, Error::NotADuration { .. }), "{error}");
    let runs = client.runs(&RunQuery::default()).await.expect("it answers");
    assert_eq!(runs.len(), 0);
    client.close().await;
}

async fn many_events_of_a_type_are_sent_in_order(database: Fresh) {
    let runtime = start(&database).await;
    let knocks = (0..600).map(|n| Knocked { n });
    let events = runtime.send_all(knocks).await.expect("they are accepted");
    assert_eq!(events.len(), 600);
    let mut before = Timestamp::MIN;
    for (n, event) in (0..).zip(&events).step_by(100) {
        let (noted, accepted_at) = noted(&runtime, *event).await;
        assert_eq!(noted, n);
        assert!(accepted_at >= before, "{n} was accepted before the one before it");
        before = accepted_at;
    }
    shut_down(House, Bench::new(), runtime).await;
}

async fn a_step_sends_an_event_in_its_transaction(database: Fresh) {
    let client = connect(&database).await;
    let lent = OnceLock::new();
    assert!(lent.set(client.clone()).is_ok());
    let runtime = Runtime::builder(House).database(database.url()).resource(lent);
    let runtime = runtime.start().await.expect("it starts");
    let sent = runtime.start(let_in, (7, true)).await.expect("it starts");
    let event = sent.result().await.expect("it completes");
    assert_eq!(noted(&runtime, event).await.0, 7);

    let failed = runtime.start(let_in, (8, false)).await.expect("it starts");
    failed.result().await.expect_err("it rolls back");
    let last = runtime.send(Knocked { n: 9 }).await.expect("it is accepted");
    noted(&runtime, last).await;
    let knocks = RunQuery { workflow: Some("on-knock".to_owned()), ..RunQuery::default() };
    assert_eq!(runtime.runs(&knocks).await.expect("it answers").len(), 2);
    client.close().await;
    runtime.shutdown().await;
}

async fn events_of_the_system_are_sent_by_nobody_else(database: Fresh) {
    let client = connect(&database).await;
    let data = serde_json::value::to_raw_value(&()).expect("it is JSON");
    let refused = client.catalog().check("indelible/run.failed", &data, client.event_limit());
    let error = refused.expect_err("it is reserved");
    assert!(matches!(error, InvalidEvent::Reserved { .. }), "{error}");
    client.close().await;
}

/// Any SQL client.
mod in_sql {
    use std::time::Duration;

    use sqlx::postgres::{PgConnection, PgDatabaseError};
    use sqlx::{AssertSqlSafe, Connection as _};

    use super::*;

    const POLL: Duration = Duration::from_secs(60);

    /// A worker that would find nothing for a minute unless it is told, and a client in SQL.
    async fn scene() -> (Fresh, Runtime, PgConnection) {
        let database = Fresh::postgres().await;
        let runtime = Runtime::builder(House).database(database.url()).poll_interval(POLL);
        let runtime = runtime.resource(OnceLock::<Client>::new()).start().await;
        let sql = PgConnection::connect(&database.url()).await.expect("the server answers");
        (database, runtime.expect("it starts"), sql)
    }

    async fn send(sql: &mut PgConnection, arguments: &str) -> Result<EventId, sqlx::Error> {
        let send = AssertSqlSafe(format!("SELECT indelible.send({arguments})"));
        let sent: Uuid = sqlx::query_scalar(send).fetch_one(sql).await?;
        Ok(sent.into())
    }

    async fn refusal(sql: &mut PgConnection, arguments: &str) -> (String, String, bool) {
        let error = send(sql, arguments).await.expect_err("it is refused");
        let error = error.into_database_error().expect("the server says so");
        let error: &PgDatabaseError = error.downcast_ref();
        (error.code().to_owned(), error.message().to_owned(), error.hint().is_some())
    }

    #[tokio::test]
    async fn an_event_is_there_exactly_if_its_transaction_is_committed() {
        let (_database, runtime, mut sql) = scene().await;
        let mut tx = sql.begin().await.expect("it begins");
        let lost = send(&mut tx, r#"'house/knocked', '{"n": 1}'"#).await.expect("it is sent");
        tx.rollback().await.expect("it is rolled back");
        let mut tx = sql.begin().await.expect("it begins");
        let kept = send(&mut tx, r#"'house/knocked', '{"n": 2}'"#).await.expect("it is sent");
        let built = send(&mut tx, "'house/knocked', json_build_object('n', 3)").await;
        let binary = send(&mut tx, "'house/knocked', jsonb_build_object('n', 4)").await;
        tx.commit().await.expect("it is committed");
        for (n, event) in [(2, kept), (3, built.expect("sent")), (4, binary.expect("sent"))] {
            assert_eq!(noted(&runtime, event).await.0, n);
            assert_eq!(event.as_uuid().get_version_num(), 7);
        }
        let runs = RunQuery { event: Some(lost), ..RunQuery::default() };
        assert_eq!(runtime.runs(&runs).await.expect("it answers").len(), 0);
        shut_down(House, Bench::new(), runtime).await;
    }

    #[tokio::test]
    async fn an_event_is_sent_later_and_once_for_its_key() {
        let (_database, runtime, mut sql) = scene().await;
        let soon = r#"'house/knocked', '{"n": 1}', at => now() + interval '300 milliseconds',
                      idempotency_key => 'first'"#;
        let before = Timestamp::now();
        let event = send(&mut sql, soon).await.expect("it is sent");
        let again = runtime.send(Knocked { n: 2 }).idempotency_key("first").await;
        assert_eq!(again.expect("it is known"), event);
        let known = r#"'house/knocked', '{"n": 3}', 'first'"#;
        assert_eq!(send(&mut sql, known).await.expect("it is known"), event);
        let (n, accepted_at) = noted(&runtime, event).await;
        assert_eq!(n, 1);
        assert!(accepted_at >= before + Duration::from_millis(300), "{accepted_at}, sent {before}");
        let knocks = RunQuery { workflow: Some("on-knock".to_owned()), ..RunQuery::default() };
        assert_eq!(runtime.runs(&knocks).await.expect("it answers").len(), 1);
        shut_down(House, Bench::new(), runtime).await;
    }

    /// What is stored of an event's trace.
    async fn stored(sql: &mut PgConnection, event: EventId) -> Option<String> {
        let stored = "SELECT trace_context FROM indelible.events WHERE id = $1";
        let stored = sqlx::query_scalar(stored).bind(event.as_uuid());
        stored.fetch_one(sql).await.expect("it is there")
    }

    /// It is stored as what other senders give is.
    #[tokio::test]
    async fn an_event_is_sent_in_a_trace() {
        let (_database, runtime, mut sql) = scene().await;
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let later = format!("{}-more", parent.replace("00-4", "cc-4"));
        let too_long = format!("{parent} a={}", "b".repeat(511));
        for given in [
            parent,
            &later,
            &parent.replace("-01", "-ff"),
            &format!("{parent} a=b, c='' "),
            &format!("{parent} a=\u{e9}"),
            &format!("{parent} a=b\nc=d"),
            &too_long[..too_long.len() - 1],
            &too_long,
        ] {
            let quoted = given.replace('\'', "''");
            for data in ["'{\"n\": 1}'", "json_build_object('n', 1)", "jsonb_build_object('n', 1)"]
            {
                let arguments = format!("'house/knocked', {data}, trace_context => '{quoted}'");
                let event = send(&mut sql, &arguments).await.expect("it is sent");
                noted(&runtime, event).await;
                let read: TraceContext = given.parse().expect("it is one");
                assert_eq!(stored(&mut sql, event).await, Some(read.to_string()), "{given}");
            }
        }
        let event = send(&mut sql, "'house/knocked', '{\"n\": 1}'").await.expect("it is sent");
        noted(&runtime, event).await;
        assert_eq!(stored(&mut sql, event).await, None);

        // What is too long is not stored at all.
        let mut tx = sql.begin().await.expect("it begins");
        let endless = format!("{later}{0} a={0}", "b".repeat(10_000));
        send(&mut tx, &format!("'house/knocked', '{{}}', trace_context => '{endless}'"))
            .await
            .expect("it is sent");
        let kept = sqlx::query_scalar("SELECT trace_context FROM indelible.later");
        let kept: String = kept.fetch_one(&mut *tx).await.expect("it is there");
        assert_eq!(kept, later[..55]);
        tx.rollback().await.expect("it is rolled back");
        shut_down(House, Bench::new(), runtime).await;
    }

    #[tokio::test]
    async fn what_no_other_door_accepts_is_refused() {
        let (_database, runtime, mut sql) = scene().await;
        for (arguments, code, message) in [
            ("NULL, '{}'", "22004", "a name and data"),
            ("'house/knocked', NULL::text", "22004", "a name and data"),
            ("'', '{}'", "22023", "it is empty"),
            ("repeat('a', 128) || '/b', '{}'", "22023", "longer than 128 bytes"),
            ("'House/knocked', '{}'", "22023", "upper-case"),
            ("'house knocked/x', '{}'", "22023", "characters other than"),
            (r"E'house/knocked\n', '{}'", "22023", "characters other than"),
            ("'house', '{}'", "22023", "exactly one `/`"),
            ("'a/b/c', '{}'", "22023", "exactly one `/`"),
            ("'/knocked', '{}'", "22023", "one side"),
            ("'house/.knocked', '{}'", "22023", "begin and end"),
            ("'house/a..b', '{}'", "22023", "begin and end"),
            ("'indelible/run.failed', '{}'", "42939", "reserved"),
            ("'house/knocked', '{\"n\": }'", "22P02", "is not JSON"),
            (
                "'house/knocked', '\"' || repeat('a', 524287) || '\"'",
                "54000",
                "over the limit of 524288",
            ),
            ("'house/knocked', '{}', repeat('a', 1025)", "54000", "over the limit of 1024"),
            ("'house/knocked', '{}', at => 'infinity'", "22008", "is no time"),
            ("'house/knocked', '{}', trace_context => ''", "22023", "32, 16 and 2"),
            (
                "'house/knocked', '{}', trace_context => '00-' || repeat('1', 32) || '-' || repeat('A', 16) || '-01'",
                "22023",
                "lower case",
            ),
            (
                "'house/knocked', '{}', trace_context => '00-' || repeat('1', 32) || '-' || repeat('1', 16) || '-01-x'",
                "22023",
                "32, 16 and 2",
            ),
            (
                "'house/knocked', '{}', trace_context => 'ff-' || repeat('1', 32) || '-' || repeat('1', 16) || '-01'",
                "22023",
                "version is `ff`",
            ),
            (
                "'house/knocked', '{}', trace_context => '00-' || repeat('0', 32) || '-' || repeat('1', 16) || '-01'",
                "22023",
                "trace id is all zeros",
            ),
            (
                "'house/knocked', '{}', trace_context => '00-' || repeat('1', 32) || '-' || repeat('0', 16) || '-01'",
                "22023",
                "parent id is all zeros",
            ),
        ] {
            let (found, said, helps) = refusal(&mut sql, arguments).await;
            assert_eq!(found, code, "{arguments}: {said}");
            assert!(said.contains(message) && helps, "{arguments}: {said}");
        }
        for name in ["a/b", "app/account.password-changed", "product/out_of_stock", "1/2"] {
            send(&mut sql, &format!("'{name}', 'null'"))
                .await
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let longest = "'house/heard', '\"' || repeat('a', 524286) || '\"', repeat('a', 1024)";
        send(&mut sql, longest).await.expect("it is just short enough");
        runtime.shutdown().await;
    }

    /// Whoever may call it needs no right to a table, and cannot have it call another function.
    #[tokio::test]
    async fn who_may_send_need_not_be_allowed_anything_else() {
        let (_database, runtime, mut sql) = scene().await;
        let role = format!("sender_{}", Uuid::new_v4().simple());
        for statement in
            ["CREATE ROLE {role}", "GRANT USAGE ON SCHEMA indelible TO {role}", "SET ROLE {role}"]
        {
            let statement = AssertSqlSafe(statement.replace("{role}", &role));
            sqlx::query(statement).execute(&mut sql).await.expect("it is done");
        }
        let knocked = r#"'house/knocked', '{"n": 1}', 'key'"#;
        let (code, ..) = refusal(&mut sql, knocked).await;
        assert_eq!(code, "42501", "only whom the owner lets");
        for statement in [
            "RESET ROLE",
            "GRANT EXECUTE ON FUNCTION indelible.send(text, text, text, timestamptz, text) TO {role}",
            "CREATE SCHEMA theirs AUTHORIZATION {role}",
            "SET ROLE {role}",
            "CREATE FUNCTION theirs.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            "SET search_path = theirs, pg_catalog",
        ] {
            let statement = AssertSqlSafe(statement.replace("{role}", &role));
            sqlx::query(statement).execute(&mut sql).await.expect("it is done");
        }
        let event = send(&mut sql, knocked).await.expect("it may");
        assert_eq!(noted(&runtime, event).await.0, 1);
        let table = sqlx::query("SELECT 1 FROM indelible.later").execute(&mut sql).await;
        table.expect_err("it may not read it");
        for statement in ["RESET ROLE", "DROP OWNED BY {role}", "DROP ROLE {role}"] {
            let statement = AssertSqlSafe(statement.replace("{role}", &role));
            sqlx::query(statement).execute(&mut sql).await.expect("it is done");
        }
        shut_down(House, Bench::new(), runtime).await;
    }
}
