//! Why a run stands where it stands, and what an event did: facts from the tables, for whoever asks.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::json;
use uuid::Uuid;

use super::error_column::error_record;
use super::gated::AllowanceColumns;
use super::read::Columns;
use super::{Holder, RunStatus, StoreError};
use crate::event::EventId;
use crate::journal::{AwaitedEvent, ErrorRecord, RunId, StateKey};
use crate::payload::Payload;
use crate::trace::TraceContext;
use crate::workflow::Allowance;

/// How many entries of each list are given.
pub(super) const LISTED: i64 = 10;
/// Up to how many are counted.
pub(super) const COUNTED: i64 = 1_000;

/// What is asked about one run, or one event.
#[async_trait]
pub(crate) trait Reasons: Send + Sync {
    /// Why a run stands where it stands. Some five statements, whatever there is.
    async fn why(&self, run: RunId) -> Result<Option<RunReasons>, StoreError>;

    /// What an event did, with its data. Some five statements, whatever there is. This goes over the
    /// deliveries and the open batches of the apps that subscribe to the event.
    async fn event(&self, event: EventId) -> Result<Option<(EventRecord, Payload)>, StoreError>;

    /// The first thousand events that a run began with, if it began with several.
    async fn events_of(&self, run: RunId) -> Result<Vec<EventId>, StoreError>;
}

/// Why a run stands where it stands. See [`Client::why`](crate::Client::why).
///
/// Print it with `{}`: it says so in sentences.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunReasons {
    /// The run.
    pub run: RunId,
    /// Its workflow's id.
    pub workflow: String,
    /// Its status.
    pub status: RunStatus,
    /// The time of the answer, by the database's clock.
    pub at: Timestamp,
    /// The reasons. Of what it waits for side by side, the first ten are listed.
    pub reasons: Vec<RunReason>,
    /// How many steps it waits for besides those. Counted up to a thousand.
    pub more: u64,
}

/// A reason why a run stands where it stands. Times are by the database's clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunReason {
    /// It is over.
    Over {
        /// When it ended.
        at: Timestamp,
        /// Why it failed or was cancelled.
        reason: Option<String>,
    },
    /// Somebody asked it to cancel.
    CancelAsked {
        /// Why.
        reason: String,
        /// When.
        since: Timestamp,
    },
    /// Its body did not complete, and its steps are undone.
    Undoing {
        /// Why it did not.
        error: ErrorRecord,
        /// Since when.
        since: Timestamp,
    },
    /// The program cannot go on with it.
    Held {
        /// Why.
        reason: String,
    },
    /// Its workflow is [paused](crate::Client::pause).
    Paused {
        /// Since when.
        since: Timestamp,
    },
    /// A worker drives it.
    Running {
        /// The worker.
        worker: Uuid,
        /// Its host and the id of its process, if its lease is there.
        #[serde(serialize_with = "named_process")]
        process: Option<(String, u32)>,
        /// When a worker first took the run up.
        since: Timestamp,
        /// The last state that it has recorded, and when. A step in its first attempt has recorded nothing yet.
        last: Option<(StateKey, Timestamp)>,
    },
    /// It sleeps.
    Sleeps {
        /// In this state.
        state: StateKey,
        /// Until then.
        until: Timestamp,
    },
    /// It waits for an event.
    AwaitsEvent {
        /// In this state.
        state: StateKey,
        /// Which event.
        event: Option<AwaitedEvent>,
        /// Since when.
        since: Timestamp,
        /// When it gives up.
        until: Option<Timestamp>,
    },
    /// It waits for a run that it has invoked.
    AwaitsRun {
        /// In this state.
        state: StateKey,
        /// The other run.
        run: RunId,
        /// The other run's workflow and status, if the run is there.
        #[serde(serialize_with = "named_standing")]
        standing: Option<(String, RunStatus)>,
        /// When it gives up.
        until: Option<Timestamp>,
    },
    /// An attempt of a step failed, and the next one is due.
    Retries {
        /// The step.
        state: StateKey,
        /// How many attempts have failed.
        attempt: u32,
        /// Why the last one failed.
        error: ErrorRecord,
        /// When the next one may begin.
        due: Timestamp,
    },
    /// It waits for a slot of a `concurrency` limit, or for its turn in a `singleton`.
    AwaitsSlot {
        /// The limit's name: `on-ticket-created/concurrency`.
        limit: String,
        /// Its key, as JSON; empty if the limit has none.
        key: String,
        /// How many slots each key has; `None` if the limit is gone.
        slots: Option<u32>,
        /// Since when it waits.
        since: Timestamp,
        /// How many runs hold a slot of the key. Counted up to a thousand.
        holding: u64,
        /// Some of these runs: the five that have held it for longest.
        holders: Vec<Holder>,
        /// How many runs wait before it. Counted up to a thousand.
        before: u64,
    },
    /// A `throttle` spreads the starts of its key.
    Throttled {
        /// The limit's name: `on-ticket-created/throttle`.
        limit: String,
        /// Its key, as JSON; empty if the limit has none.
        key: String,
        /// What each key is allowed.
        allows: Allowance,
        /// Since when it waits.
        since: Timestamp,
        /// When the key's next run may start.
        next: Option<Timestamp>,
        /// How many runs wait before it. Counted up to a thousand.
        before: u64,
    },
    /// It has limits, and a worker is about to look at them.
    AtItsLimits,
    /// It is ready, and waits for a worker that has room.
    Queued {
        /// How many living workers can drive it.
        workers: u64,
        /// How many ready runs of the app are before it. Counted up to a thousand.
        before: u64,
        /// The steps that had begun when a worker went down with it, if it is suspected of that. Then it is
        /// driven only along with few others.
        suspected: Option<String>,
    },
    /// No living worker can drive it.
    Stranded {
        /// How many workers of the app live.
        workers: u64,
        /// The workflow's shape in the program that drove it last.
        shape: Option<Uuid>,
    },
}

