-- What waits in the queue gets row keys, and survives crashes from now on. Who asked for it is not known.
alter table net.http_request_queue
    alter column headers drop not null,
    add column row_key bigint not null
        default net._note_row_key(pg_catalog.nextval('net.http_request_queue_row_key_seq')),
    add column requested_by oid,
    add column delivery net.delivery not null default 'at_least_once',
    add column max_attempts int not null default 1,
    add column attempts int not null default 0,
    add column due timestamptz,
    add column idempotency_key text,
    add column made_in bigint not null default net._this_database();
alter table net.http_request_queue
    alter column requested_by set default pg_catalog.quote_ident(current_user)::pg_catalog.regrole::oid;
alter table net.http_request_queue set logged;

alter table net._http_response
    add column content_bytes bytea,
    add column requested_by oid,
    add column method text,
    add column url text,
    add column attempts int,
    add column elapsed_ms real,
    add column dns_ms real,
    add column handshake_ms real,
    add column exchange_ms real,
    add column redirects int,
    add column remote_address text,
    add column protocol text,
    add column error_kind text,
    add column error_detail text;
