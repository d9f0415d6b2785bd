use std::fmt;

use jiff::Timestamp;

use super::{Count, OfKey, unstopped};
use crate::store::{RunReason, RunReasons};
use crate::workflow::Allowance;

/// One sentence a line.
impl fmt::Display for RunReasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, workflow, status, .. } = self;
        write!(f, "The run {run} of `{workflow}` is {status}.")?;
        for reason in &self.reasons {
            write!(f, "\n{}", Said { reason, at: self.at })?;
        }
        if self.more > 0 {
            write!(f, "\nIt waits in {} more.", Count(self.more, "state"))?;
        }
        Ok(())
    }
}

/// A reason in sentences, at the time of the answer.
struct Said<'a> {
    reason: &'a RunReason,
    at: Timestamp,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = |until: &Option<Timestamp>| match until {
            Some(until) => format!(", until {until} at the latest"),
            None => String::new(),
        };
        match self.reason {
            RunReason::Over { at, reason: None } => write!(f, "It ended at {at}."),
            RunReason::Over { at, reason: Some(reason) } => {
                write!(f, "It ended at {at}: {}.", unstopped(reason))
            }
            RunReason::CancelAsked { reason, since } => {
                write!(f, "It was asked to cancel at {since}: {}.", unstopped(reason))
            }
            RunReason::Undoing { error, since } => write!(
                f,
                "Its steps have been undone since {since}, because it does not complete: {}.",
                unstopped(&error.message)
            ),
            RunReason::Held { reason } => write!(
                f,
                "It is held: {}.\nIt is tried again when a program starts, and when the worker stops that \
                 could not go on with it.",
                unstopped(reason)
            ),
            RunReason::Paused { since } => {
                write!(
                    f,
                    "Its workflow has been paused since {since}. Resume the workflow to go on."
                )
            }
            RunReason::Running { worker, process, since, last } => {
                write!(f, "The worker {worker}")?;
                if let Some((host, pid)) = process {
                    write!(f, " (process {pid} on {host})")?;
                }
                write!(f, " drives it. It was first taken up at {since}.")?;
                match last {
                    Some((state, at)) => write!(f, " It last recorded `{state}`, at {at}."),
                    None => f.write_str(" It has recorded no state yet."),
                }
            }
            RunReason::Sleeps { state, until } => {
                write!(f, "It sleeps in `{state}` until {until}.")
            }
            RunReason::AwaitsEvent { state, event, since, until: latest } => {
                write!(f, "It has waited in `{state}` since {since} for ")?;
                match event {
                    Some(event) => write!(f, "the event {event}")?,
                    None => f.write_str("an event")?,
                }
                write!(f, "{}.", until(latest))
            }
            RunReason::AwaitsRun { state, run, standing, until: latest } => {
                write!(f, "It waits in `{state}` for the run {run}")?;
                if let Some((workflow, status)) = standing {
                    write!(f, " of `{workflow}`, which is {status}")?;
                }
                write!(f, "{}.", until(latest))
            }
            RunReason::Retries { state, attempt, error, due } => {
                let error = unstopped(&error.message);
                write!(f, "Attempt {attempt} of `{state}` failed: {error}. ")?;
                match *due > self.at {
                    true => write!(f, "The next attempt is due at {due}."),
                    false => write!(f, "The next attempt has been due since {due}."),
                }
            }
            RunReason::AwaitsSlot { limit, key, slots, since, holding, holders, before } => {
                write!(f, "It has waited since {since} for a slot of `{limit}`{}", OfKey(key))?;
                match slots {
                    Some(0) => f.write_str(", which is set to 0 and lets no run through.")?,
                    Some(slots) => write!(f, ", which allows {}.", Allowance::Slots(*slots))?,
                    None => f.write_str(".")?,
                }
                write!(f, " {}", Before(*before))?;
                if *holding > 0 {
                    let slots = if *holding == 1 { "holds a slot" } else { "hold a slot" };
                    write!(f, " {} {slots}:", Count(*holding, "run"))?;
                    for (place, holder) in holders.iter().enumerate() {
                        let before = if place == 0 { "" } else { "," };
                        write!(f, "{before} {} since {}", holder.run, holder.since)?;
                    }
                    match holding.saturating_sub(holders.len() as u64) {
                        0 => {}
                        more => write!(f, ", and {} more", Count(more, "run"))?,
                    }
                    f.write_str(".")?;
                }
                Ok(())
            }
            RunReason::Throttled { limit, key, allows, since, next, before } => {
                write!(f, "It has been throttled since {since} by `{limit}`{}", OfKey(key))?;
                match allows {
                    Allowance::Pace { limit: 0, .. } => {
                        f.write_str(", which is set to 0 and lets no run through.")?;
                    }
                    allows => write!(f, ", which allows {allows}.")?,
                }
                if let Some(next) = next {
                    write!(f, " The next run of the key may start at {next}.")?;
                }
                write!(f, " {}", Before(*before))
            }
            RunReason::AtItsLimits => f.write_str("A worker is about to look at its limits."),
            RunReason::Queued { workers, before, suspected } => {
                let have = if *workers == 1 { "has" } else { "have" };
                write!(
                    f,
                    "It is ready, and waits for a worker that has room. {} {have} its workflow. {} of the app \
                     are before it.",
                    Count(*workers, "living worker"),
                    Count(*before, "ready run"),
                )?;
                match suspected {
                    Some(steps) => write!(
                        f,
                        " A worker went down while it was in {steps}, so it is driven along with few others."
                    ),
                    None => Ok(()),
                }
            }
            RunReason::Stranded { workers: 0, .. } => {
                f.write_str("No worker of its app is alive. Start one.")
            }
            RunReason::Stranded { workers, shape } => {
                let (live, drive) =
                    if *workers == 1 { ("lives", "drives") } else { ("live", "drive") };
                write!(
                    f,
                    "No living worker can drive it. {} of its app {live}, ",
                    Count(*workers, "worker")
                )?;
                match shape {
                    Some(shape) => {
                        write!(f, "but none {drive} its workflow in its shape {shape}.")
                    }
                    None => write!(f, "but none {drive} its workflow."),
                }
            }
        }
    }
}

