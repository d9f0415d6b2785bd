use jiff::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef,
};
use sqlx::{Decode, Encode, Postgres, Row as _, Type};
use uuid::Uuid;

use crate::payload::Payload;
use crate::store::StoreError;

/// A point in time as a `timestamptz`: exact to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

/// 2000-01-01, from which Postgres counts.
const EPOCH: i64 = 946_684_800_000_000;

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Time {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0.as_microsecond() - EPOCH, buffer)
    }

    fn size_hint(&self) -> usize {
        size_of::<i64>()
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros = <i64 as Decode<Postgres>>::decode(value)?;
                let micros = micros.checked_add(EPOCH).ok_or("a time beyond the calendar")?;
                Ok(Self(Timestamp::from_microsecond(micros)?))
            }
            PgValueFormat::Text => Ok(Self(value.as_str()?.parse()?)),
        }
    }
}

/// Reads columns by name.
pub(super) trait Columns {
    fn time(&self, column: &str) -> Result<Timestamp, StoreError>;
    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError>;
    fn uuid_or_null<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError>;
    fn uuid<T: From<Uuid>>(&self, column: &str) -> Result<T, StoreError>;
    fn payload(&self, column: &str) -> Result<Payload, StoreError>;
}

impl Columns for PgRow {
    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(self.try_get::<Time, _>(column)?.0)
    }

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.try_get::<Option<Time>, _>(column)?.map(|time| time.0))
    }

    fn uuid_or_null<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        Ok(self.try_get::<Option<Uuid>, _>(column)?.map(T::from))
    }

    fn uuid<T: From<Uuid>>(&self, column: &str) -> Result<T, StoreError> {
        Ok(self.try_get::<Uuid, _>(column)?.into())
    }

    /// The statement has to read the column as `::text`.
    fn payload(&self, column: &str) -> Result<Payload, StoreError> {
        Ok(Payload::stored(self.try_get::<String, _>(column)?))
    }
}
