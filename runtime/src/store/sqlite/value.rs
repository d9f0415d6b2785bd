//! How values stand in SQLite: times as microseconds, ids as text, batches as JSON.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::read::{Columns, narrow};

/// The time now, to the microsecond: as exact as what is stored.
pub(super) fn now() -> Timestamp {
    #[cfg(test)]
    if let Some(time) = crate::store::conformance::stopped_at() {
        return time;
    }
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Corrupt(error.to_string()))
}

pub(super) fn uuid(text: &str) -> Result<Uuid, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("`{text}`: {error}")))
}

/// A batch of rows for `json_each`.
pub(super) fn batch<T: Serialize>(rows: impl IntoIterator<Item = T>) -> String {
    let rows: Vec<T> = rows.into_iter().collect();
    serde_json::to_string(&rows).expect("rows are made of strings and numbers")
}

impl Columns for SqliteRow {
    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let number: Option<i64> = self.try_get(column)?;
        number.map(|number| narrow(column, number)).transpose()
    }

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.try_get::<Option<i64>, _>(column)?.map(time).transpose()
    }

    fn uuid_or_null<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let uuid = self.try_get::<Option<&str>, _>(column)?.map(uuid).transpose()?;
        Ok(uuid.map(T::from))
    }

    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.try_get(column)?)
    }

    /// A list in JSON.
    fn texts(&self, column: &str) -> Result<Vec<String>, StoreError> {
        serde_json::from_str(self.try_get(column)?)
            .map_err(|error| StoreError::Corrupt(format!("`{column}`: {error}")))
    }
}