fn named_process<S: Serializer>(
    process: &Option<(String, u32)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let named = process.as_ref().map(|(host, pid)| json!({ "host": host, "pid": pid }));
    named.serialize(serializer)
}

fn named_standing<S: Serializer>(
    standing: &Option<(String, RunStatus)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let named = standing.as_ref();
    let named = named.map(|(workflow, status)| json!({ "workflow": workflow, "status": status }));
    named.serialize(serializer)
}

/// A run with what is about it, in one row.
pub(super) struct Standing {
    pub(super) run: RunId,
    workflow: String,
    status: RunStatus,
    at: Timestamp,
    ended_at: Option<Timestamp>,
    ended_for: Option<String>,
    asked: Option<(String, Timestamp)>,
    held: Option<String>,
    paused: Option<Timestamp>,
    worker: Option<Uuid>,
    process: Option<(String, u32)>,
    started_at: Option<Timestamp>,
    last: Option<(StateKey, Timestamp)>,
    shape: Option<Uuid>,
    suspected: Option<String>,
    /// If it is ready, in which lane.
    lane: Option<i32>,
    before: u64,
    living: u64,
    able: u64,
}

impl Standing {
    pub(super) fn read(row: &impl Columns, at: Timestamp) -> Result<Self, StoreError> {
        let error = row.text_or_null("error")?.as_deref().map(error_record).transpose()?;
        let cancelled = row.text_or_null("cancelled")?;
        Ok(Self {
            run: row.uuid("id")?,
            workflow: row.text("workflow")?,
            status: RunStatus::read(row)?,
            at,
            ended_at: row.time_or_null("ended_at")?,
            ended_for: cancelled.or(error.map(|error| error.message)),
            asked: row.text_or_null("asked")?.zip(row.time_or_null("asked_at")?),
            held: row.text_or_null("held")?,
            paused: row.time_or_null("paused_at")?,
            worker: row.uuid_or_null("worker")?,
            process: row.text_or_null("host")?.zip(row.number_or_null("pid")?),
            started_at: row.time_or_null("started_at")?,
            last: row
                .text_or_null("last_key")?
                .map(StateKey::from)
                .zip(row.time_or_null("last_at")?),
            shape: row.uuid_or_null("shape")?,
            suspected: row.text_or_null("suspected")?,
            lane: row.number_or_null("lane")?,
            before: row.number("before")?,
            living: row.number("living")?,
            able: row.number("able")?,
        })
    }

