//! An error as a column.

use super::StoreError;
use crate::journal::ErrorRecord;

pub(super) fn error_text(error: &ErrorRecord) -> String {
    serde_json::to_string(error).expect("an error record is made of strings and names")
}

pub(super) fn error_record(text: &str) -> Result<ErrorRecord, StoreError> {
    serde_json::from_str(text)
        .map_err(|reason| StoreError::Corrupt(format!("an error record: {reason}")))
}
