use jiff::Timestamp;

use super::{Draw, NewRun};
use crate::payload::Payload;
use crate::step::Definition;
use crate::workflow::{Due, Tick, Trigger};

/// What a schedule starts. A tick is no event: no condition and no limit of events concerns it.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// In order of time.
    pub runs: Vec<NewRun>,
    /// When it is due again.
    pub next: Timestamp,
}

impl Firing {
    /// What a workflow starts that is due; `last` is the last tick that has started a run of it. Gives
    /// also why ticks start nothing whose key or priority fails.
    pub fn of(
        workflow: &Definition,
        due: Due,
        last: Option<Timestamp>,
        draw: Draw,
    ) -> (Self, Vec<String>) {
        let (mut previous, mut runs, mut refused) = (last, Vec::new(), Vec::new());
        for scheduled_at in due.ticks {
            let tick = Tick { previous, ..Tick::at(scheduled_at) };
            let data = Payload::stored(tick.to_json());
            let input = workflow.form.data(Trigger::Tick.name(), &data);
            let passage = match workflow.config.flow.passage(workflow.id, &input) {
                Ok(passage) => passage,
                Err(reason) => {
                    refused.push(reason);
                    continue;
                }
            };
            let run = NewRun { scheduled_at: Some(scheduled_at), ..draw(workflow.id, None, input) };
            runs.push(run.passing(passage));
            previous = Some(scheduled_at);
        }
        (Self { runs, next: due.next }, refused)
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

    #[workflow(
        cron("0 9 * * *"),
        singleton(mode = skip),
        priority = 86_400 / tick.scheduled_at.as_second(),
    )]
    async fn since_the_epoch(_tick: Tick) -> Result<(), Failure> {
        Ok(())
    }

    #[test]
    fn a_tick_whose_priority_fails_starts_nothing_and_costs_no_other() {
        let [zero, first, next] = [0, 86_400, 172_800]
            .map(|seconds| Timestamp::from_second(seconds).expect("it is a time"));
        let due = Due { ticks: vec![zero, first], next };
        let definition = Definition::of::<since_the_epoch>();
        let (firing, refused) = Firing::of(&definition, due, None, drawn);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].contains("scheduled_at.as_second()` panicked"), "{}", refused[0]);
        let input = Payload::stored(Tick::at(first).to_json());
        let passage = definition.config.flow.passage("since-the-epoch", &input);
        let run = drawn("since-the-epoch", None, input).passing(passage.expect("it has one"));
        assert_eq!((run.gates.len(), run.ahead), (1, 1));
        assert!(run.checks.single.is_some());
        let run = NewRun { scheduled_at: Some(first), ..run };
        assert_eq!(firing, Firing { runs: vec![run], next });
    }

    #[test]
    fn each_tick_starts_a_run_that_knows_the_one_before() {
        let days = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"];
        let [last, first, second, next]: [Timestamp; 4] =
            days.map(|day| format!("{day}T09:00:00Z").parse().expect("it is a time"));
        let definition = Definition::of::<report>();
        let due = Due { ticks: vec![first, second], next };
        let (firing, _) = Firing::of(&definition, due, Some(last), drawn);
        let run = |at: Timestamp, previous: Timestamp| {
            let input = format!(r#"{{"scheduled_at":"{at}","previous":"{previous}"}}"#);
            NewRun { scheduled_at: Some(at), ..drawn("report", None, Payload::stored(input)) }
        };
        let runs = vec![run(first, last), run(second, first)];
        assert_eq!(firing, Firing { runs, next });
        assert_eq!(firing.last(), Some(second));

        let due = Due { ticks: Vec::new(), next };
        let (firing, _) = Firing::of(&definition, due, Some(last), drawn);
        assert_eq!((firing.last(), firing.next), (None, next));
    }
}