    /// Whether there is no more to say.
    pub(super) fn is_over(&self) -> bool {
        self.ended_at.is_some()
    }
}

/// A state of a run that is not over.
pub(super) fn open_state(row: &impl Columns, at: Timestamp) -> Result<RunReason, StoreError> {
    let (state, since): (StateKey, _) = (row.text("key")?.into(), row.time("at")?);
    let until = row.time_or_null("due_at")?;
    let error = || {
        let error = row.text_or_null("error")?.as_deref().map(error_record).transpose()?;
        error.ok_or_else(|| StoreError::Corrupt(format!("the state `{state}` has no error")))
    };
    Ok(match &*row.text("transition")? {
        "retrying" => RunReason::Retries {
            attempt: row.number("attempt")?,
            error: error()?,
            due: until.unwrap_or(at),
            state,
        },
        "waiting" => {
            let event = row.text_or_null("awaited")?.as_deref().and_then(AwaitedEvent::read);
            let since = row.time_or_null("made_at")?.unwrap_or(since);
            RunReason::AwaitsEvent { state, event, since, until }
        }
        "invoked" => {
            let status = row.text_or_null("status")?.and_then(|status| status.parse().ok());
            let standing = row.text_or_null("workflow")?.zip(status);
            RunReason::AwaitsRun { state, run: row.uuid("child")?, standing, until }
        }
        "undoing" => RunReason::Undoing { error: error()?, since },
        _ => RunReason::Sleeps { state, until: until.unwrap_or(at) },
    })
}

/// A gate at which a run waits.
pub(super) struct GateRow {
    pub(super) gate: Uuid,
    limit: String,
    key: String,
    allows: Option<Allowance>,
    since: Timestamp,
    next: Option<Timestamp>,
    holding: u64,
    before: u64,
}

impl GateRow {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let kind = row.text_or_null("kind")?;
        let allows = kind.map(|kind| {
            let columns = AllowanceColumns {
                kind: &kind,
                most: row.number("most")?,
                period: row.number_or_null("period")?,
                burst: row.number_or_null("burst")?,
            };
            Ok::<_, StoreError>(columns.allowance())
        });
        Ok(Self {
            gate: row.uuid("gate")?,
            limit: row.text("name")?,
            key: row.text("key")?,
            allows: allows.transpose()?.flatten(),
            since: row.time("since")?,
            next: row.time_or_null("until")?,
            holding: row.number("holding")?,
            before: row.number("before")?,
        })
    }

    fn reason(self, holders: Vec<Holder>) -> RunReason {
        let Self { gate: _, limit, key, allows, since, next, holding, before } = self;
        match allows {
            Some(allows @ (Allowance::Pace { .. } | Allowance::Window { .. })) => {
                RunReason::Throttled { limit, key, allows, since, next, before }
            }
            Some(Allowance::Slots(slots)) => {
                let slots = Some(slots);
                RunReason::AwaitsSlot { limit, key, slots, since, holding, holders, before }
            }
            None => {
                RunReason::AwaitsSlot { limit, key, slots: None, since, holding, holders, before }
            }
        }
    }
}

