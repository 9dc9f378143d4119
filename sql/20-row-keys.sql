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

-- A new row key, noted as the one of the row that is inserted next. Whoever may insert may have one, whoever owns the sequence.
create function net._next_row_key() returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'next_row_key';

-- Gives a row whose key is not the one that was noted for it a new one. Drops it in a session that plays a replica: rows that come by
-- logical replication, or from a dump, are another database's to send, which has them, too.
create or replace function net._assign_row_key() returns trigger
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'assign_row_key';
