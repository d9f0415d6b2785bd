use async_trait::async_trait;

use super::PostgresStore;
use crate::store::health::{DatabaseHealth, Health, Horizon, Setting, TableHealth};
use crate::store::read::Columns;
use crate::store::{Store, StoreError};

const SETTINGS: &str = "
    SELECT now() AS at, current_setting('server_version') AS server_version,
           current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit,
           current_setting('autovacuum') AS autovacuum, current_setting('track_counts') AS track_counts";

const TABLES: &str = "
    SELECT relname::text AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS live,
           n_dead_tup AS dead
    FROM pg_stat_user_tables WHERE schemaname = 'indelible' ORDER BY bytes DESC, name";

/// What has held the horizon of VACUUM back for longest. A vacuum itself does not.
const HORIZON: &str = "
    SELECT holder, since, transactions::bigint AS transactions FROM (
        SELECT 'the session of the process ' || pid || coalesce(' (' || application_name || ')', '')
                   || ', which is ' || coalesce(state, 'of another user') AS holder,
               xact_start AS since, greatest(age(backend_xid), age(backend_xmin)) AS transactions
        FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND datname = current_database()
          AND backend_type = 'client backend'
          AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)
        UNION ALL
        SELECT 'the replica ' || application_name, NULL, age(backend_xmin)
        FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
        UNION ALL
        SELECT 'the replication slot ' || slot_name, NULL, greatest(age(xmin), age(catalog_xmin))
        FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
        UNION ALL
        SELECT 'the prepared transaction ' || gid, prepared, age(transaction)
        FROM pg_prepared_xacts WHERE database = current_database()
    ) held
    ORDER BY transactions DESC, since LIMIT 1";

#[async_trait]
impl Health for PostgresStore {
    async fn health(&self) -> Result<DatabaseHealth, StoreError> {
        let mut connection = self.database.acquire().await?;
        let settings = sqlx::query(SETTINGS).fetch_one(&mut connection).await?;
        let tables = sqlx::query(TABLES).fetch_all(&mut connection).await?;
        let horizon = sqlx::query(HORIZON).fetch_optional(&mut connection).await?;
        let names =
            ["fsync", "full_page_writes", "synchronous_commit", "autovacuum", "track_counts"];
        Ok(DatabaseHealth {
            kind: self.name(),
            version: settings.text("server_version")?,
            at: settings.time("at")?,
            settings: Setting::read_all(&settings, names)?,
            tables: tables.iter().map(TableHealth::read).collect::<Result<_, _>>()?,
            horizon: horizon.as_ref().map(Horizon::read).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::store::conformance::{World, on_postgres};
    use crate::store::postgres::races::transaction_beside;

    #[tokio::test]
    async fn whoever_keeps_dead_rows_from_being_removed_is_named() {
        on_postgres(|world: World| async move {
            let mut tx = transaction_beside(&world).await;
            let pid = "SELECT pg_backend_pid() FROM pg_current_xact_id()";
            let pid: i32 = sqlx::query_scalar(pid).fetch_one(&mut tx).await.expect("it answers");
            let health = world.store.health().await.expect("it answers");
            let held = health.horizon.expect("a transaction is open");
            assert!(held.holder.contains(&format!("of the process {pid}")), "{held:?}");
            assert!(held.holder.ends_with("idle in transaction"), "{held:?}");
            assert!(held.since.is_some_and(|since| since <= health.at), "{held:?}");
        })
        .await;
    }
}
