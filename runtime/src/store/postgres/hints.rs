use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::PostgresStore;
use crate::store::Hearing;
use crate::store::hints::Hints;

#[async_trait]
impl Hearing for PostgresStore {
    fn hints(&self) -> &Arc<Hints> {
        self.database.hints()
    }

    async fn listen(&self, app: &str, poll: Duration) {
        self.telling.listen(&self.database, app, poll).await;
    }

    async fn close(&self) {
        self.sent.end(&self.database).await;
        self.telling.end().await;
        self.lent.close().await;
        self.database.close().await;
    }
}
