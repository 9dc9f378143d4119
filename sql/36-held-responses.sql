-- Outcomes that a trigger, rule or constraint of the responses keeps from there. Their requests are done, and are not sent again; the
-- worker tries to store each a few times more, and then without triggers. For the worker alone.
create table net._held_response (
    id bigint,
    status_code int,
    content_type text,
    headers jsonb,
    content text,
    timed_out bool,
    error_msg text,
    content_bytes bytea,
    requested_by oid,
    method text,
    url text,
    attempts int,
    elapsed_ms real,
    dns_ms real,
    handshake_ms real,
    exchange_ms real,
    redirects int,
    remote_address text,
    protocol text,
    error_kind text,
    error_detail text,
    row_key bigint not null,
    -- How often its code has failed, and what it said last; whether it takes longer than others can wait; when it is tried again.
    failures int not null,
    slow bool not null,
    due timestamptz not null,
    last_error text
);

create index _held_response_due_idx on net._held_response (slow, due);
create index _held_response_row_key_idx on net._held_response (row_key);
create index _held_response_id_idx on net._held_response (id);

alter table net._held_response replica identity full;
alter table net._held_response enable row level security;
