-- The objects that version 0.20.5 of the C version made, in words of our own.
create schema net;
create domain net.http_method as text check (lower(value) in ('get', 'post', 'delete'));
create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code integer, headers jsonb, body text);
create type net.http_response_result as (status net.request_status, message text, response net.http_response);

create unlogged table net.http_request_queue (
    id bigserial,
    method net.http_method not null,
    url text not null,
    headers jsonb,
    body bytea,
    timeout_milliseconds int not null
);
create unlogged table net._http_response (
    id bigint,
    status_code integer,
    content_type text,
    headers jsonb,
    content text,
    timed_out bool,
    error_msg text,
    created timestamptz not null default now()
);
create index on net._http_response (created);

create function net._urlencode_string(string varchar) returns text
    language c immutable as '$libdir/pg_net';
create function net._encode_url_with_params_array(url text, params_array text[]) returns text
    language c immutable as '$libdir/pg_net';
create function net.worker_restart() returns bool language c as '$libdir/pg_net';
create function net.wait_until_running() returns void language c as '$libdir/pg_net';
create function net.wake() returns void language c as '$libdir/pg_net';

create function net.http_get(
    url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000
) returns bigint language plpgsql as $$
declare
    new_id bigint;
begin
    insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
    values ('GET', net._encode_url_with_params_array(url, '{}'), headers, timeout_milliseconds)
    returning id into new_id;
    perform net.wake();
    return new_id;
end
$$;

create function net.http_post(
    url text, body jsonb default '{}', params jsonb default '{}',
    headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 5000
) returns bigint language plpgsql as $$
declare
    new_id bigint;
begin
    insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
    values ('POST', net._encode_url_with_params_array(url, '{}'), headers, convert_to(body::text, 'UTF8'),
            timeout_milliseconds)
    returning id into new_id;
    perform net.wake();
    return new_id;
end
$$;

create function net.http_delete(
    url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000,
    body jsonb default null
) returns bigint language plpgsql as $$
declare
    new_id bigint;
begin
    insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
    values ('DELETE', net._encode_url_with_params_array(url, '{}'), headers, convert_to(body::text, 'UTF8'),
            timeout_milliseconds)
    returning id into new_id;
    perform net.wake();
    return new_id;
end
$$;

create function net.check_worker_is_up() returns void language plpgsql as $$
begin
    if not exists (select from pg_stat_activity where backend_type ilike '%pg_net%') then
        raise exception 'the pg_net background worker is not up';
    end if;
end
$$;

create function net._await_response(request_id bigint) returns bool language plpgsql as $$
begin
    while not exists (select from net._http_response r where r.id = request_id) loop
        perform pg_sleep(0.05);
    end loop;
    return true;
end
$$;

create function net._http_collect_response(request_id bigint, async bool default true)
    returns net.http_response_result language plpgsql as $$
declare
    found_row net._http_response;
begin
    if not async then
        perform net._await_response(request_id);
    end if;
    select r.* into found_row from net._http_response r where r.id = request_id;
    if found_row.id is null then
        return ('ERROR', 'request matching request_id not found', null)::net.http_response_result;
    end if;
    return ('SUCCESS', 'ok', (found_row.status_code, found_row.headers, found_row.content)::net.http_response)
        ::net.http_response_result;
end
$$;

create function net.http_collect_response(request_id bigint, async bool default true)
    returns net.http_response_result language plpgsql as $$
begin
    raise notice 'deprecated';
    return net._http_collect_response(request_id, async);
end
$$;

grant usage on schema net to public;
grant all on all tables in schema net to public;
grant all on all sequences in schema net to public;
