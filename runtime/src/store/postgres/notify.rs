use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::store::{Listener, StoreError};

/// One channel for all apps; each message names its app.
const CHANNEL: &str = "indelible";

const NOTIFY: &str = "SELECT pg_notify($1, $2)";

pub(super) async fn announce(pool: &PgPool, app: &str) -> Result<(), StoreError> {
    sqlx::query(NOTIFY).bind(CHANNEL).bind(app).execute(pool).await?;
    Ok(())
}

/// Hears what is announced to one app. Keeps one connection of the pool.
pub(super) struct Announcements {
    listener: PgListener,
    app: String,
}

impl Announcements {
    pub(super) async fn to(pool: &PgPool, app: &str) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self { listener, app: app.to_owned() })
    }
}

#[async_trait]
impl Listener for Announcements {
    async fn heard(&mut self) -> Result<(), StoreError> {
        loop {
            match self.listener.try_recv().await? {
                Some(message) if message.payload() != self.app => {}
                Some(_) => return Ok(()),
                // The connection was lost and is there again; what was said meanwhile was missed.
                None => return Ok(()),
            }
        }
    }
}
