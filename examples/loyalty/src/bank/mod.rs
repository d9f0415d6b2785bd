//! The application itself: merchants, members, wallets and refunds, in tables of its own. They are in the
//! database that stores the runs, so that a step can write to both in one transaction.

mod database;
mod fed;
mod merchants;
mod refunds;
mod seed;
mod wallets;
mod work_log;

use std::time::Duration;

pub use self::merchants::Merchant;
pub use self::wallets::Posting;

use self::database::Database;

/// What the workflow works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bank {
    database: Database,
    /// Tells the work of this process from that of others.
    process: i64,
    day: Duration,
    answer_time: Duration,
}

impl Bank {
    /// Opens the tables in a database, `sqlite://FILE` or `postgres://..`. Makes those that are missing.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn open(url: &str) -> sqlx::Result<Self> {
        let database = Database::open(url).await?;
        let process = std::process::id().into();
        let day = Duration::from_secs(24 * 60 * 60);
        Ok(Self { database, process, day, answer_time: Duration::ZERO })
    }

    /// Lets a day pass in another time than 24 hours. The delays of merchants shrink with it.
    #[must_use]
    pub fn day_lasts(self, day: Duration) -> Self {
        Self { day, ..self }
    }

    /// Makes every step take some time, as if the bank were another service.
    #[must_use]
    pub fn answers_after(self, answer_time: Duration) -> Self {
        Self { answer_time, ..self }
    }
}
