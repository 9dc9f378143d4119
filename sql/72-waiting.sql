-- Waiting for responses: without polling, and with a look at what is committed by then, whatever the isolation level of the
-- calling transaction.

create or replace function net._await_response(request_id bigint)
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'await_response';

comment on function net._await_response(bigint) is
    'Waits until a request has its response, and returns true; false if the request stands nowhere.';

-- One result for each element that is not null, in the order of the array.
create or replace function net._await_responses(request_ids bigint[], timeout interval)
    returns net.http_response_result[]
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'await_responses';

create or replace function net.await_response(
    request_id bigint,
    timeout interval default '30 seconds'
)
    returns net.http_response_result
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if request_id is null then
        raise null_value_not_allowed using message = 'request_id must not be null';
    end if;
    return (net._await_responses(array[request_id], timeout))[1];
end
$$;

comment on function net.await_response(bigint, interval) is
    'Waits until a request has its response, and returns it; PENDING if it has none by the end of the timeout.';

create or replace function net.await_responses(
    request_ids bigint[],
    timeout interval default '30 seconds'
)
    returns table (request_id bigint, status net.request_status, message text, response net.http_response)
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    ids bigint[] := array_remove(request_ids, null);
begin
    return query
        select id, r.status, r.message, r.response
          from rows from (unnest(ids), unnest(net._await_responses(ids, timeout)))
               as r (id, status, message, response);
end
$$;

comment on function net.await_responses(bigint[], interval) is
    'Waits until all of these requests have their responses: a row for each, in order; PENDING for those that have none by the end of the timeout.';
