use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlitePool;

use crate::store::{Listener, StoreError};

/// How soon another process's commit is noticed.
const INTERVAL: Duration = Duration::from_millis(50);

/// Changes when another connection has committed. Asked on the connection that writes, so that this
/// process's own commits do not count.
const VERSION: &str = "PRAGMA data_version";

/// Hears of the commits of other processes.
pub(super) struct Changes {
    writer: SqlitePool,
    seen: i64,
}

impl Changes {
    pub(super) async fn since_now(writer: &SqlitePool) -> Result<Self, StoreError> {
        Ok(Self { seen: version(writer).await?, writer: writer.clone() })
    }
}

#[async_trait]
impl Listener for Changes {
    async fn heard(&mut self) -> Result<(), StoreError> {
        loop {
            let version = version(&self.writer).await?;
            if version != self.seen {
                self.seen = version;
                return Ok(());
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

async fn version(writer: &SqlitePool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(VERSION).fetch_one(writer).await?)
}
