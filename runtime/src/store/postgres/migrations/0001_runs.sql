-- Facts, immutable once accepted. Payloads are `json`, never `jsonb`: it keeps the text as it came.
CREATE TABLE indelible.events (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    data        json        NOT NULL,
    accepted_at timestamptz NOT NULL,
    -- Which of two events came first: a number that is never given twice, and that means the same
    -- wherever these rows are copied to.
    position    bigint      GENERATED ALWAYS AS IDENTITY,
    -- The last event that could be seen when this one was accepted.
    since       bigint      NOT NULL,
    -- The trace that it belongs to, as W3C Trace Context has it: the traceparent, then a space and the tracestate if
    -- there is one.
    trace_context text
);
CREATE UNIQUE INDEX events_in_order ON indelible.events (position);

-- Events that are accepted later: when they are due, or as soon as the transaction is committed in which they
-- were sent. Only then have they a place among the others. A queue, as `ready` is.
CREATE TABLE indelible.later (
    id     uuid        PRIMARY KEY,
    name   text        NOT NULL,
    data   json        NOT NULL,
    -- `-infinity`: as soon as it is there.
    due_at timestamptz NOT NULL,
    trace_context text,
    seq    bigint      GENERATED ALWAYS AS IDENTITY
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX later_by_time ON indelible.later (due_at, seq);

-- Which app wants the events of which name, and what for: a row whose part is the name itself, and one
-- for each workflow that it starts and each set of fields by which it is awaited. A process that knows
-- nothing of a part leaves it to one that does.
CREATE TABLE indelible.subscriptions (
    event_name text NOT NULL,
    app        text NOT NULL,
    part       text NOT NULL,
    PRIMARY KEY (event_name, app, part)
);

-- What the data of an app's events looks like, and looked like before. Equal schemas are one version.
CREATE TABLE indelible.event_schemas (
    app           text        NOT NULL,
    event_name    text        NOT NULL,
    version       uuid        NOT NULL,
    schema        json        NOT NULL,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (app, event_name, version)
);

-- Events that an app has not looked at yet, in order of acceptance.
CREATE TABLE indelible.deliveries (
    app       text   NOT NULL,
    seq       bigint GENERATED ALWAYS AS IDENTITY,
    event_id  uuid   NOT NULL,
    -- The event's name, or the one part of the app that it is still for.
    part      text   NOT NULL,
    -- When its runs were started and its keys written. It stays until it has looked for waits.
    routed_at timestamptz,
    PRIMARY KEY (app, seq)
);

-- Events that a workflow cannot tell what to make of. They are delivered to it again when a program
-- registers, and when the worker leaves that could not tell.
CREATE TABLE indelible.blocked (
    app      text NOT NULL,
    event_id uuid NOT NULL,
    part     text NOT NULL,
    reason   text NOT NULL,
    worker   uuid NOT NULL,
    PRIMARY KEY (app, event_id, part)
);
CREATE INDEX blocked_by_worker ON indelible.blocked (worker);

-- Batches that are gathered. Whoever adds to one or completes it holds its row.
CREATE TABLE indelible.batches (
    app      text        NOT NULL,
    workflow text        NOT NULL,
    key      text        NOT NULL,
    events   bigint      NOT NULL,
    -- How much room its events take in the list that they become.
    bytes    bigint      NOT NULL,
    -- When its first event has waited long enough; where each event lets it wait longer, its last.
    due_at   timestamptz NOT NULL,
    slides   boolean     NOT NULL,
    -- When that ends at the latest.
    latest_at timestamptz,
    PRIMARY KEY (app, workflow, key)
);
CREATE INDEX batches_by_time ON indelible.batches (app, due_at);

-- The events in them, in order of acceptance.
CREATE TABLE indelible.batched (
    app      text   NOT NULL,
    workflow text   NOT NULL,
    key      text   NOT NULL,
    seq      bigint NOT NULL,
    event_id uuid   NOT NULL,
    PRIMARY KEY (app, workflow, key, seq)
);

-- Idempotency keys of events, while they are remembered.
CREATE TABLE indelible.dedupe (
    event_name text        NOT NULL,
    key        text        NOT NULL,
    event_id   uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (event_name, key)
);
CREATE INDEX dedupe_by_time ON indelible.dedupe (expires_at);

-- The workflows that an app has registered.
CREATE TABLE indelible.workflows (
    app           text        NOT NULL,
    id            text        NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    -- What unfinished runs rest on, as the program that registered last has it.
    shape         text,
    PRIMARY KEY (app, id)
);

-- When workflows start by themselves. Whoever locks a row that is due starts its runs and moves it on.
-- Two programs that live side by side may each have a rule of their own for a workflow.
CREATE TABLE indelible.schedules (
    app      text NOT NULL,
    workflow text NOT NULL,
    rule     text NOT NULL,
    -- Unknown until a worker has looked at the rule.
    due_at   timestamptz,
    -- The last tick that has started a run.
    last_at  timestamptz,
    PRIMARY KEY (app, workflow, rule)
);

-- Lives of workers. Whoever deletes a row takes over what it held. Renewing touches no key, so that
-- it does not wait for a flush, which holds the row's key.
CREATE TABLE indelible.workers (
    id         uuid        PRIMARY KEY,
    app        text        NOT NULL,
    host       text        NOT NULL,
    pid        bigint      NOT NULL,
    -- Where that is the id of a process, if it is known.
    machine    text,
    joined_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- What it drives: with a shape only runs of that shape.
    workflows  text[]      NOT NULL,
    shapes     uuid[]      NOT NULL,
    -- What its program subscribes to, and its schedules, each as its workflow and its rule: nobody
    -- removes them while it lives.
    parts      text[]      NOT NULL,
    schedules  text[]      NOT NULL
);

-- Workflows of which no runs are driven for now.
CREATE TABLE indelible.paused (
    app      text        NOT NULL,
    workflow text        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (app, workflow)
);

-- Every run, finished ones too.
CREATE TABLE indelible.runs (
    id          uuid        PRIMARY KEY,
    app         text        NOT NULL,
    workflow    text        NOT NULL,
    status      text        NOT NULL,
    event_id    uuid,
    -- The run that invoked it, and whether it goes on when that one ends.
    parent      uuid,
    detached    boolean     NOT NULL DEFAULT false,
    -- Whether a system event has set off the run that started it: then its end makes none.
    silent      boolean     NOT NULL DEFAULT false,
    input       json        NOT NULL,
    seed        uuid        NOT NULL,
    -- The time of acceptance in microseconds, less what its priority is worth: the lower, the sooner.
    rank        bigint      NOT NULL,
    accepted_at timestamptz NOT NULL,
    -- When it was due, if a schedule has started it.
    scheduled_at timestamptz,
    -- The trace that it belongs to: that of its event, or of the run that invoked it.
    trace_context text,
    -- The last event that could be seen when its trigger was accepted, or when the generation before
    -- this one began. Events behind it came later.
    since       bigint      NOT NULL,
    -- How often it has begun anew; when it last did, and the last event that could be seen then.
    generation  integer     NOT NULL DEFAULT 0,
    began_at    timestamptz,
    began       bigint,
    started_at  timestamptz,
    -- Set exactly if it is over.
    ended_at    timestamptz,
    output      json,
    error       json,
    cancelled   text,
    held        text,
    -- The worker that could not go on with it, of a run that is held.
    held_by     uuid,
    -- Of the program that drove it last: what its journal rests on.
    shape       uuid,
    -- Whether it has gates to pass before a worker may claim it.
    gated       boolean     NOT NULL DEFAULT false,
    -- Whether nobody has said yet which gates those are: see `unsettled`.
    unsettled   boolean     NOT NULL DEFAULT false,
    -- Who holds it; only they write this row and its journal.
    worker      uuid,
    -- How many workers in a row were taken over from while they drove it, with no new row in its
    -- journal since the first of them, and the last row then.
    take_overs  integer     NOT NULL DEFAULT 0,
    last_seq    integer,
    -- How many runs were suspected together when the last of them went down, and the steps whose futures
    -- had begun then.
    suspects    integer     NOT NULL DEFAULT 0,
    suspected   text,
    -- The steps whose futures its worker was about to begin, if workers went down with it before.
    beginning   text,
    -- How often it was taken up again after it had failed.
    retries     integer     NOT NULL DEFAULT 0,
    -- The flush that last took it from its worker.
    commit_id   uuid,
    commit_at   timestamptz
);
CREATE INDEX runs_of_worker ON indelible.runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX runs_held_by ON indelible.runs (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX runs_by_status ON indelible.runs (app, status, workflow, id);
CREATE INDEX runs_of_parent ON indelible.runs (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX runs_of_event ON indelible.runs (event_id, id) WHERE event_id IS NOT NULL;

-- What runs are found by, as their bodies said.
CREATE TABLE indelible.attributes (
    run_id uuid NOT NULL,
    key    text NOT NULL,
    app    text NOT NULL,
    value  text NOT NULL,
    PRIMARY KEY (run_id, key)
);
CREATE INDEX attributes_by_value ON indelible.attributes (app, key, value, run_id);

-- Runs that could start now, and nothing else. A queue: rows come and go, so it is vacuumed early.
CREATE TABLE indelible.ready (
    run_id   uuid   PRIMARY KEY,
    app      text   NOT NULL,
    workflow text   NOT NULL,
    rank     bigint NOT NULL,
    -- Of a run that may have taken workers down, how many there are in its cohort. -1: it has gates to pass
    -- first, and cannot be claimed until then.
    suspects integer NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX ready_by_rank ON indelible.ready (app, suspects, rank, run_id);

-- Runs that were begun where nobody knew what cancels them and what they have to pass. They are gated, and
-- not ready, until a program that has their workflow says so.
CREATE TABLE indelible.unsettled (
    app      text   NOT NULL,
    workflow text   NOT NULL,
    run_id   uuid   NOT NULL,
    -- Events behind it cancel the run.
    since    bigint NOT NULL,
    PRIMARY KEY (app, workflow, run_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- What the limits of an app allow each of their keys: as the code says, and as an operator has set it.
CREATE TABLE indelible.limits (
    app    text   NOT NULL,
    name   text   NOT NULL,
    -- `slots`, `pace` or `window`.
    kind   text   NOT NULL,
    most   bigint NOT NULL,
    -- In microseconds.
    period bigint,
    burst  bigint,
    -- What holds in place of that, since when, and who says so.
    set_most   bigint,
    set_period bigint,
    set_burst  bigint,
    set_at     timestamptz,
    set_by     text,
    PRIMARY KEY (app, name)
);

-- Where each run that has gates stands at each of them, from its admission to its end.
CREATE TABLE indelible.slots (
    run_id uuid     NOT NULL,
    -- The hash of the limit, its key's expression and the key.
    gate   uuid     NOT NULL,
    app    text     NOT NULL,
    -- The limit, and what it counts apart.
    name   text     NOT NULL,
    key    text     NOT NULL,
    -- Until when it holds its slot: `active`, `run` or `pass`.
    hold   text     NOT NULL,
    -- Its place among the gates of its run.
    place  smallint NOT NULL,
    -- `rests`: it has to be passed. `waits`: the run waits for that here. `holds`: it was. `lent`: the run
    -- that invoked this one holds it for both.
    state  text     NOT NULL,
    rank   bigint   NOT NULL,
    since  timestamptz NOT NULL,
    PRIMARY KEY (run_id, gate)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX slots_of_gate ON indelible.slots (gate, state, rank, run_id);

-- Gates that somebody may pass now: somebody has left, or has come. Whoever opens them removes the rows.
CREATE TABLE indelible.openings (
    app  text   NOT NULL,
    seq  bigint GENERATED ALWAYS AS IDENTITY,
    gate uuid   NOT NULL,
    PRIMARY KEY (app, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- What time counts at a gate: its pace, or its window. A row whose time is over says nothing.
CREATE TABLE indelible.counters (
    gate    uuid        PRIMARY KEY,
    app     text        NOT NULL,
    name    text        NOT NULL,
    key     text        NOT NULL,
    -- Of a pace when the next start is in time, of a window its end.
    until   timestamptz NOT NULL,
    -- How many the window has let through, and how many it has not.
    counted bigint      NOT NULL DEFAULT 0,
    skipped bigint      NOT NULL DEFAULT 0,
    -- When somebody who waits may pass.
    due_at  timestamptz
);
CREATE INDEX counters_due ON indelible.counters (app, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX counters_over ON indelible.counters (app, until);

-- Events that started no run of a workflow that they trigger, as its limits say. Kept for 30 days.
CREATE TABLE indelible.skipped (
    app      text        NOT NULL,
    event_id uuid        NOT NULL,
    workflow text        NOT NULL,
    reason   text        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (event_id, app, workflow)
);
CREATE INDEX skipped_by_time ON indelible.skipped (app, at);

-- When each parked run is due, if it is due at a time.
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
    child      uuid,
    outcome    json,
    error      json,
    -- Of a carried loop the place of its first row, where this is a later one.
    first_seq  integer,
    -- When what it tells of began, as far as the worker knew.
    started_at timestamptz,
    commit_id  uuid        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- What operators did to runs, in that order: to one that was retried, to one that is made of another.
CREATE TABLE indelible.interventions (
    run_id uuid        NOT NULL,
    seq    bigint      GENERATED ALWAYS AS IDENTITY,
    at     timestamptz NOT NULL,
    verb   text        NOT NULL,
    -- The run that it was made of, and the state before which it begins.
    source uuid,
    state  text,
    PRIMARY KEY (run_id, seq)
);

-- What runs wait for: the hash of an event's name and some of its fields.
CREATE TABLE indelible.waits (
    run_id     uuid        NOT NULL,
    key        text        NOT NULL,
    app        text        NOT NULL,
    hash       uuid        NOT NULL,
    -- Events count that are behind it, but for the run's trigger.
    since      bigint      NOT NULL,
    trigger_id uuid,
    made_at    timestamptz NOT NULL,
    -- The event and the fields, for whoever asks what the run waits for.
    awaited    text,
    -- Of a wait that was made with its run: why the event cancels it.
    cancels    text,
    -- Whether it has looked for events that were routed before its commit.
    looked     boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, key)
);
CREATE INDEX waits_by_hash ON indelible.waits (app, hash);
CREATE INDEX waits_unlooked ON indelible.waits (made_at) WHERE NOT looked;

-- The runs that an event has reached and that do not name it: one that began with several events, and one
-- that waited for it.
CREATE TABLE indelible.reached (
    event_id uuid NOT NULL,
    run_id   uuid NOT NULL,
    -- The wait that has taken it; empty where the run began with it.
    key      text NOT NULL,
    PRIMARY KEY (event_id, run_id, key)
);
CREATE INDEX reached_by_run ON indelible.reached (run_id, key);

-- The same hashes of the events that an app has routed.
CREATE TABLE indelible.event_keys (
    app      text   NOT NULL,
    hash     uuid   NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (app, hash, position)
);

-- What others tell a run. Of an event only the id: it is kept as long as a message names it. One
-- that was taken stays until the run ends, so that no other wait of the run gets it.
CREATE TABLE indelible.inbox (
    run_id  uuid        NOT NULL,
    id      uuid        NOT NULL,
    kind    text        NOT NULL,
    at      timestamptz NOT NULL,
    outcome json,
    error   json,
    reason  text,
    taken   boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, id)
);
CREATE INDEX inbox_untaken ON indelible.inbox (run_id) WHERE NOT taken;

-- Ballast. A queue is empty most of the time, and may be vacuumed then. The planner would take it for empty as it
-- grows, until it is analysed the next time, and go over all of it for each row of a batch. These rows, of no app and
-- no run, stay there so that it looks rows up.
INSERT INTO indelible.ready (run_id, app, workflow, rank)
SELECT lpad(n::text, 32, '0')::uuid, '', '', n FROM generate_series(1, 100) n;
INSERT INTO indelible.timers (run_id, due_at)
SELECT lpad(n::text, 32, '0')::uuid, 'infinity' FROM generate_series(1, 100) n;
INSERT INTO indelible.unsettled (app, workflow, run_id, since)
SELECT '', '', lpad(n::text, 32, '0')::uuid, 0 FROM generate_series(1, 100) n;
INSERT INTO indelible.slots (run_id, gate, app, name, key, hold, place, state, rank, since)
SELECT lpad(n::text, 32, '0')::uuid, lpad(n::text, 32, '0')::uuid, '', '', '', 'run', 0, 'rests', n, now()
FROM generate_series(1, 100) n;
INSERT INTO indelible.counters (gate, app, name, key, until)
SELECT lpad(n::text, 32, '0')::uuid, '', '', '', 'infinity' FROM generate_series(1, 100) n;
INSERT INTO indelible.waits (run_id, key, app, hash, since, made_at, looked)
SELECT lpad(n::text, 32, '0')::uuid, '', '', lpad(n::text, 32, '0')::uuid, 0, now(), true
FROM generate_series(1, 100) n;
INSERT INTO indelible.event_keys (app, hash, position)
SELECT '', lpad(n::text, 32, '0')::uuid, 0 FROM generate_series(1, 100) n;
INSERT INTO indelible.inbox (run_id, id, kind, at)
SELECT lpad(n::text, 32, '0')::uuid, lpad(n::text, 32, '0')::uuid, '', now() FROM generate_series(1, 100) n;

-- Sends an event from any SQL client: in its transaction, with the checks that every sender passes. Whoever may
-- execute it needs no right to the tables, and cannot go past the checks. The client cannot tell anybody of
-- its commit, so the server does.
CREATE FUNCTION indelible.send(
    name            text,
    data            text,
    idempotency_key text        DEFAULT NULL,
    at              timestamptz DEFAULT NULL,
    trace_context   text        DEFAULT NULL
) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $send$
DECLARE
    flaw     text;
    parent   text := split_part(send.trace_context, ' ', 1);
    state    text := btrim(substr(send.trace_context, length(parent) + 1), ' ');
    sent_id  uuid;
    known_id uuid;
    now_here timestamptz := clock_timestamp();
BEGIN
    IF send.name IS NULL OR send.data IS NULL THEN
        RAISE EXCEPTION 'an event needs a name and data'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'An event without fields has the data ''{}'' or ''null''.';
    END IF;
    flaw := CASE
        WHEN send.name = '' THEN 'it is empty'
        WHEN octet_length(send.name) > 128 THEN 'it is longer than 128 bytes'
        WHEN send.name ~ '[A-Z]' THEN 'it has upper-case letters'
        WHEN send.name ~ '[^-a-z0-9_./]'
            THEN 'it has characters other than `a-z`, `0-9`, `-`, `_`, `.` and `/`'
        WHEN send.name !~ '^[^/]*/[^/]*$'
            THEN 'it needs exactly one `/` between an area and what happened there'
        WHEN send.name ~ '^/|/$' THEN 'nothing stands on one side of the `/`'
        WHEN send.name !~ '^[a-z0-9]([^/]*[a-z0-9])?/[a-z0-9]([^/]*[a-z0-9])?$' OR send.name ~ '\.\.'
            THEN 'each side of the `/` has to begin and end with a letter or a digit, without `..`'
    END;
    IF flaw IS NOT NULL THEN
        RAISE EXCEPTION '`%` cannot name an event: %', send.name, flaw
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Write `area/what-happened`: ''ticket/created'', ''app/comment.posted''.';
    END IF;
    IF starts_with(send.name, 'indelible/') THEN
        RAISE EXCEPTION 'the name `%` is reserved', send.name
            USING ERRCODE = 'reserved_name',
                  DETAIL = 'Events named `indelible/..` are sent by Indelible alone.',
                  HINT = 'Name the area of your application: ''ticket/created''.';
    END IF;
    IF octet_length(send.data) > 512 * 1024 THEN
        RAISE EXCEPTION 'the event `%` is not accepted: its data has % bytes, over the limit of % bytes',
                send.name, octet_length(send.data), 512 * 1024
            USING ERRCODE = 'program_limit_exceeded',
                  HINT = 'Store large data elsewhere, and send where it is.';
    END IF;
    IF octet_length(send.idempotency_key) > 1024 THEN
        RAISE EXCEPTION
                'the idempotency key of an event `%` is not accepted: it has % bytes, over the limit of 1024 bytes',
                send.name, octet_length(send.idempotency_key)
            USING ERRCODE = 'program_limit_exceeded',
                  HINT = 'Use a hash of it.';
    END IF;
    IF NOT isfinite(send.at) THEN
        RAISE EXCEPTION 'the event `%` cannot be sent at %: that is no time', send.name, send.at
            USING ERRCODE = 'datetime_field_overflow',
                  HINT = 'Leave `at` out to send the event now.';
    END IF;
    flaw := CASE
        WHEN parent !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}($|-)' OR parent ~ '^00.{53}-'
            THEN 'it is not `00-<trace id>-<parent id>-<flags>` with 32, 16 and 2 hexadecimal digits, in lower case'
        WHEN parent ~ '^ff' THEN 'its version is `ff`'
        WHEN parent ~ '^...0{32}' THEN 'its trace id is all zeros'
        WHEN parent ~ '^.{36}0{16}' THEN 'its parent id is all zeros'
    END;
    IF flaw IS NOT NULL THEN
        RAISE EXCEPTION 'the traceparent of an event `%` is not accepted: %', send.name, flaw
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave `trace_context` out to send the event without a trace.';
    END IF;
    BEGIN
        PERFORM send.data::json;
    EXCEPTION WHEN invalid_text_representation THEN
        GET STACKED DIAGNOSTICS flaw = PG_EXCEPTION_DETAIL;
        RAISE EXCEPTION 'the data of the event `%` is not JSON', send.name
            USING ERRCODE = 'invalid_text_representation',
                  DETAIL = flaw,
                  HINT = 'Write ''{"ticket_id": 7}'', or give json_build_object(..).';
    END;

    -- Version 7 of RFC 9562: the time in milliseconds, then what is random. A version 4 has only to have its
    -- first six bytes and two bits changed.
    sent_id := encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid())
        PLACING substring(int8send((extract(epoch FROM now_here) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6
    ), 52, 1), 53, 1), 'hex')::uuid;

    IF send.idempotency_key IS NOT NULL THEN
        INSERT INTO indelible.dedupe AS known (event_name, key, event_id, expires_at)
        VALUES (send.name, send.idempotency_key, sent_id, now_here + interval '24 hours')
        ON CONFLICT ON CONSTRAINT dedupe_pkey DO UPDATE SET
            event_id = CASE WHEN known.expires_at <= now()
                THEN excluded.event_id ELSE known.event_id END,
            expires_at = CASE WHEN known.expires_at <= now()
                THEN excluded.expires_at ELSE known.expires_at END
        RETURNING event_id INTO known_id;
        IF known_id <> sent_id THEN
            RETURN known_id;
        END IF;
    END IF;
    -- Who accepts the event reads its trace as that of any other. Here nothing longer is let in.
    INSERT INTO indelible.later (id, name, data, due_at, trace_context)
    VALUES (sent_id, send.name, send.data::json, coalesce(send.at, '-infinity'),
            left(parent, 55) || CASE WHEN length(state) <= 512 THEN ' ' || state ELSE '' END);
    -- As a process says that there are events to be accepted. The server says the same once a transaction.
    PERFORM pg_notify('indelible', '{"by":"00000000-0000-0000-0000-000000000000","work":256}');
    RETURN sent_id;
END
$send$;

-- The same for data that is JSON already.
CREATE FUNCTION indelible.send(
    name            text,
    data            json,
    idempotency_key text        DEFAULT NULL,
    at              timestamptz DEFAULT NULL,
    trace_context   text        DEFAULT NULL
) RETURNS uuid
    LANGUAGE sql VOLATILE
AS $send$ SELECT indelible.send(name, data::text, idempotency_key, at, trace_context) $send$;

CREATE FUNCTION indelible.send(
    name            text,
    data            jsonb,
    idempotency_key text        DEFAULT NULL,
    at              timestamptz DEFAULT NULL,
    trace_context   text        DEFAULT NULL
) RETURNS uuid
    LANGUAGE sql VOLATILE
AS $send$ SELECT indelible.send(name, data::text, idempotency_key, at, trace_context) $send$;

-- Who may send is for the owner to say.
REVOKE ALL ON FUNCTION indelible.send(text, text, text, timestamptz, text) FROM PUBLIC;
