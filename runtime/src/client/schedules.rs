use std::time::Duration;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::program::Program;
use crate::store::DueSchedule;
use crate::workflow::Cron;

/// The schedule of a workflow, as it stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkflowSchedule {
    /// The workflow's id.
    pub workflow: String,
    /// Its expression, its time zone, and what else the program says of it.
    pub cron: Cron,
    /// How long after its tick each run starts: always the same, and within the jitter.
    pub delay: Duration,
    /// The last tick that has started a run. A changed schedule still knows it.
    pub last: Option<Timestamp>,
    /// After which time ticks are listed.
    since: Timestamp,
}

impl WorkflowSchedule {
    pub(super) fn of(program: &Program, standing: DueSchedule) -> Option<Self> {
        let DueSchedule { workflow, last, now, .. } = standing;
        let cron = program.workflow(&workflow)?.config.cron?;
        let delay = cron.delay(program.app, &workflow);
        let since = Cron::since(last, now, delay);
        Some(Self { workflow, cron, delay: delay.unsigned_abs(), last, since })
    }

    /// The next ticks that start a run, in order, by the database's clock at the time of the question. What
    /// a worker has yet to catch up with is not among them.
    ///
    /// ```no_run
    /// # async fn shown(client: indelible::Client) -> indelible::Result<()> {
    /// for schedule in client.schedules().await? {
    ///     let next: Vec<_> = schedule.upcoming().take(3).collect();
    ///     println!("{} {:?}", schedule.workflow, next);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn upcoming(&self) -> impl Iterator<Item = Timestamp> + use<> {
        self.cron.upcoming(self.since)
    }
}

/// How many of the next ticks are written.
const NEXT: usize = 5;

impl Serialize for WorkflowSchedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { workflow, cron, delay, last, .. } = self;
        let mut fields = serializer.serialize_struct("WorkflowSchedule", 6)?;
        fields.serialize_field("workflow", workflow)?;
        fields.serialize_field("cron", cron.expression())?;
        fields.serialize_field("tz", cron.zone())?;
        fields.serialize_field("delay_seconds", &delay.as_secs_f64())?;
        fields.serialize_field("last", last)?;
        fields.serialize_field("next", &self.upcoming().take(NEXT).collect::<Vec<_>>())?;
        fields.end()
    }
}
