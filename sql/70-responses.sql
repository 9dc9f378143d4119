-- Collecting a response as one value. As the caller, who needs SELECT on the queue and the responses and nothing else.
create or replace function net._http_collect_response(
    request_id bigint,
    async bool default true
)
    returns net.http_response_result
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', '_http_collect_response';

create or replace function net.http_collect_response(
    request_id bigint,
    async bool default true
)
    returns net.http_response_result
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_collect_response';
