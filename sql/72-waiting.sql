-- Waiting for responses: without polling, and with a look at what is committed by then, whatever the isolation level of the
-- calling transaction. As the caller, who needs SELECT on the queue and the responses and nothing else.

create or replace function net._await_response(request_id bigint)
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', '_await_response';

comment on function net._await_response(bigint) is
    'Waits until a request has its response, and returns true; false if the request stands nowhere.';

create or replace function net.await_response(
    request_id bigint,
    timeout interval default '30 seconds'
)
    returns net.http_response_result
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'await_response';

comment on function net.await_response(bigint, interval) is
    'Waits until a request has its response, and returns it; PENDING if it has none by the end of the timeout.';

create or replace function net.await_responses(
    request_ids bigint[],
    timeout interval default '30 seconds'
)
    returns table (request_id bigint, status net.request_status, message text, response net.http_response)
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'await_responses';

comment on function net.await_responses(bigint[], interval) is
    'Waits until all of these requests have their responses: a row for each, in order; PENDING for those that have none by the end of the timeout.';
