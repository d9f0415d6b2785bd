use std::fmt;

use super::{Count, OfKey, unstopped};
use crate::store::{EventRecord, StartedRun, UnroutedEvent};

/// Why an event has started nothing, or what it has started. See [`Client::why_event`](crate::Client::why_event).
///
/// Print it with `{}`: one sentence a line.
#[derive(Debug, Clone, PartialEq)]
pub struct EventReasons(pub EventRecord);

impl EventRecord {
    /// Whether something is known of what a workflow made of it.
    pub(super) fn is_known_to(&self, workflow: &str) -> bool {
        let started = self.started.iter().map(|run| &run.workflow);
        let gathered = self.gathered.iter().map(|gathered| &gathered.workflow);
        let skipped = self.skipped.iter().map(|skipped| &skipped.workflow);
        let blocked = self.blocked.iter().map(|blocked| &blocked.workflow);
        let mut known = started.chain(gathered).chain(skipped).chain(blocked);
        known.any(|known| known == workflow)
    }

    fn say_first(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, accepted_at, trace_context, .. } = self;
        write!(f, "The event {id}, `{name}`, was accepted at {accepted_at}.")?;
        match trace_context {
            Some(trace) => write!(f, " It belongs to the trace {}.", trace.trace_id()),
            None => Ok(()),
        }
    }

    fn say_what_it_did(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for StartedRun { run, workflow, status, together, .. } in &self.started {
            let together = if *together { " together with others" } else { "" };
            write!(f, "\nIt started{together} the run {run} of `{workflow}`, which is {status}.")?;
        }
        if self.more_started > 0 {
            write!(f, "\nIt started {} more.", Count(self.more_started, "run"))?;
        }
        for woken in &self.woke {
            write!(
                f,
                "\nThe run {} of `{}` took it in `{}`.",
                woken.run, woken.workflow, woken.state
            )?;
        }
        if self.more_woke > 0 {
            write!(f, "\nIt was taken by {} more.", Count(self.more_woke, "wait"))?;
        }
        Ok(())
    }

    fn say_what_kept_it(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for gathered in &self.gathered {
            let (workflow, key) = (&gathered.workflow, OfKey(&gathered.key));
            write!(
                f,
                "\n`{workflow}` gathers it with others{key}, {} so far. ",
                Count(gathered.events, "event")
            )?;
            match gathered.due > self.at {
                true => write!(
                    f,
                    "Its run starts at {}, or before if the batch is full.",
                    gathered.due
                )?,
                false => write!(f, "Its run has been due since {}.", gathered.due)?,
            }
        }
        for skipped in &self.skipped {
            let (workflow, reason) = (&skipped.workflow, unstopped(&skipped.reason));
            write!(f, "\n`{workflow}` skipped it: {reason}.")?;
        }
        for unmet in &self.unmet {
            let (workflow, condition) = (&unmet.workflow, unmet.condition);
            write!(f, "\nIt does not pass the condition `{condition}` of `{workflow}`.")?;
        }
        for blocked in &self.blocked {
            let (workflow, reason) = (&blocked.workflow, unstopped(&blocked.reason));
            write!(
                f,
                "\n`{workflow}` is blocked by it: {reason}. It is tried again when a program starts, and when \
                 the worker stops that could not go on with it."
            )?;
        }
        for UnroutedEvent { app, part, workers, .. } in &self.unrouted {
            let whole = *part == self.name;
            let part = if whole { String::new() } else { format!(" to `{part}`") };
            write!(f, "\nIt is still to be routed{part} in the app `{app}`")?;
            match workers {
                0 if whole => {
                    f.write_str(", but no living worker of the app knows events of its name.")?
                }
                0 => f.write_str(", but no living worker of the app knows that part.")?,
                _ => write!(f, ", which {} can do.", Count(*workers, "living worker"))?,
            }
        }
        if self.subscribers.is_empty() {
            write!(f, "\nNobody subscribes to `{}`.", self.name)?;
        }
        Ok(())
    }

    /// Whether the facts say why it has started nothing.
    fn is_explained(&self) -> bool {
        let Self {
            started, woke, gathered, skipped, unmet, blocked, unrouted, subscribers, ..
        } = self;
        subscribers.is_empty()
            || !(started.is_empty()
                && woke.is_empty()
                && gathered.is_empty()
                && skipped.is_empty()
                && unmet.is_empty()
                && blocked.is_empty()
                && unrouted.is_empty())
    }
}

/// One sentence a line: what it did, then what kept it from more.
impl fmt::Display for EventRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say_first(f)?;
        self.say_what_it_did(f)?;
        self.say_what_kept_it(f)
    }
}

