-- Names a row of the queue for the worker. Not `id`: ids can come again (TRUNCATE … RESTART IDENTITY, direct inserts),
-- row keys never do. So the sequence belongs to no table, and an extension that is dropped and created again goes on
-- from the clock, far beyond whatever an earlier one may have handed out.
create sequence net.http_request_queue_row_key_seq;
select pg_catalog.setval('net.http_request_queue_row_key_seq',
                         (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint);

-- Tells the worker at commit that this row key has come, and gives it back.
create function net._note_row_key(row_key bigint) returns bigint
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'note_row_key';

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

-- A row that is inserted with a row key of its own, such as a copy of another one, gets a new key. Not under logical
-- replication, where no such trigger fires: there the row is not ours to send.
create function net._noted_row_key() returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'noted_row_key';

create function net._assign_row_key() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    new.row_key := net._note_row_key(nextval('net.http_request_queue_row_key_seq'));
    return new;
end
$$;

create trigger assign_row_key before insert on net.http_request_queue
    for each row when (new.row_key is distinct from net._noted_row_key())
    execute function net._assign_row_key();

-- What a claim is ordered by.
create index http_request_queue_row_key_idx on net.http_request_queue (row_key);

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
create index _http_response_id_idx on net._http_response (id);

-- A publication FOR ALL TABLES takes the queue in; without a replica identity every delete of the worker would fail.
alter table net.http_request_queue replica identity full;
alter table net._http_response replica identity full;