impl RunReasons {
    /// What follows from a run's row, its open states and the gate at which it waits.
    pub(super) fn of(
        standing: Standing,
        open: (Vec<RunReason>, u64),
        gate: Option<(GateRow, Vec<Holder>)>,
    ) -> Self {
        let Standing { run, workflow, status, at, living, able, .. } = standing;
        let (open, count) = open;
        let more = count.saturating_sub(open.len() as u64);
        let reasons =
            |reasons, more| Self { run, workflow: workflow.clone(), status, at, reasons, more };
        if let Some(ended) = standing.ended_at {
            return reasons(vec![RunReason::Over { at: ended, reason: standing.ended_for }], 0);
        }
        let mut found = Vec::new();
        let held = standing.held.filter(|_| status == RunStatus::Held);
        found.extend(held.map(|reason| RunReason::Held { reason }));
        found
            .extend(standing.asked.map(|(reason, since)| RunReason::CancelAsked { reason, since }));
        found.extend(standing.paused.map(|since| RunReason::Paused { since }));
        let running = standing.worker.map(|worker| RunReason::Running {
            worker,
            process: standing.process,
            since: standing.started_at.unwrap_or(at),
            last: standing.last,
        });
        let is_driven = running.is_some();
        found.extend(running);
        found.extend(gate.map(|(gate, holders)| gate.reason(holders)));
        found.extend(match (standing.lane, able) {
            (Some(-1), 1..) => Some(RunReason::AtItsLimits),
            (Some(lane), 1..) => Some(RunReason::Queued {
                workers: able,
                before: standing.before,
                suspected: standing.suspected.filter(|_| lane > 0),
            }),
            _ => None,
        });
        if able == 0 && !is_driven {
            found.push(RunReason::Stranded { workers: living, shape: standing.shape });
        }
        found.extend(open);
        reasons(found, more)
    }
}

/// What an event did. See [`Client::event`](crate::Client::event).
///
/// Each list has its first ten entries. Print it with `{}`: it says so in sentences.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EventRecord {
    /// The event's id.
    pub id: EventId,
    /// Its name.
    pub name: String,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The trace that it belongs to: that of its sender.
    pub trace_context: Option<TraceContext>,
    /// The time of the answer, by the database's clock.
    pub at: Timestamp,
    /// The runs that it started, alone or with other events of a batch.
    pub started: Vec<StartedRun>,
    /// How many further runs it started. Counted up to a thousand.
    pub more_started: u64,
    /// The waits that have taken it.
    pub woke: Vec<WokenWait>,
    /// How many further waits have taken it. Counted up to a thousand.
    pub more_woke: u64,
    /// The batches and debounces that it is in.
    pub gathered: Vec<GatheredEvent>,
    /// The workflows that started no run for it, as their limits say. This is known for 30 days.
    pub skipped: Vec<SkippedEvent>,
    /// The workflows whose conditions it does not pass, as this client's program has them.
    pub unmet: Vec<UnmetCondition>,
    /// The workflows that cannot tell what to make of it.
    pub blocked: Vec<BlockedWorkflow>,
    /// The apps in which it is still to be routed.
    pub unrouted: Vec<UnroutedEvent>,
    /// The apps that subscribe to events of its name.
    pub subscribers: Vec<String>,
}

/// A run that an event started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StartedRun {
    /// The run.
    pub run: RunId,
    /// Its app.
    pub app: String,
    /// Its workflow's id.
    pub workflow: String,
    /// Its status.
    pub status: RunStatus,
    /// Whether it was started with all events of a batch or a debounce.
    pub together: bool,
}

/// A wait that an event has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WokenWait {
    /// The run that waited.
    pub run: RunId,
    /// Its app.
    pub app: String,
    /// Its workflow's id.
    pub workflow: String,
    /// The wait.
    pub state: StateKey,
}

/// A batch or a debounce that an event is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GatheredEvent {
    /// The app.
    pub app: String,
    /// The workflow that gathers it.
    pub workflow: String,
    /// The key, as JSON; empty if there is none.
    pub key: String,
    /// How many events have come into it.
    pub events: u64,
    /// When its run starts at the latest, if no further event comes.
    pub due: Timestamp,
}

/// A workflow that started no run for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SkippedEvent {
    /// The app.
    pub app: String,
    /// The workflow.
    pub workflow: String,
    /// Which limit is the reason.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A workflow whose condition an event does not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnmetCondition {
    /// The workflow.
    pub workflow: String,
    /// The condition, as it stands in the source.
    pub condition: &'static str,
}

/// A workflow that cannot tell what to make of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BlockedWorkflow {
    /// The app.
    pub app: String,
    /// The workflow.
    pub workflow: String,
    /// Why it cannot.
    pub reason: String,
}

