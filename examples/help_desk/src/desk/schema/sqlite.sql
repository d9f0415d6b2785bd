create table if not exists users (
    id     blob primary key,
    email  text not null unique,
    name   text not null,
    role   text not null check (role in ('user', 'moderator', 'admin')),
    skills text not null default '[]'
);

-- A ticket outlives the account that opened it, so `opened_by` refers to nothing.
create table if not exists tickets (
    id          blob primary key,
    opened_by   blob not null,
    title       text not null,
    description text not null,
    status      text not null default 'new' check (status in ('new', 'todo', 'in_progress')),
    priority    text check (priority in ('low', 'medium', 'high')),
    notes       text,
    skills      text,
    assignee    blob references users (id)
);

create table if not exists comments (
    id     blob primary key,
    ticket blob not null,
    number integer not null,
    author blob not null,
    body   text not null,
    unique (ticket, number)
);

-- What happened to accounts. It has no keys: that an entry is made once is up to the workflow.
create table if not exists account_log (
    account blob not null,
    action  text not null,
    at      text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- The tokens by which people choose a new password.
create table if not exists resets (
    id      blob primary key,
    account blob not null,
    token   blob not null unique,
    state   text not null default 'open' check (state in ('open', 'used', 'lapsed'))
);

-- What people are told in the morning, once: the key is derived from the run that writes it.
create table if not exists notifications (
    key       blob primary key,
    recipient blob not null,
    text      text not null,
    sent_on   text
);

create index if not exists notifications_pending on notifications (recipient)
    where sent_on is null;

-- Every message in the chat, once: its key is derived from the run that writes it.
create table if not exists chat (
    key     blob primary key,
    text    text not null,
    sent_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- Every mail, once: its key is derived from the run that writes it.
create table if not exists outbox (
    key       blob primary key,
    kind      text not null,
    recipient text not null,
    subject   text not null,
    body      text not null,
    sent_at   text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- What was decided about which ticket, once: its key is derived from the run that decides.
create table if not exists audit (
    key    blob primary key,
    ticket blob not null,
    action text not null,
    detail text not null,
    at     text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- Every line that was fed, by its idempotency key.
create table if not exists fed (
    key text primary key
);

-- Every time that the code of a step ran, whether or not its outcome was committed afterwards.
create table if not exists executions (
    id         blob primary key,
    step       text not null,
    subject    text not null,
    started_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ended_at   text,
    error      text
);

create index if not exists executions_by_subject on executions (subject, step);
