//! What the log says of a run. A line is written once what it tells is committed, so that no other
//! worker tells it again; it stands in the span of its run, which says which run it is.

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use tracing::dispatcher::{get_default, with_default};
use tracing::field::display;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{
    Dispatch, Event, Level, Metadata, Span, Subscriber, debug, enabled, error_span, info, warn,
};
use tracing_core::span::Current;

use crate::journal::{Change, Due, End, Entry, ErrorRecord, StateKey, Then};
use crate::machine::Machine;
use crate::step::Fault;
use crate::store::ClaimedRun;
use crate::trace::TraceContext;

/// The span in which a run is driven: an error logged at any level is to say which run it comes from.
pub(super) fn span(claimed: &ClaimedRun) -> Span {
    let (trigger, workflow) = (&claimed.origin.trigger, &*claimed.workflow);
    let (run, trace) = (trigger.run, trigger.trace.as_ref());
    let (trace_id, traceparent) =
        (trace.map(TraceContext::trace_id), trace.map(TraceContext::traceparent));
    error_span!("run", %run, workflow, trace_id, traceparent)
}

/// A worker takes a run up.
pub(super) fn taken_up(is_new: bool) {
    match is_new {
        true => info!("the run begins"),
        false => debug!("the run goes on"),
    }
}

/// What a commit has to tell of a run.
pub(super) enum News {
    /// An attempt has failed.
    Failed {
        step: StateKey,
        attempt: u32,
        of: u32,
        error: ErrorRecord,
        after: Option<Duration>,
    },
    Completed,
    BeginsAnew,
    Cancelled {
        reason: String,
    },
    RunFailed {
        error: ErrorRecord,
    },
    /// It leaves memory.
    Parked {
        until: Option<Timestamp>,
        waits_for: String,
    },
    Held {
        step: Option<StateKey>,
        reason: String,
    },
}

impl News {
    /// What is new with a row of the journal.
    pub(super) fn of_entry(entry: &Entry) -> Option<Self> {
        let (attempt, of, error, after) = match &entry.change {
            Change::Retry { attempt, of, error, after } => (*attempt, *of, error, Some(*after)),
            Change::Fail { attempt, of, error, .. } => (*attempt, *of, error, None),
            _ => return None,
        };
        let (step, error) = (entry.key.clone(), error.clone());
        Some(Self::Failed { step, attempt, of, error, after })
    }

    /// What is new with a generation's end, if this is it.
    pub(super) fn of_end(then: &Then) -> Option<Self> {
        match then {
            Then::End(End::Completed(_)) => Some(Self::Completed),
            Then::End(End::Cancelled(reason)) => Some(Self::Cancelled { reason: reason.clone() }),
            Then::End(End::Failed(error)) => Some(Self::RunFailed { error: error.clone() }),
            Then::Restart { .. } => Some(Self::BeginsAnew),
            Then::Continue | Then::Park(_) | Then::Hold(_) | Then::Release => None,
        }
    }

    pub(super) fn of_parking(machine: &Machine, until: Option<Timestamp>) -> Self {
        let waits_for = if enabled!(Level::INFO) { machine.waiting() } else { String::new() };
        Self::Parked { until, waits_for }
    }

    pub(super) fn of_fault(fault: &Fault) -> Self {
        Self::Held { step: fault.step().cloned(), reason: fault.to_string() }
    }

    /// Tells it, as it was committed at `at`.
    pub(super) fn tell(self, at: Timestamp) {
        match self {
            Self::Failed { step, attempt, of, error, after: Some(after) } => {
                let due = Due::After(after).from(at);
                warn!(
                    %step, attempt, %error,
                    "attempt {attempt} of {of} failed, the next is due at {due}"
                );
            }
            Self::Failed { step, attempt, of, error, after: None } => {
                warn!(%step, attempt, %error, "attempt {attempt} of {of} failed, it is not tried again");
            }
            Self::Completed => info!("the run completed"),
            Self::BeginsAnew => info!("the run restarts"),
            Self::Cancelled { reason } => info!(reason, "the run was cancelled"),
            Self::RunFailed { error } => {
                let step = error.step.as_ref().map(display);
                warn!(step, %error, "the run failed");
            }
            Self::Parked { until: Some(until), waits_for } => {
                info!(waits_for, "the run waits until {until} at most");
            }
            Self::Parked { until: None, waits_for } => {
                info!(waits_for, "the run waits without a time limit");
            }
            Self::Held { step, reason } => {
                let step = step.map(display);
                warn!(step, "the run is held: {reason}");
            }
        }
    }
}

/// Where what a body logs is left out.
#[derive(Default)]
pub(super) struct Quiet(OnceLock<Dispatch>);

impl Quiet {
    /// Runs code whose events nobody sees.
    pub(super) fn during(&self, code: impl FnOnce()) {
        let heard = get_default(|it| (!it.is::<NoSubscriber>()).then(|| it.clone()));
        match heard {
            Some(subscriber) => {
                // Made once: with each one all places that log are asked again what is wanted of them.
                let muted = self.0.get_or_init(|| Dispatch::new(Muted(subscriber)));
                with_default(muted, code);
            }
            None => code(),
        }
    }
}

/// A subscriber without its events.
///
/// What `Dispatch::none` would say of a place that logs is kept for good, where it comes there first;
/// and spans that the body makes while it is muted are to be there when it no longer is.
struct Muted(Dispatch);

impl Subscriber for Muted {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.0.register_callsite(metadata)
    }

    /// It asks for nothing that the other does not ask for.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && self.0.enabled(metadata)
    }

    fn event(&self, _: &Event<'_>) {}

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.0.new_span(attributes)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.0.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.0.record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.0.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.0.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.0.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.0.try_close(span)
    }

    fn current_span(&self) -> Current {
        self.0.current_span()
    }
}
