-- A row a waiting request; gone once the request is done.
-- No unique index on either table: nothing of a user's can refer to a row, and so nothing can block the worker.
create table net.http_request_queue (
    id bigint not null,
    method net.http_method not null,
    url text not null,
    headers jsonb,
    body bytea,
    timeout_milliseconds int not null,
    row_key bigint not null default net._next_row_key(),
    -- The role that asked: who may see the row. Null, where that is not known: then everybody may.
    requested_by oid default pg_catalog.quote_ident(current_user)::pg_catalog.regrole::oid,
    delivery net.delivery not null default 'at_least_once',
    -- How often it may be tried, and how many attempts have ended. One that is under way is not counted.
    max_attempts int not null default 1,
    attempts int not null default 0,
    -- When it may be sent; null: at once.
    due timestamptz,
    -- Sent as `Idempotency-Key`, the same with each attempt.
    idempotency_key text,
    -- The database in which it was asked, as net._this_database() gives it: only there it is sent.
    made_in bigint not null default net._this_database()
);

create sequence net.http_request_queue_id_seq owned by net.http_request_queue.id;
alter table net.http_request_queue
    alter column id set default pg_catalog.nextval('net.http_request_queue_id_seq');

-- Responses are kept for pg_net.ttl.
create unlogged table net._http_response (
    id bigint,
    status_code int,
    content_type text,
    headers jsonb,
    content text,
    timed_out bool,
    error_msg text,
    created timestamptz not null default now(),
    -- The body, where it is no text that `content` could hold.
    content_bytes bytea,
    -- The role that asked: who may see the row. Null, where that is not known: then everybody may.
    requested_by oid,
    -- The request, its URL without user name and password; and how often it was tried.
    method text,
    url text,
    attempts int,
    -- Milliseconds that the last attempt took, and what they went to.
    elapsed_ms real,
    dns_ms real,
    handshake_ms real,
    exchange_ms real,
    redirects int,
    -- Address and port at the other end of the last hop's connection, and what was spoken on it.
    remote_address text,
    protocol text,
    -- A failure's name for programs, and its cause for people.
    error_kind text,
    error_detail text
);

create index _http_response_created_idx on net._http_response (created);
