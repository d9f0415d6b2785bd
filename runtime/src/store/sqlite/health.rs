use async_trait::async_trait;

use super::database::SqliteStore;
use super::value::now;
use crate::store::health::{DatabaseHealth, Health, Setting, TableHealth};
use crate::store::read::Columns;
use crate::store::{Store, StoreError};

const SETTINGS: &str = "
    SELECT sqlite_version() AS version, journal_mode, CASE synchronous
               WHEN 0 THEN 'off' WHEN 1 THEN 'normal' WHEN 2 THEN 'full' ELSE 'extra'
           END AS synchronous
    FROM pragma_journal_mode, pragma_synchronous";

const FILE: &str = "
    SELECT 'the file' AS name, page_count * page_size AS bytes, NULL AS live, NULL AS dead
    FROM pragma_page_count, pragma_page_size";

#[async_trait]
impl Health for SqliteStore {
    async fn health(&self) -> Result<DatabaseHealth, StoreError> {
        // What a commit does is set where it is made.
        let mut tx = self.write().await?;
        let settings = sqlx::query(SETTINGS).fetch_one(&mut *tx).await?;
        let file = sqlx::query(FILE).fetch_one(&mut *tx).await?;
        Ok(DatabaseHealth {
            kind: self.name(),
            version: settings.text("version")?,
            at: now(),
            settings: Setting::read_all(&settings, ["journal_mode", "synchronous"])?,
            tables: vec![TableHealth::read(&file)?],
            horizon: None,
        })
    }
}
