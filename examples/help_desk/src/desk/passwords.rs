use std::fmt;
use std::time::Duration;

use indelible::Tx;
use indelible::prelude::*;

use super::database::{Database, on};
use super::{Desk, Person};
use crate::mail::Letter;

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResetState {
    Used,
    Lapsed,
}

// In the transaction of a step the search path is that of the runtime, so the table is named in full.

const LOG_ON_POSTGRES: &str = "
    insert into help_desk.account_log (account, action) values ($1, 'password changed')";

const LOG_ON_SQLITE: &str = "
    insert into account_log (account, action) values ($1, 'password changed')";

const OPEN: &str = "
    insert into resets (id, account, token) values ($1, $2, $3) on conflict (id) do nothing";

/// Served by the primary key. What was closed stays as it is.
const CLOSE: &str = "update resets set state = $2 where id = $1 and state = 'open'";

impl Desk {
    /// Confirms to somebody that their password has changed.
    pub(crate) async fn confirm_change(
        &self,
        change: Uuid,
        letter: Uuid,
        account: &Person,
    ) -> Result<(), Failure> {
        let letter = Letter::password_changed(letter, account);
        self.executions.record("confirm-change", change, self.mailer.send(&letter)).await
    }

    /// Logs that somebody's password has changed, in the transaction of a step.
    pub(crate) async fn log_change(&self, tx: &mut Tx, account: &Person) -> Result<(), Failure> {
        match self.database {
            Database::Postgres(_) => {
                sqlx::query(LOG_ON_POSTGRES).bind(account.id).execute(tx.postgres()?).await?;
            }
            Database::Sqlite(_) => {
                sqlx::query(LOG_ON_SQLITE).bind(account.id).execute(tx.sqlite()?).await?;
            }
        }
        Ok(())
    }

    /// How long a token can be used.
    pub(crate) fn token_lifetime(&self) -> Duration {
        self.token_lifetime
    }

    /// Keeps a token, so that the web application recognises it.
    pub(crate) async fn open_reset(
        &self,
        reset: Uuid,
        token: Uuid,
        account: &Person,
    ) -> Result<(), Failure> {
        let opened = async {
            on!(self.database, pool => {
                sqlx::query(OPEN)
                    .bind(reset)
                    .bind(account.id)
                    .bind(token)
                    .execute(pool)
                    .await
                    .map(drop)
            })?;
            Ok(())
        };
        self.executions.record("open-reset", reset, opened).await
    }

    /// Sends a token to its owner.
    pub(crate) async fn mail_token(
        &self,
        reset: Uuid,
        letter: Uuid,
        account: &Person,
        token: Uuid,
    ) -> Result<(), Failure> {
        let letter = Letter::password_reset(letter, account, token);
        self.executions.record("mail-token", reset, self.mailer.send(&letter)).await
    }

    /// Takes a token back.
    pub(crate) async fn close_reset(&self, reset: Uuid, state: ResetState) -> Result<(), Failure> {
        let closed = async {
            on!(self.database, pool => {
                sqlx::query(CLOSE)
                    .bind(reset)
                    .bind(state.to_string())
                    .execute(pool)
                    .await
                    .map(drop)
            })?;
            Ok(())
        };
        self.executions.record("close-reset", reset, closed).await
    }
}

impl fmt::Display for ResetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Used => "used",
            Self::Lapsed => "lapsed",
        })
    }
}
