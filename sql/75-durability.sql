-- Whether the queue, and whether the responses, survive a crash. For the owner alone: ALTER TABLE asks for no less.

create or replace function net.set_queue_logged(logged boolean)
    returns void
    language plpgsql volatile strict parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if logged then
        alter table net.http_request_queue set logged;
    else
        alter table net.http_request_queue set unlogged;
        -- Since Postgres 15 an owned sequence goes along; ids that come again after a crash would be worse than lost rows.
        if current_setting('server_version_num')::int >= 150000 then
            execute 'alter sequence net.http_request_queue_id_seq set logged';
        end if;
    end if;
    -- The worker reads the table anew.
    perform net.wake();
end
$$;

comment on function net.set_queue_logged(boolean) is
    'Whether waiting requests survive a crash of the server. They do unless this was called with false.';

create or replace function net.set_responses_logged(logged boolean)
    returns void
    language plpgsql volatile strict parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if logged then
        alter table net._http_response set logged;
    else
        alter table net._http_response set unlogged;
    end if;
end
$$;

comment on function net.set_responses_logged(boolean) is
    'Whether recorded responses survive a crash of the server. They do not unless this was called with true.';
