//! Other programs on the same server: whatever a run sees must not depend on what they commit when.

use sqlx::PgConnection;
use tokio::task::JoinHandle;

use crate::store::conformance::TestDatabase;

/// Commits without end until it is dropped: events that nobody wants, which number themselves among
/// those of the cases.
pub(super) struct Bustle(JoinHandle<()>);

impl Bustle {
    /// `None` where nobody else can write while a test does.
    pub(super) async fn in_database(database: &TestDatabase) -> Option<Self> {
        let connection = database.connect_to_postgres().await?;
        Some(Self(tokio::spawn(commit_for_ever(connection))))
    }
}

async fn commit_for_ever(mut connection: PgConnection) {
    let name = "SET application_name = 'bustle'";
    sqlx::query(name).execute(&mut connection).await.expect("it can be named");
    loop {
        let accept = "
            INSERT INTO indelible.events (id, name, data, accepted_at, since)
            VALUES (gen_random_uuid(), 'bustle', '{}', 'epoch', 0)";
        sqlx::query(accept).execute(&mut connection).await.expect("it is accepted");
        tokio::task::yield_now().await;
    }
}

impl Drop for Bustle {
    fn drop(&mut self) {
        self.0.abort();
    }
}