/// An app in which an event is still to be routed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnroutedEvent {
    /// The app.
    pub app: String,
    /// What it is to be routed to: its name for the whole app, or one part of it, such as
    /// `order/placed starts ship`.
    pub part: String,
    /// How many living workers of the app can route it.
    pub workers: u64,
}

/// A row about an event from one of the tables that name events.
pub(super) enum AboutEvent {
    Started(StartedRun),
    Woke(WokenWait),
    Gathered(GatheredEvent),
    Skipped(SkippedEvent),
    Blocked(BlockedWorkflow),
    Unrouted(UnroutedEvent),
    Subscribed(String),
}

impl AboutEvent {
    /// Each statement names what it is about; the others' columns are null.
    pub(super) fn read(row: &impl Columns, event: &str) -> Result<Self, StoreError> {
        let app = row.text("app")?;
        Ok(match &*row.text("about")? {
            "started" => Self::Started(StartedRun {
                run: row.uuid("run_id")?,
                app,
                workflow: row.text("workflow")?,
                status: RunStatus::read(row)?,
                together: row.number::<u8>("number")? > 0,
            }),
            "woke" => Self::Woke(WokenWait {
                run: row.uuid("run_id")?,
                app,
                workflow: row.text("workflow")?,
                state: row.text("text")?.into(),
            }),
            "gathered" => Self::Gathered(GatheredEvent {
                app,
                workflow: row.text("workflow")?,
                key: row.text("text")?,
                events: row.number("number")?,
                due: row.time("at")?,
            }),
            "skipped" => Self::Skipped(SkippedEvent {
                app,
                workflow: row.text("workflow")?,
                reason: row.text("text")?,
                at: row.time("at")?,
            }),
            "blocked" => {
                let part = row.text("workflow")?;
                let workflow =
                    part.strip_prefix(event).and_then(|rest| rest.strip_prefix(" starts "));
                let workflow = workflow.unwrap_or(&part).to_owned();
                Self::Blocked(BlockedWorkflow { app, workflow, reason: row.text("text")? })
            }
            "unrouted" => Self::Unrouted(UnroutedEvent {
                app,
                part: row.text("workflow")?,
                workers: row.number("number")?,
            }),
            _ => Self::Subscribed(app),
        })
    }
}

impl EventRecord {
    /// An event, before anything that it did was added.
    pub(super) fn read(row: &impl Columns, at: Timestamp) -> Result<(Self, Payload), StoreError> {
        let record = Self {
            id: row.uuid("id")?,
            name: row.text("name")?,
            accepted_at: row.time("accepted_at")?,
            trace_context: row.trace()?,
            at,
            started: Vec::new(),
            more_started: 0,
            woke: Vec::new(),
            more_woke: 0,
            gathered: Vec::new(),
            skipped: Vec::new(),
            unmet: Vec::new(),
            blocked: Vec::new(),
            unrouted: Vec::new(),
            subscribers: Vec::new(),
        };
        Ok((record, row.payload("data")?))
    }

    /// Adds what the tables say.
    pub(super) fn add<R: Columns>(&mut self, rows: &[R]) -> Result<(), StoreError> {
        let listed = |more: &mut u64, length: usize| {
            let has_room = length < LISTED as usize;
            *more += u64::from(!has_room);
            has_room
        };
        for row in rows {
            match AboutEvent::read(row, &self.name)? {
                AboutEvent::Started(run) if listed(&mut self.more_started, self.started.len()) => {
                    self.started.push(run);
                }
                AboutEvent::Woke(wait) if listed(&mut self.more_woke, self.woke.len()) => {
                    self.woke.push(wait);
                }
                AboutEvent::Started(_) | AboutEvent::Woke(_) => {}
                AboutEvent::Gathered(batch) => self.gathered.push(batch),
                AboutEvent::Skipped(skipped) => self.skipped.push(skipped),
                AboutEvent::Blocked(blocked) => self.blocked.push(blocked),
                AboutEvent::Unrouted(unrouted) => self.unrouted.push(unrouted),
                AboutEvent::Subscribed(app) => self.subscribers.push(app),
            }
        }
        Ok(())
    }
}
