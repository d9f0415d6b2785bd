//! How columns are read, from whichever database they come: so what a row is made into is written once
//! for both.

use jiff::Timestamp;
use uuid::Uuid;

use super::StoreError;
use crate::payload::Payload;
use crate::trace::TraceContext;

/// A row whose columns are read by their names.
pub(super) trait Columns {
    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError>;

    /// Of whatever width the column is.
    fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError>;

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError>;

    fn uuid_or_null<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError>;

    fn flag(&self, column: &str) -> Result<bool, StoreError>;

    fn texts(&self, column: &str) -> Result<Vec<String>, StoreError>;

    fn text(&self, column: &str) -> Result<String, StoreError> {
        there(column, self.text_or_null(column)?)
    }

    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        there(column, self.number_or_null(column)?)
    }

    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        there(column, self.time_or_null(column)?)
    }

    fn uuid<T: From<Uuid>>(&self, column: &str) -> Result<T, StoreError> {
        there(column, self.uuid_or_null(column)?)
    }

    /// On Postgres the statement has to read the column as `::text`.
    fn payload(&self, column: &str) -> Result<Payload, StoreError> {
        self.text(column).map(Payload::stored)
    }

    /// What is in the column `trace_context`. What is none, somebody has written there by hand: nothing is held up
    /// by it.
    fn trace(&self) -> Result<Option<TraceContext>, StoreError> {
        Ok(self.text_or_null("trace_context")?.and_then(|text| text.parse().ok()))
    }
}

fn there<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::Corrupt(format!("there is nothing in `{column}`")))
}

/// A number of the width that is asked for.
pub(super) fn narrow<T: TryFrom<i64>>(column: &str, number: i64) -> Result<T, StoreError> {
    let corrupt = |_| StoreError::Corrupt(format!("`{column}` is {number}, which is out of range"));
    T::try_from(number).map_err(corrupt)
}
