-- What waits in the queue gets row keys, and survives crashes from now on. Who asked for it is not known: the owner did.
alter table net.http_request_queue
    alter column headers drop not null,
    add column row_key bigint not null
        default net._note_row_key(pg_catalog.nextval('net.http_request_queue_row_key_seq')),
    add column requested_by oid not null default pg_catalog.quote_ident(current_user)::pg_catalog.regrole::oid;
update net.http_request_queue set requested_by =
    (select relowner from pg_catalog.pg_class where oid = 'net.http_request_queue'::pg_catalog.regclass);
alter table net.http_request_queue set logged;

alter table net._http_response
    add column content_bytes bytea,
    add column requested_by oid;
