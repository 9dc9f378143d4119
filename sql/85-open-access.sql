-- The openness of the C version, for those who need it.
create or replace function net.restore_open_access()
    returns void
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- Asks for ownership before anything is granted.
    alter table net.http_request_queue disable row level security;
    alter table net._http_response disable row level security;
    -- Not TRIGGER and REFERENCES: code that is attached to the tables runs with the rights of their owner.
    grant select, insert, update, delete, truncate on net.http_request_queue, net._http_response to public;
    -- What a direct insert takes.
    grant usage, select, update on sequence net.http_request_queue_id_seq to public;
    grant usage on sequence net.http_request_queue_row_key_seq to public;
    grant execute on function net._note_row_key(bigint) to public;
    grant execute on function net.worker_restart() to public;
    raise warning 'pg_net: every role now reads and writes all requests and responses, with the secrets in them'
        using hint = 'README, "Who may do what", has the statements that take this back.';
end
$$;

comment on function net.restore_open_access() is
    'Lets every role read and write both tables, and restart the worker, as the C version did. For the owner.';

revoke execute on function net.restore_open_access() from public;
