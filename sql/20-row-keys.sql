-- Names a row of the queue for the worker. Not `id`: ids can come again (TRUNCATE ... RESTART IDENTITY, direct inserts),
-- row keys never do. So the sequence belongs to no table, and an extension that is dropped and created again goes on
-- from the clock, far beyond whatever an earlier one may have handed out.
create sequence net.http_request_queue_row_key_seq;
select pg_catalog.setval('net.http_request_queue_row_key_seq',
                         (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint);

-- Tells the worker at commit that this row key has come, and gives it back.
create or replace function net._note_row_key(row_key bigint) returns bigint
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'note_row_key';

-- The row key that this session noted last, once: it is for one row.
create or replace function net._take_noted_row_key() returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'take_noted_row_key';

create or replace function net._assign_row_key() returns trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- Rows that come by logical replication, or from a dump, into a session that plays a replica are another database's to
    -- send: it has them, too.
    if current_setting('session_replication_role') = 'replica' then
        return null;
    end if;
    perform net._note_row_key(nextval('net.http_request_queue_row_key_seq'));
    new.row_key := net._take_noted_row_key();
    new.made_in := net._this_database();
    return new;
end
$$;

