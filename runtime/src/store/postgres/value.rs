use jiff::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef,
};
use sqlx::{Decode, Encode, Postgres, Row as _, Type, ValueRef as _};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::read::{Columns, narrow};

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

/// A whole number, as an `integer` or a `bigint`.
struct Number(i64);

impl Type<Postgres> for Number {
    fn type_info() -> PgTypeInfo {
        <i64 as Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <i32 as Type<Postgres>>::compatible(column) || <i64 as Type<Postgres>>::compatible(column)
    }
}

impl Decode<'_, Postgres> for Number {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let is_narrow = <i32 as Type<Postgres>>::compatible(&value.type_info());
        Ok(Self(match is_narrow {
            true => <i32 as Decode<Postgres>>::decode(value)?.into(),
            false => <i64 as Decode<Postgres>>::decode(value)?,
        }))
    }
}

impl Columns for PgRow {
    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let number: Option<Number> = self.try_get(column)?;
        number.map(|Number(number)| narrow(column, number)).transpose()
    }

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.try_get::<Option<Time>, _>(column)?.map(|time| time.0))
    }

    fn uuid_or_null<T: From<Uuid>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        Ok(self.try_get::<Option<Uuid>, _>(column)?.map(T::from))
    }

    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn texts(&self, column: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.try_get(column)?)
    }
}
