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
        if not net._await_response(request_id) then
            return ('ERROR', 'request matching request_id not found', null)::net.http_response_result;
        end if;
        -- It may have come after what this transaction's snapshot shows.
        return net.await_response(request_id, '0');
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
