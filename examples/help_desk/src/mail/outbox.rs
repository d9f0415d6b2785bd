use async_trait::async_trait;
use indelible::prelude::*;

use super::{Letter, Mailer};
use crate::desk::{Database, on};

const PUT: &str = "
    insert into outbox (key, kind, recipient, subject, body) values ($1, $2, $3, $4, $5)
    on conflict (key) do nothing";

/// Served by the primary key.
const CONTAINS: &str = "select count(*) from outbox where key = $1";

/// The table of all mails that were sent.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    database: Database,
}

impl Outbox {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Whether a letter was sent before.
    pub(crate) async fn contains(&self, letter: &Letter) -> sqlx::Result<bool> {
        let (count,): (i64,) = on!(self.database, pool => {
            sqlx::query_as(CONTAINS).bind(letter.key).fetch_one(pool).await
        })?;
        Ok(count > 0)
    }

    /// Keeps a letter, once.
    pub(crate) async fn put(&self, letter: &Letter) -> sqlx::Result<()> {
        on!(self.database, pool => {
            sqlx::query(PUT)
                .bind(letter.key)
                .bind(letter.kind.to_string())
                .bind(&letter.to)
                .bind(&letter.subject)
                .bind(&letter.body)
                .execute(pool)
                .await
                .map(drop)
        })
    }
}

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, letter: &Letter) -> Result<(), Failure> {
        letter.mailbox()?;
        Ok(self.put(letter).await?)
    }
}
