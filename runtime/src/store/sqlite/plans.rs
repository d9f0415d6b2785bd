//! The plans of the statements that look things up: by index, though SQLite knows nothing of how the
//! tables have grown.

use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection};

use super::{batches, flush, history, inbox, later, leases, route, unsettled, waits};
use crate::store::conformance::{World, on_sqlite};

const STATEMENTS: [(&str, &str); 25] = [
    ("begin waits", waits::BEGIN),
    ("end waits", waits::END),
    ("look for events", waits::LOOK),
    ("know events", waits::KNOW),
    ("find waits", waits::FIND),
    ("mark messages", inbox::MARK),
    ("remove messages", inbox::REMOVE),
    ("tell parents", inbox::TELL_PARENTS),
    ("tell children", inbox::TELL_CHILDREN),
    ("messages", inbox::MESSAGES),
    ("rouse", inbox::ROUSE),
    ("children", history::CHILDREN),
    ("drop rows", flush::DROP),
    ("due batches", batches::DUE),
    ("events of batches", batches::EVENTS),
    ("take from batches", batches::TAKE),
    ("close batches", batches::CLOSE),
    ("take unsettled runs", unsettled::TAKE),
    ("forget unsettled runs", unsettled::FORGET),
    ("keep events", later::KEEP),
    ("kept events that are due", later::DUE),
    ("remove kept events", later::REMOVE),
    ("route", route::OLDEST),
    ("try blocked events again", leases::UNBLOCK),
    ("try held runs again", leases::TRY_HELD),
];

#[tokio::test]
async fn plans_are_by_index() {
    on_sqlite(|world: World| async move {
        let options = SqliteConnectOptions::from_str(&world.database.url()).expect("it is a URL");
        let mut connection = SqliteConnection::connect_with(&options).await.expect("it opens");
        for (name, sql) in STATEMENTS {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let steps = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await;
            let steps = steps.expect("it is explained");
            let plan: Vec<&str> = steps.iter().map(|step| step.get("detail")).collect();
            // A batch is gone through as a whole, and that is all.
            let scanned = plan.iter().filter(|step| step.starts_with("SCAN "));
            let scanned: Vec<_> = scanned.filter(|step| !step.contains("VIRTUAL TABLE")).collect();
            assert!(scanned.is_empty(), "{name}: {plan:#?}");
            assert!(plan.iter().any(|step| step.contains("USING")), "{name}: {plan:#?}");
        }
    })
    .await;
}
