create table if not exists merchants (
    id          text primary key,
    name        text not null,
    -- How long after a purchase its points are posted.
    delay_hours integer
);

create table if not exists members (
    id   text primary key,
    name text not null,
    gold boolean not null
);

create table if not exists wallets (
    user_id text primary key references members (id),
    points  bigint not null
);

-- Nothing here refuses a second posting for a purchase: that there is none is up to the workflow.
create table if not exists postings (
    id        bigint generated always as identity primary key,
    user_id   text not null,
    source_id text not null,
    points    bigint not null,
    -- The posting that this one takes back.
    reverses  bigint unique
);

create table if not exists refunds (
    source_id text primary key
);

-- Which files of events were fed.
create table if not exists fed (
    file text primary key
);

-- The begin (+1) and the end (-1) of every step's work.
create table if not exists work_log (
    id          bigint generated always as identity primary key,
    process     bigint not null,
    merchant_id text not null,
    source_id   text not null,
    step        text not null,
    change      integer not null
);
