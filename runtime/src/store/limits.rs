//! Limits as they stand, and what operators set in place of what the code says.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::StoreError;
use super::gated::AllowanceColumns;
use super::read::Columns;
use crate::journal::RunId;
use crate::workflow::Allowance;

/// How many keys of a limit are listed.
pub(super) const KEYS: u32 = 20;
/// How many runs that hold a slot are listed of a key.
pub(super) const HOLDERS: u32 = 5;

/// A limit of the app, as it stands. See [`Client::limits`](crate::Client::limits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitRecord {
    /// Its name: `on-ticket-created/concurrency`.
    pub name: String,
    /// What the code says that each key allows.
    pub declared: Allowance,
    /// What an operator has [set](crate::Client::set_limit) in place of that.
    pub set: Option<Allowance>,
    /// When an operator last set or reset it, by the database's clock.
    pub changed_at: Option<Timestamp>,
    /// Who did.
    pub changed_by: Option<String>,
    /// Its keys in use, the busiest first, at most 20 of them. The busiest are those at which most runs
    /// wait, and then those at which most hold a slot.
    pub keys: Vec<LimitKey>,
}

/// A key of a limit that is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitKey {
    /// The key, as JSON; empty if the limit has none.
    pub key: String,
    /// How many runs hold a slot.
    pub holding: u64,
    /// Some of these runs: the five that have held it for longest.
    pub holders: Vec<Holder>,
    /// How many runs wait.
    pub waiting: u64,
    /// Of a `throttle`, when the next start is in time. Of a `rate_limit`, when the window ends. `None` if that
    /// time is over, and for other limits.
    pub until: Option<Timestamp>,
    /// Of a `rate_limit`: how many events have started a run in the window.
    pub counted: u64,
    /// Of a `rate_limit`: how many events the window has skipped.
    pub skipped: u64,
}

/// A run that holds a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// Since when it holds the slot, by the database's clock.
    pub since: Timestamp,
}

impl LimitRecord {
    /// What each key allows now: what an operator has set, or else what the code says.
    pub fn allows(&self) -> Allowance {
        self.set.unwrap_or(self.declared)
    }

    /// `None` if only a newer program knows its kind.
    pub(super) fn read(row: &impl Columns) -> Result<Option<Self>, StoreError> {
        let kind = row.text("kind")?;
        let columns = |most, period, burst| {
            let columns = AllowanceColumns {
                kind: &kind,
                most,
                period: row.number_or_null(period)?,
                burst: row.number_or_null(burst)?,
            };
            Ok::<_, StoreError>(columns.allowance())
        };
        let Some(declared) = columns(row.number("most")?, "period", "burst")? else {
            return Ok(None);
        };
        let set = match row.number_or_null("set_most")? {
            Some(most) => columns(most, "set_period", "set_burst")?,
            None => None,
        };
        Ok(Some(Self {
            name: row.text("name")?,
            declared,
            set,
            changed_at: row.time_or_null("set_at")?,
            changed_by: row.text_or_null("set_by")?,
            keys: Vec::new(),
        }))
    }
}

/// A key of some limit. Keys are listed in the order in which they are read.
pub(super) struct KeyRow {
    name: String,
    pub(super) gate: Uuid,
    key: LimitKey,
}

impl KeyRow {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let number = |column| Ok::<_, StoreError>(row.number_or_null(column)?.unwrap_or(0));
        let key = LimitKey {
            key: row.text("key")?,
            holding: number("holding")?,
            holders: Vec::new(),
            waiting: number("waiting")?,
            until: row.time_or_null("until")?,
            counted: number("counted")?,
            skipped: number("skipped")?,
        };
        Ok(Self { name: row.text("name")?, gate: row.uuid("gate")?, key })
    }
}

/// Limits with their keys and with who holds a slot of each.
pub(super) fn with_keys(
    mut limits: Vec<LimitRecord>,
    keys: Vec<KeyRow>,
    mut holders: HashMap<Uuid, Vec<Holder>>,
) -> Vec<LimitRecord> {
    for KeyRow { name, gate, mut key } in keys {
        key.holders = holders.remove(&gate).unwrap_or_default();
        if let Some(limit) = limits.iter_mut().find(|limit| limit.name == name) {
            limit.keys.push(key);
        }
    }
    limits
}

/// Who holds a slot, by gate, in the order in which they are read.
pub(super) fn read_holders<R: Columns>(
    rows: &[R],
) -> Result<HashMap<Uuid, Vec<Holder>>, StoreError> {
    let mut holders = HashMap::<Uuid, Vec<Holder>>::new();
    for row in rows {
        let holder = Holder { run: row.uuid("run_id")?, since: row.time("since")? };
        holders.entry(row.uuid("gate")?).or_default().push(holder);
    }
    Ok(holders)
}

/// What limits allow, by name.
pub(super) type Allowances = BTreeMap<String, Allowance>;

/// A limit that has changed: what its keys have counted by the clock changes with it.
pub(super) struct Retimed<'a> {
    pub(super) name: &'a str,
    /// By how many microseconds its windows end later.
    pub(super) later: i64,
    /// Of a pace: how many microseconds from now its next start is in time at the latest.
    pub(super) ahead: Option<i64>,
}

/// The limits by which the clock counts otherwise than before.
pub(super) fn retimed<'a>(before: &Allowances, after: &'a Allowances) -> Vec<Retimed<'a>> {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let changed = after.iter().filter_map(|(name, allows)| {
        let (later, ahead) = match (before.get(name)?, allows) {
            (Allowance::Window { per: before, .. }, Allowance::Window { per, .. }) => {
                (micros(*per) - micros(*before), None)
            }
            (before, Allowance::Pace { limit, per, burst }) if before != allows => {
                let apart = per.checked_div(*limit)?;
                (0, Some(micros(apart.saturating_mul(burst.saturating_add(1)))))
            }
            _ => (0, None),
        };
        Some(Retimed { name, later, ahead })
    });
    changed.filter(|retimed| retimed.later != 0 || retimed.ahead.is_some()).collect()
}

/// What limits allow, of rows with the columns of [`LimitRecord`].
pub(super) fn read_allowances<R: Columns>(rows: &[R]) -> Result<Allowances, StoreError> {
    let limits = rows.iter().filter_map(|row| LimitRecord::read(row).transpose());
    limits.map(|limit| limit.map(|limit| (limit.name.clone(), limit.allows()))).collect()
}

/// Why a limit was left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LimitRefusal {
    /// There is none of that name; these there are.
    Unknown(Vec<String>),
    /// It allows something of another kind: this.
    OtherKind(Allowance),
}

/// What becomes of a change of a limit that was not found as it was asked for.
pub(super) fn refused(app_limits: &[LimitRecord], name: &str) -> LimitRefusal {
    match app_limits.iter().find(|limit| limit.name == name) {
        Some(limit) => LimitRefusal::OtherKind(limit.declared),
        None => LimitRefusal::Unknown(app_limits.iter().map(|limit| limit.name.clone()).collect()),
    }
}
