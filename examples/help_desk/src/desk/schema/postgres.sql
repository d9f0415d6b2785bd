create schema if not exists help_desk;

create table if not exists help_desk.users (
    id     uuid primary key,
    email  text not null unique,
    name   text not null,
    role   text not null check (role in ('user', 'moderator', 'admin')),
    skills text not null default '[]'
);

-- A ticket outlives the account that opened it, so `opened_by` refers to nothing.
create table if not exists help_desk.tickets (
    id          uuid primary key,
    opened_by   uuid not null,
    title       text not null,
    description text not null,
    status      text not null default 'new' check (status in ('new', 'todo', 'in_progress')),
    priority    text check (priority in ('low', 'medium', 'high')),
    notes       text,
    skills      text,
    assignee    uuid references help_desk.users (id)
);

create table if not exists help_desk.comments (
    id     uuid primary key,
    ticket uuid not null,
    number integer not null,
    author uuid not null,
    body   text not null,
    unique (ticket, number)
);

-- What happened to accounts. It has no keys: that an entry is made once is up to the workflow.
create table if not exists help_desk.account_log (
    account uuid not null,
    action  text not null,
    at      timestamptz not null default clock_timestamp()
);

-- The tokens by which people choose a new password.
create table if not exists help_desk.resets (
    id      uuid primary key,
    account uuid not null,
    token   uuid not null unique,
    state   text not null default 'open' check (state in ('open', 'used', 'lapsed'))
);

-- What people are told in the morning, once: the key is derived from the run that writes it.
create table if not exists help_desk.notifications (
    key       uuid primary key,
    recipient uuid not null,
    text      text not null,
    sent_on   text
);

create index if not exists notifications_pending on help_desk.notifications (recipient)
    where sent_on is null;

-- Every message in the chat, once: its key is derived from the run that writes it.
create table if not exists help_desk.chat (
    key     uuid primary key,
    text    text not null,
    sent_at timestamptz not null default clock_timestamp()
);

-- Every mail, once: its key is derived from the run that writes it.
create table if not exists help_desk.outbox (
    key       uuid primary key,
    kind      text not null,
    recipient text not null,
    subject   text not null,
    body      text not null,
    sent_at   timestamptz not null default clock_timestamp()
);

-- What was decided about which ticket, once: its key is derived from the run that decides.
create table if not exists help_desk.audit (
    key    uuid primary key,
    ticket uuid not null,
    action text not null,
    detail text not null,
    at     timestamptz not null default clock_timestamp()
);

-- Every line that was fed, by its idempotency key.
create table if not exists help_desk.fed (
    key text primary key
);

-- Every time that the code of a step ran, whether or not its outcome was committed afterwards.
create table if not exists help_desk.executions (
    id         uuid primary key,
    step       text not null,
    subject    text not null,
    started_at timestamptz not null default clock_timestamp(),
    ended_at   timestamptz,
    error      text
);

create index if not exists executions_by_subject on help_desk.executions (subject, step);
