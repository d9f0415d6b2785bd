-- Times are microseconds since 1970, ids are UUIDs as text, payloads are JSON as text.

-- Facts, immutable once accepted, in that order: a position is never given twice.
CREATE TABLE indelible_events (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    name        TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    -- The last event before the commit that accepted it.
    since       INTEGER NOT NULL,
    -- The trace that it belongs to, as W3C Trace Context has it: the traceparent, then a space and the tracestate if
    -- there is one.
    trace_context TEXT
) STRICT;

-- Events that are accepted when they are due. Only then have they a place among the others.
CREATE TABLE indelible_later (
    seq    INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    name   TEXT    NOT NULL,
    data   TEXT    NOT NULL,
    due_at INTEGER NOT NULL,
    trace_context TEXT
) STRICT;
CREATE INDEX indelible_later_by_time ON indelible_later (due_at, seq);

-- Which app wants the events of which name, and what for: a row whose part is the name itself, and one
-- for each workflow that it starts and each set of fields by which it is awaited. A process that knows
-- nothing of a part leaves it to one that does.
CREATE TABLE indelible_subscriptions (
    event_name TEXT NOT NULL,
    app        TEXT NOT NULL,
    part       TEXT NOT NULL,
    PRIMARY KEY (event_name, app, part)
) STRICT, WITHOUT ROWID;

-- What the data of an app's events looks like, and looked like before. Equal schemas are one version.
CREATE TABLE indelible_event_schemas (
    app           TEXT    NOT NULL,
    event_name    TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    schema        TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (app, event_name, version)
) STRICT, WITHOUT ROWID;

-- Events that an app has not looked at yet, in order of acceptance.
CREATE TABLE indelible_deliveries (
    seq      INTEGER PRIMARY KEY,
    app      TEXT NOT NULL,
    event_id TEXT NOT NULL,
    -- The event's name, or the one part of the app that it is still for.
    part     TEXT NOT NULL
) STRICT;
CREATE INDEX indelible_deliveries_in_order ON indelible_deliveries (app, seq);

