-- Requests that used up all their attempts, whole, each with its last outcome. Kept until the owner deletes them, or
-- net.retry sends them again.
create table net.dead_letter (
    id bigint not null,
    method net.http_method not null,
    url text not null,
    headers jsonb,
    body bytea,
    timeout_milliseconds int not null,
    -- The role that asked: who may see the row, and have it sent again.
    requested_by oid,
    max_attempts int not null,
    attempts int not null,
    idempotency_key text,
    -- The outcome of the last attempt, as in net._http_response.
    status_code int,
    content_type text,
    response_headers jsonb,
    content text,
    content_bytes bytea,
    timed_out bool,
    error_msg text,
    error_kind text,
    error_detail text,
    created timestamptz not null default now()
);

create index dead_letter_id_idx on net.dead_letter (id);

alter table net.dead_letter replica identity full;
