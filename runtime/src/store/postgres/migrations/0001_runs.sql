-- Facts, immutable once accepted. Payloads are `json`, never `jsonb`: it keeps the text as it came.
CREATE TABLE indelible.events (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    data        json        NOT NULL,
    accepted_at timestamptz NOT NULL
);

-- Which app wants the events of which name.
CREATE TABLE indelible.subscriptions (
    event_name text NOT NULL,
    app        text NOT NULL,
    PRIMARY KEY (event_name, app)
);

-- Events that an app has not looked at yet, in order of acceptance.
CREATE TABLE indelible.deliveries (
    app      text   NOT NULL,
    seq      bigint GENERATED ALWAYS AS IDENTITY,
    event_id uuid   NOT NULL,
    PRIMARY KEY (app, seq)
);

-- Idempotency keys of events, while they are remembered.
CREATE TABLE indelible.dedupe (
    event_name text        NOT NULL,
    key        text        NOT NULL,
    event_id   uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (event_name, key)
);

-- The workflows that an app has registered.
CREATE TABLE indelible.workflows (
    app           text        NOT NULL,
    id            text        NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, id)
);

-- Lives of workers. Whoever deletes a row takes over what it held. Renewing touches no key, so that
-- it does not wait for a flush, which holds the row's key.
CREATE TABLE indelible.workers (
    id         uuid        PRIMARY KEY,
    app        text        NOT NULL,
    host       text        NOT NULL,
    pid        bigint      NOT NULL,
    joined_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Every run, finished ones too.
CREATE TABLE indelible.runs (
    id          uuid        PRIMARY KEY,
    app         text        NOT NULL,
    workflow    text        NOT NULL,
    status      text        NOT NULL,
    event_id    uuid,
    input       json        NOT NULL,
    seed        uuid        NOT NULL,
    -- The time of acceptance in microseconds, less what its priority is worth: the lower, the sooner.
    rank        bigint      NOT NULL,
    accepted_at timestamptz NOT NULL,
    started_at  timestamptz,
    ended_at    timestamptz,
    output      json,
    error       json,
    held        text,
    -- Who holds it; only they write this row and its journal.
    worker      uuid,
    -- The flush that last took it from its worker.
    commit_id   uuid,
    commit_at   timestamptz
);
CREATE INDEX runs_of_worker ON indelible.runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX runs_by_status ON indelible.runs (app, status, workflow, id);

-- Runs that could start now, and nothing else. A queue: rows come and go, so it is vacuumed early.
CREATE TABLE indelible.ready (
    run_id   uuid   PRIMARY KEY,
    app      text   NOT NULL,
    workflow text   NOT NULL,
    rank     bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX ready_by_rank ON indelible.ready (app, rank, run_id);

-- When each parked run is due.
CREATE TABLE indelible.timers (
    run_id uuid        PRIMARY KEY,
    due_at timestamptz NOT NULL
);
CREATE INDEX timers_by_time ON indelible.timers (due_at, run_id);

-- What happened to the steps of each run.
CREATE TABLE indelible.journal (
    run_id     uuid        NOT NULL,
    seq        integer     NOT NULL,
    key        text        NOT NULL,
    kind       text        NOT NULL,
    transition text        NOT NULL,
    attempt    bigint,
    due_at     timestamptz,
    outcome    json,
    error      json,
    commit_id  uuid        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq)
);