-- Events that a workflow cannot tell what to make of. They are delivered to it again when a program
-- registers, and when the worker leaves that could not tell.
CREATE TABLE indelible_blocked (
    app      TEXT NOT NULL,
    event_id TEXT NOT NULL,
    part     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    worker   TEXT NOT NULL,
    PRIMARY KEY (app, event_id, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_blocked_by_worker ON indelible_blocked (worker);

-- Batches that are gathered.
CREATE TABLE indelible_batches (
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    events   INTEGER NOT NULL,
    -- How much room its events take in the list that they become.
    bytes    INTEGER NOT NULL,
    -- When its first event has waited long enough; where each event lets it wait longer, its last.
    due_at   INTEGER NOT NULL,
    slides   INTEGER NOT NULL,
    -- When that ends at the latest.
    latest_at INTEGER,
    PRIMARY KEY (app, workflow, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_batches_by_time ON indelible_batches (app, due_at);

-- The events in them, in order of acceptance.
CREATE TABLE indelible_batched (
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    event_id TEXT    NOT NULL,
    PRIMARY KEY (app, workflow, key, seq)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of events, while they are remembered.
CREATE TABLE indelible_dedupe (
    event_name TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    event_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (event_name, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_dedupe_by_time ON indelible_dedupe (expires_at);

-- The workflows that an app has registered.
CREATE TABLE indelible_workflows (
    app           TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    -- What unfinished runs rest on, as the program that registered last has it.
    shape         TEXT,
    PRIMARY KEY (app, id)
) STRICT, WITHOUT ROWID;

-- When workflows start by themselves. Whoever finds a row that is due starts its runs and moves it on.
-- Two programs that live side by side may each have a rule of their own for a workflow.
CREATE TABLE indelible_schedules (
    app      TEXT NOT NULL,
    workflow TEXT NOT NULL,
    rule     TEXT NOT NULL,
    -- Unknown until a worker has looked at the rule.
    due_at   INTEGER,
    -- The last tick that has started a run.
    last_at  INTEGER,
    PRIMARY KEY (app, workflow, rule)
) STRICT, WITHOUT ROWID;

-- Lives of workers: each lasts as long as its process has a file beside the database locked. Whoever
-- deletes a row takes over what it held.
CREATE TABLE indelible_workers (
    id         TEXT    NOT NULL PRIMARY KEY,
    app        TEXT    NOT NULL,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    joined_at  INTEGER NOT NULL,
    -- What it drives: with a shape only runs of that shape.
    drives     TEXT    NOT NULL,
    -- What its program subscribes to, and its schedules, each as its workflow and its rule: nobody
    -- removes them while it lives. Lists in JSON.
    parts      TEXT    NOT NULL,
    schedules  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Workflows of which no runs are driven for now.
CREATE TABLE indelible_paused (
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (app, workflow)
) STRICT, WITHOUT ROWID;

-- Every run, finished ones too.
CREATE TABLE indelible_runs (
    id          TEXT    NOT NULL PRIMARY KEY,
    app         TEXT    NOT NULL,
    workflow    TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    event_id    TEXT,
    -- The run that invoked it, and whether it goes on when that one ends.
    parent      TEXT,
    detached    INTEGER NOT NULL DEFAULT 0,
    -- Whether a system event has set off the run that started it: then its end makes none.
    silent      INTEGER NOT NULL DEFAULT 0,
    input       TEXT    NOT NULL,
    seed        TEXT    NOT NULL,
    -- The time of acceptance, less what its priority is worth: the lower, the sooner.
    rank        INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    -- When it was due, if a schedule has started it.
    scheduled_at INTEGER,
    -- The trace that it belongs to: that of its event, or of the run that invoked it.
    trace_context TEXT,
    -- The last event before its trigger was accepted, or before the generation before this one began.
    -- Events behind it came later.
    since       INTEGER NOT NULL,
    -- How often it has begun anew; when it last did, and the last event before that.
    generation  INTEGER NOT NULL DEFAULT 0,
    began_at    INTEGER,
    began       INTEGER,
    started_at  INTEGER,
    -- Set exactly if it is over.
    ended_at    INTEGER,
    output      TEXT,
    error       TEXT,
    cancelled   TEXT,
    held        TEXT,
    -- The worker that could not go on with it, of a run that is held.
    held_by     TEXT,
    -- Of the program that drove it last: what its journal rests on.
    shape       TEXT,
    -- Whether it has gates to pass before a worker may claim it.
    gated       INTEGER NOT NULL DEFAULT 0,
    -- Whether nobody has said yet which gates those are: see `indelible_unsettled`.
    unsettled   INTEGER NOT NULL DEFAULT 0,
    -- Who holds it; only they write this row and its journal.
    worker      TEXT,
    -- How many workers in a row were taken over from while they drove it, with no new row in its
    -- journal since the first of them, and the last row then.
    take_overs  INTEGER NOT NULL DEFAULT 0,
    last_seq    INTEGER,
    -- How many runs were suspected together when the last of them went down, and the steps whose futures
    -- had begun then.
    suspects    INTEGER NOT NULL DEFAULT 0,
    suspected   TEXT,
    -- The steps whose futures its worker was about to begin, if workers went down with it before.
    beginning   TEXT,
    -- How often it was taken up again after it had failed.
    retries     INTEGER NOT NULL DEFAULT 0,
    -- The flush that last took it from its worker.
    commit_id   TEXT,
    commit_at   INTEGER
) STRICT;
CREATE INDEX indelible_runs_of_worker ON indelible_runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX indelible_runs_held_by ON indelible_runs (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX indelible_runs_by_status ON indelible_runs (app, status, workflow, id);
CREATE INDEX indelible_runs_of_parent ON indelible_runs (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX indelible_runs_of_event ON indelible_runs (event_id, id) WHERE event_id IS NOT NULL;

-- What runs are found by, as their bodies said.
CREATE TABLE indelible_attributes (
    run_id TEXT NOT NULL,
    key    TEXT NOT NULL,
    app    TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_attributes_by_value ON indelible_attributes (app, key, value, run_id);

-- Runs that could start now, and nothing else.
CREATE TABLE indelible_ready (
    run_id   TEXT    NOT NULL PRIMARY KEY,
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    rank     INTEGER NOT NULL,
    -- Of a run that may have taken workers down, how many there are in its cohort. -1: it has gates to pass
    -- first, and cannot be claimed until then.
    suspects INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_ready_by_rank ON indelible_ready (app, suspects, rank, run_id);

-- Runs that were begun where nobody knew what cancels them and what they have to pass. They are gated, and
-- not ready, until a program that has their workflow says so.
CREATE TABLE indelible_unsettled (
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    run_id   TEXT    NOT NULL,
    -- Events behind it cancel the run.
    since    INTEGER NOT NULL,
    PRIMARY KEY (app, workflow, run_id)
) STRICT, WITHOUT ROWID;

-- What the limits of an app allow each of their keys: as the code says, and as an operator has set it.
CREATE TABLE indelible_limits (
    app    TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    -- `slots`, `pace` or `window`.
    kind   TEXT    NOT NULL,
    most   INTEGER NOT NULL,
    period INTEGER,
    burst  INTEGER,
    -- What holds in place of that, since when, and who says so.
    set_most   INTEGER,
    set_period INTEGER,
    set_burst  INTEGER,
    set_at     INTEGER,
    set_by     TEXT,
    PRIMARY KEY (app, name)
) STRICT, WITHOUT ROWID;

-- Where each run that has gates stands at each of them, from its admission to its end.
CREATE TABLE indelible_slots (
    run_id TEXT    NOT NULL,
    -- The hash of the limit, its key's expression and the key.
    gate   TEXT    NOT NULL,
    app    TEXT    NOT NULL,
    -- The limit, and what it counts apart.
    name   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    -- Until when it holds its slot: `active`, `run` or `pass`.
    hold   TEXT    NOT NULL,
    -- Its place among the gates of its run.
    place  INTEGER NOT NULL,
    -- `rests`: it has to be passed. `waits`: the run waits for that here. `holds`: it was. `lent`: the run
    -- that invoked this one holds it for both.
    state  TEXT    NOT NULL,
    rank   INTEGER NOT NULL,
    since  INTEGER NOT NULL,
    PRIMARY KEY (run_id, gate)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_slots_of_gate ON indelible_slots (gate, state, rank, run_id);

-- Gates that somebody may pass now: somebody has left, or has come. Whoever opens them removes the rows.
CREATE TABLE indelible_openings (
    seq  INTEGER PRIMARY KEY,
    app  TEXT NOT NULL,
    gate TEXT NOT NULL
) STRICT;
CREATE INDEX indelible_openings_in_order ON indelible_openings (app, seq);

-- What time counts at a gate: its pace, or its window. A row whose time is over says nothing.
CREATE TABLE indelible_counters (
    gate    TEXT    NOT NULL PRIMARY KEY,
    app     TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    -- Of a pace when the next start is in time, of a window its end.
    until   INTEGER NOT NULL,
    -- How many the window has let through, and how many it has not.
    counted INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    -- When somebody who waits may pass.
    due_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_counters_due ON indelible_counters (app, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX indelible_counters_over ON indelible_counters (app, until);

-- Events that started no run of a workflow that they trigger, as its limits say. Kept for 30 days.
CREATE TABLE indelible_skipped (
    app      TEXT    NOT NULL,
    event_id TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (event_id, app, workflow)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_skipped_by_time ON indelible_skipped (app, at);

-- When each parked run is due, if it is due at a time.
CREATE TABLE indelible_timers (
    run_id TEXT    NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_timers_by_time ON indelible_timers (due_at, run_id);

-- What happened to the steps of each run.
CREATE TABLE indelible_journal (
    run_id     TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    key        TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    transition TEXT    NOT NULL,
    attempt    INTEGER,
    due_at     INTEGER,
    child      TEXT,
    outcome    TEXT,
    error      TEXT,
    -- Of a carried loop the place of its first row, where this is a later one.
    first_seq  INTEGER,
    -- When what it tells of began, as far as the worker knew.
    started_at INTEGER,
    commit_id  TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- What operators did to runs, in that order: to one that was retried, to one that is made of another.
CREATE TABLE indelible_interventions (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    verb   TEXT    NOT NULL,
    -- The run that it was made of, and the state before which it begins.
    source TEXT,
    state  TEXT
) STRICT;
CREATE INDEX indelible_interventions_in_order ON indelible_interventions (run_id, seq);

-- What runs wait for: the hash of an event's name and some of its fields.
CREATE TABLE indelible_waits (
    run_id TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    app    TEXT    NOT NULL,
    hash   TEXT    NOT NULL,
    -- Events count that are behind it, but for the run's trigger.
    since  INTEGER NOT NULL,
    trigger_id TEXT,
    -- The event and the fields, for whoever asks what the run waits for, and since when it does.
    awaited TEXT,
    made_at INTEGER NOT NULL,
    -- Of a wait that was made with its run: why the event cancels it.
    cancels TEXT,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_waits_by_hash ON indelible_waits (app, hash);

-- The runs that an event has reached and that do not name it: one that began with several events, and one
-- that waited for it.
CREATE TABLE indelible_reached (
    event_id TEXT NOT NULL,
    run_id   TEXT NOT NULL,
    -- The wait that has taken it; empty where the run began with it.
    key      TEXT NOT NULL,
    PRIMARY KEY (event_id, run_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_reached_by_run ON indelible_reached (run_id, key);

-- The same hashes of the events that an app has routed.
CREATE TABLE indelible_event_keys (
    app      TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (app, hash, position)
) STRICT, WITHOUT ROWID;

-- What others tell a run. Of an event only the id: it is kept as long as a message names it. One
-- that was taken stays until the run ends, so that no other wait of the run gets it.
CREATE TABLE indelible_inbox (
    run_id  TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    outcome TEXT,
    error   TEXT,
    reason  TEXT,
    taken   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_inbox_untaken ON indelible_inbox (run_id) WHERE NOT taken;
