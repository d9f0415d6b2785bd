use jiff::Timestamp;
use uuid::Uuid;

use super::row::Row;
use crate::workflow::TriggerData;

/// A run as the store knows it, before a machine is made of it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What has started it.
    pub trigger: TriggerData,
    /// What its derived values rest on.
    pub seed: Uuid,
    /// How often an operator has had it taken up again, or what it is a fork of.
    pub retries: u32,
    /// How often it has begun anew. Of a later generation than the first, the trigger's data is the
    /// input that it began with, and its time the one at which it did.
    pub generation: u32,
    /// When a worker first took it up.
    pub started_at: Timestamp,
    /// What it has done.
    pub journal: Vec<Row>,
}
