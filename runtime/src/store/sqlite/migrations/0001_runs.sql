-- Times are microseconds since 1970, ids are UUIDs as text, payloads are JSON as text.

-- Facts, immutable once accepted.
CREATE TABLE indelible_events (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    data        TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL
) STRICT;

-- Which app wants the events of which name.
CREATE TABLE indelible_subscriptions (
    event_name TEXT NOT NULL,
    app        TEXT NOT NULL,
    PRIMARY KEY (event_name, app)
) STRICT, WITHOUT ROWID;

-- Events that an app has not looked at yet, in order of acceptance.
CREATE TABLE indelible_deliveries (
    seq      INTEGER PRIMARY KEY,
    app      TEXT NOT NULL,
    event_id TEXT NOT NULL
) STRICT;
CREATE INDEX indelible_deliveries_in_order ON indelible_deliveries (app, seq);

-- Idempotency keys of events, while they are remembered.
CREATE TABLE indelible_dedupe (
    event_name TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    event_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (event_name, key)
) STRICT, WITHOUT ROWID;

-- The workflows that an app has registered.
CREATE TABLE indelible_workflows (
    app           TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) STRICT, WITHOUT ROWID;

-- Lives of workers. Whoever deletes a row takes over what it held.
CREATE TABLE indelible_workers (
    id         TEXT    NOT NULL PRIMARY KEY,
    app        TEXT    NOT NULL,
    host       TEXT    NOT NULL,
    pid        INTEGER NOT NULL,
    joined_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every run, finished ones too.
CREATE TABLE indelible_runs (
    id          TEXT    NOT NULL PRIMARY KEY,
    app         TEXT    NOT NULL,
    workflow    TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    event_id    TEXT,
    input       TEXT    NOT NULL,
    seed        TEXT    NOT NULL,
    -- The time of acceptance, less what its priority is worth: the lower, the sooner.
    rank        INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER,
    output      TEXT,
    error       TEXT,
    held        TEXT,
    -- Who holds it; only they write this row and its journal.
    worker      TEXT,
    -- The flush that last took it from its worker.
    commit_id   TEXT,
    commit_at   INTEGER
) STRICT;
CREATE INDEX indelible_runs_of_worker ON indelible_runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX indelible_runs_by_status ON indelible_runs (app, status, workflow, id);

-- Runs that could start now, and nothing else.
CREATE TABLE indelible_ready (
    run_id   TEXT    NOT NULL PRIMARY KEY,
    app      TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    rank     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX indelible_ready_by_rank ON indelible_ready (app, rank, run_id);

-- When each parked run is due.
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
    outcome    TEXT,
    error      TEXT,
    commit_id  TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