impl fmt::Display for EventReasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(event) = self;
        event.say_first(f)?;
        if event.started.is_empty() {
            f.write_str("\nIt has started no run.")?;
        }
        event.say_what_it_did(f)?;
        event.say_what_kept_it(f)?;
        if event.is_explained() {
            return Ok(());
        }
        write!(
            f,
            "\nIt was routed in each app that subscribes to it, and started nothing there: no run waited for \
             it, and no workflow that it could start is in this program."
        )
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::store::{
        BlockedWorkflow, GatheredEvent, RunStatus, SkippedEvent, UnmetCondition, WokenWait,
    };

    fn time(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().expect("it is a time")
    }

    fn event() -> EventRecord {
        EventRecord {
            id: Uuid::from_u128(1).into(),
            name: "order/placed".to_owned(),
            accepted_at: time("09:00:00"),
            trace_context: None,
            at: time("10:00:00"),
            started: Vec::new(),
            more_started: 0,
            woke: Vec::new(),
            more_woke: 0,
            gathered: Vec::new(),
            skipped: Vec::new(),
            unmet: Vec::new(),
            blocked: Vec::new(),
            unrouted: Vec::new(),
            subscribers: vec!["shop".to_owned()],
        }
    }

    /// What is said of it behind the two lines of an event that has started nothing.
    fn said(event: EventRecord) -> String {
        let first = format!(
            "The event {}, `order/placed`, was accepted at 2026-03-01T09:00:00Z.\nIt has started no run.\n",
            event.id
        );
        let text = EventReasons(event).to_string();
        text.strip_prefix(&first).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[test]
    fn what_an_event_did_is_told() {
        let (run, workflow) = (Uuid::from_u128(2).into(), "ship".to_owned());
        let started = |together| StartedRun {
            run,
            app: "shop".to_owned(),
            workflow: workflow.clone(),
            status: RunStatus::Running,
            together,
        };
        let woken = WokenWait {
            run,
            app: "shop".to_owned(),
            workflow: workflow.clone(),
            state: "paid".into(),
        };
        let event = EventRecord {
            started: vec![started(false), started(true)],
            more_started: 90,
            woke: vec![woken],
            ..event()
        };
        assert_eq!(
            event.to_string(),
            format!(
                "The event {}, `order/placed`, was accepted at 2026-03-01T09:00:00Z.\n\
                 It started the run {run} of `ship`, which is running.\n\
                 It started together with others the run {run} of `ship`, which is running.\n\
                 It started 90 runs more.\n\
                 The run {run} of `ship` took it in `paid`.",
                event.id
            )
        );
    }

    #[test]
    fn why_an_event_has_started_nothing_is_told() {
        let (app, workflow) = ("shop".to_owned(), "ship".to_owned());
        let unrouted = |part: &str, workers| {
            let unrouted = UnroutedEvent { app: app.clone(), part: part.to_owned(), workers };
            said(EventRecord { unrouted: vec![unrouted], ..event() })
        };
        assert_eq!(
            unrouted("order/placed", 0),
            "It is still to be routed in the app `shop`, but no living worker of the app knows events of its \
             name."
        );
        assert_eq!(
            unrouted("order/placed starts ship", 0),
            "It is still to be routed to `order/placed starts ship` in the app `shop`, but no living worker of \
             the app knows that part."
        );
        assert_eq!(
            unrouted("order/placed", 1),
            "It is still to be routed in the app `shop`, which 1 living worker can do."
        );
        let gathered = GatheredEvent {
            app: app.clone(),
            workflow: workflow.clone(),
            key: "7".to_owned(),
            events: 3,
            due: time("10:00:30"),
        };
        assert_eq!(
            said(EventRecord { gathered: vec![gathered], ..event() }),
            "`ship` gathers it with others of the key 7, 3 events so far. Its run starts at 2026-03-01T10:00:30Z, or \
             before if the batch is full."
        );
        let skipped = SkippedEvent {
            app: app.clone(),
            workflow: workflow.clone(),
            reason: "the limit is reached".to_owned(),
            at: time("09:00:00"),
        };
        assert_eq!(
            said(EventRecord { skipped: vec![skipped], ..event() }),
            "`ship` skipped it: the limit is reached."
        );
        let unmet = UnmetCondition { workflow: workflow.clone(), condition: "event.cents > 0" };
        assert_eq!(
            said(EventRecord { unmet: vec![unmet], ..event() }),
            "It does not pass the condition `event.cents > 0` of `ship`."
        );
        let blocked = BlockedWorkflow { app, workflow, reason: "the key panicked".to_owned() };
        assert!(
            said(EventRecord { blocked: vec![blocked], ..event() })
                .starts_with("`ship` is blocked by it: the key panicked. It is tried again when")
        );
        assert_eq!(
            said(EventRecord { subscribers: Vec::new(), ..event() }),
            "Nobody subscribes to `order/placed`."
        );
        assert!(said(event()).starts_with("It was routed in each app that subscribes to it"));
    }
}
