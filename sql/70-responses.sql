-- How often the worker has recorded outcomes: the number, and a wait for it to pass one that was seen before.
create or replace function net._records_seen()
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'records_seen';

create or replace function net._wait_for_records(seen bigint)
    returns bigint
    language c volatile strict parallel unsafe
    as 'MODULE_PATHNAME', 'wait_for_records';

-- True once the request has its response; false if it stands neither in the queue nor among the responses.
create or replace function net._await_response(request_id bigint)
    returns bool
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    seen bigint;
    queued bool;
    answered bool;
begin
    if request_id is null then
        return false;
    end if;
    loop
        -- First the number, then the look: a record between the two ends the wait at once.
        seen := net._records_seen();
        -- Both in one statement, so under one snapshot: the worker moves a request from one table to the other in one
        -- transaction.
        select exists (select from net._http_response r where r.id = request_id),
               exists (select from net.http_request_queue q where q.id = request_id)
          into answered, queued;
        if answered or not queued then
            return answered;
        end if;
        perform net._wait_for_records(seen);
    end loop;
end
$$;

create or replace function net._http_collect_response(
    request_id bigint,
    async bool default true
)
    returns net.http_response_result
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    found_response net._http_response;
begin
    if not async then
        perform net._await_response(request_id);
    end if;

    select r.* into found_response from net._http_response r where r.id = request_id
     order by r.created desc limit 1;

    if not found then
        return ('ERROR', 'request matching request_id not found', null)::net.http_response_result;
    elsif found_response.error_msg is not null then
        return ('ERROR', found_response.error_msg, null)::net.http_response_result;
    end if;

    return (
        'SUCCESS',
        'ok',
        (found_response.status_code, found_response.headers, found_response.content)::net.http_response
    )::net.http_response_result;
end
$$;

create or replace function net.http_collect_response(
    request_id bigint,
    async bool default true
)
    returns net.http_response_result
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    raise notice 'net.http_collect_response is deprecated'
        using hint = 'Select from net._http_response by id, or call net._http_collect_response.';
    return net._http_collect_response(request_id, async);
end
$$;
