-- A row a waiting request; gone once the request is done.
-- No unique index on either table: nothing of a user's can refer to a row, and so nothing can block the worker.
create table net.http_request_queue (
    id bigint not null,
    method net.http_method not null,
    url text not null,
    headers jsonb,
    body bytea,
    timeout_milliseconds int not null,
    row_key bigint not null
        default net._note_row_key(pg_catalog.nextval('net.http_request_queue_row_key_seq')),
    -- The role that asked: who may see the row.
    requested_by oid not null default pg_catalog.quote_ident(current_user)::pg_catalog.regrole::oid
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
    -- The role that asked: who may see the row.
    requested_by oid
);

create index _http_response_created_idx on net._http_response (created);