/// How many runs wait before one.
struct Before(u64);

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("No run waits before it."),
            1 => f.write_str("1 run waits before it."),
            before => write!(f, "{} wait before it.", Count(before, "run")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::journal::{AwaitedEvent, ErrorKind, ErrorRecord, RunId};
    use crate::store::{Holder, RunStatus};

    fn time(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().expect("it is a time")
    }

    fn run(number: u128) -> RunId {
        Uuid::from_u128(number).into()
    }

    /// What is said of a reason, but for the first line.
    fn said(reason: RunReason) -> String {
        let reasons = RunReasons {
            run: run(1),
            workflow: "ship".to_owned(),
            status: RunStatus::Waiting,
            at: time("10:00:00"),
            reasons: vec![reason],
            more: 0,
        };
        let text = reasons.to_string();
        let (first, rest) = text.split_once('\n').expect("there is a reason");
        assert_eq!(first, format!("The run {} of `ship` is waiting.", run(1)));
        rest.to_owned()
    }

    #[test]
    fn an_end_is_told_with_its_reason() {
        let at = time("09:00:00");
        assert_eq!(said(RunReason::Over { at, reason: None }), "It ended at 2026-03-01T09:00:00Z.");
        assert_eq!(
            said(RunReason::Over { at, reason: Some("the bank is closed.".to_owned()) }),
            "It ended at 2026-03-01T09:00:00Z: the bank is closed."
        );
    }

    #[test]
    fn who_drives_a_run_is_told() {
        let worker = Uuid::from_u128(9);
        let running =
            |process, last| RunReason::Running { worker, process, since: time("09:00:00"), last };
        assert_eq!(
            said(running(Some(("here".to_owned(), 7)), Some(("charge".into(), time("09:00:01"))))),
            format!(
                "The worker {worker} (process 7 on here) drives it. It was first taken up at \
                 2026-03-01T09:00:00Z. It last recorded `charge`, at 2026-03-01T09:00:01Z."
            )
        );
        assert!(said(running(None, None)).ends_with("It has recorded no state yet."));
    }

    #[test]
    fn what_a_run_waits_for_is_told() {
        let (state, until) = ("nap".into(), time("12:00:00"));
        assert_eq!(
            said(RunReason::Sleeps { state, until }),
            "It sleeps in `nap` until 2026-03-01T12:00:00Z."
        );
        let event = Some(AwaitedEvent::of("order/paid", &[("order", 7.into())]));
        let (state, since) = ("paid".into(), time("09:00:00"));
        assert_eq!(
            said(RunReason::AwaitsEvent { state, event, since, until: Some(until) }),
            "It has waited in `paid` since 2026-03-01T09:00:00Z for the event `order/paid` with order = 7, \
             until 2026-03-01T12:00:00Z at the latest."
        );
        let standing = Some(("pack".to_owned(), RunStatus::Held));
        assert_eq!(
            said(RunReason::AwaitsRun {
                state: "packed".into(),
                run: run(2),
                standing,
                until: None
            }),
            format!("It waits in `packed` for the run {} of `pack`, which is held.", run(2))
        );
    }

    #[test]
    fn an_attempt_that_failed_is_told_with_the_next() {
        let retries = |due| RunReason::Retries {
            state: "charge".into(),
            attempt: 2,
            error: ErrorRecord::new(ErrorKind::Error, "the bank does not answer"),
            due,
        };
        assert_eq!(
            said(retries(time("11:00:00"))),
            "Attempt 2 of `charge` failed: the bank does not answer. The next attempt is due at \
             2026-03-01T11:00:00Z."
        );
        assert!(
            said(retries(time("09:00:00")))
                .ends_with("The next attempt has been due since 2026-03-01T09:00:00Z.")
        );
    }

    #[test]
    fn who_holds_the_slots_is_told() {
        let slot = |slots, key: &str, holding, before| RunReason::AwaitsSlot {
            limit: "ship/concurrency".to_owned(),
            key: key.to_owned(),
            slots,
            since: time("09:30:00"),
            holding,
            holders: (2..4).map(|no| Holder { run: run(no), since: time("09:00:00") }).collect(),
            before,
        };
        assert_eq!(
            said(slot(Some(97), "\"ada\"", 97, 1)),
            format!(
                "It has waited since 2026-03-01T09:30:00Z for a slot of `ship/concurrency` of the key \
                 \"ada\", which allows 97 runs at a time. 1 run waits before it. 97 runs hold a slot: {} since \
                 2026-03-01T09:00:00Z, {} since 2026-03-01T09:00:00Z, and 95 runs more.",
                run(2),
                run(3)
            )
        );
        assert_eq!(
            said(slot(Some(0), "", 0, 1_000)),
            "It has waited since 2026-03-01T09:30:00Z for a slot of `ship/concurrency`, which is set to 0 and \
             lets no run through. 1,000 or more runs wait before it."
        );
    }

    #[test]
    fn a_throttle_is_told() {
        let throttled = RunReason::Throttled {
            limit: "ship/throttle".to_owned(),
            key: String::new(),
            allows: Allowance::Pace { limit: 1, per: Duration::from_secs(60), burst: 0 },
            since: time("09:30:00"),
            next: Some(time("10:00:30")),
            before: 0,
        };
        assert_eq!(
            said(throttled),
            "It has been throttled since 2026-03-01T09:30:00Z by `ship/throttle`, which allows 1 starts in 1m. \
             The next run of the key may start at 2026-03-01T10:00:30Z. No run waits before it."
        );
    }

    #[test]
    fn a_queue_and_the_lack_of_workers_are_told() {
        assert_eq!(
            said(RunReason::Queued { workers: 2, before: 3, suspected: None }),
            "It is ready, and waits for a worker that has room. 2 living workers have its workflow. \
             3 ready runs of the app are before it."
        );
        assert_eq!(
            said(RunReason::Stranded { workers: 0, shape: None }),
            "No worker of its app is alive. Start one."
        );
        let shape = Some(Uuid::from_u128(5));
        assert_eq!(
            said(RunReason::Stranded { workers: 1, shape }),
            format!(
                "No living worker can drive it. 1 worker of its app lives, but none drives its workflow in its \
                 shape {}.",
                Uuid::from_u128(5)
            )
        );
    }

    #[test]
    fn what_operators_and_programs_did_is_told() {
        let since = time("09:00:00");
        assert_eq!(
            said(RunReason::Paused { since }),
            "Its workflow has been paused since 2026-03-01T09:00:00Z. Resume the workflow to go on."
        );
        let reason = "by mistake".to_owned();
        assert_eq!(
            said(RunReason::CancelAsked { reason, since }),
            "It was asked to cancel at 2026-03-01T09:00:00Z: by mistake."
        );
        let held = said(RunReason::Held { reason: "the journal contradicts the code".to_owned() });
        assert!(
            held.starts_with(
                "It is held: the journal contradicts the code.\nIt is tried again when"
            )
        );
        let error = ErrorRecord::new(ErrorKind::Error, "no stock");
        assert_eq!(
            said(RunReason::Undoing { error, since }),
            "Its steps have been undone since 2026-03-01T09:00:00Z, because it does not complete: no stock."
        );
    }

    #[test]
    fn a_long_list_is_cut() {
        let sleeps = RunReason::Sleeps { state: "nap".into(), until: time("12:00:00") };
        let reasons = RunReasons {
            run: run(1),
            workflow: "ship".to_owned(),
            status: RunStatus::Waiting,
            at: time("10:00:00"),
            reasons: vec![sleeps; 10],
            more: 95,
        };
        assert!(reasons.to_string().ends_with("\nIt waits in 95 states more."));
    }
}
