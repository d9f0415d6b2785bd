use jiff::Timestamp;

use super::{Draw, NewRun};
use crate::payload::Payload;
use crate::step::Definition;
use crate::workflow::{Due, Tick, Trigger};

/// What a schedule starts. A tick is asked nothing: it starts a run in any case.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// In order of time.
    pub runs: Vec<NewRun>,
    /// When it is due again.
    pub next: Timestamp,
}

impl Firing {
    /// What a workflow starts that is due; `last` is the last tick that has started a run of it.
    pub fn of(workflow: &Definition, due: Due, last: Option<Timestamp>, draw: Draw) -> Self {
        let mut previous = last;
        let runs = due.ticks.into_iter().map(|scheduled_at| {
            let tick = Tick { previous: previous.replace(scheduled_at), ..Tick::at(scheduled_at) };
            let data = Payload::stored(tick.to_json());
            let input = workflow.form.data(Trigger::Tick.name(), &data);
            NewRun { scheduled_at: Some(scheduled_at), ..draw(workflow.id, None, input) }
        });
        Self { runs: runs.collect(), next: due.next }
    }

    /// The last tick that has started a run.
    pub fn last(&self) -> Option<Timestamp> {
        self.runs.last().and_then(|run| run.scheduled_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn;
    use super::*;
    use crate::prelude::*;

    #[workflow(cron("0 9 * * *"))]
    async fn report(_tick: Tick) -> Result<(), Failure> {
        Ok(())
    }

    #[test]
    fn each_tick_starts_a_run_that_knows_the_one_before() {
        let days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"];
        let [last, first, second, next]: [Timestamp; 4] =
            days.map(|day| format!("{day}T09:00:00Z").parse().expect("it is a time"));
        let definition = Definition::of::<report>();
        let due = Due { ticks: vec![first, second], next };
        let firing = Firing::of(&definition, due, Some(last), drawn);
        let run = |at: Timestamp, previous: Timestamp| {
            let input = format!(r#"{{"scheduled_at":"{at}","previous":"{previous}"}}"#);
            NewRun { scheduled_at: Some(at), ..drawn("report", None, Payload::stored(input)) }
        };
        let runs = vec![run(first, last), run(second, first)];
        assert_eq!(firing, Firing { runs, next });
        assert_eq!(firing.last(), Some(second));

        let due = Due { ticks: Vec::new(), next };
        let firing = Firing::of(&definition, due, Some(last), drawn);
        assert_eq!((firing.last(), firing.next), (None, next));
    }
}
