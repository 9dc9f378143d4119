-- Any method, any body, and a say in how it is delivered. Four functions, by the type of the body; an omitted one is the
-- first's, an untyped one the second's.

create function net.http_request(
    method text,
    url text,
    body bytea default null,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000,
    max_attempts int default 1,
    delivery net.delivery default 'at_least_once',
    not_before timestamptz default null,
    idempotency_key text default null
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_request_bytes';

create function net.http_request(
    method text,
    url text,
    body text,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000,
    max_attempts int default 1,
    delivery net.delivery default 'at_least_once',
    not_before timestamptz default null,
    idempotency_key text default null
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_request_text';

create function net.http_request(
    method text,
    url text,
    body jsonb,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000,
    max_attempts int default 1,
    delivery net.delivery default 'at_least_once',
    not_before timestamptz default null,
    idempotency_key text default null
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_request_jsonb';

create function net.http_request(
    method text,
    url text,
    body json,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000,
    max_attempts int default 1,
    delivery net.delivery default 'at_least_once',
    not_before timestamptz default null,
    idempotency_key text default null
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_request_json';

do $$
declare
    body_type text;
    what text;
begin
    for body_type, what in
        values ('bytea', 'bytes'), ('text', 'text, sent as UTF-8'), ('jsonb', 'JSON'), ('json', 'JSON, sent as it is written')
    loop
        execute pg_catalog.format(
            'comment on function net.http_request(text, text, %s, jsonb, jsonb, integer, integer, net.delivery, timestamptz, text) is %L',
            body_type,
            'Queues a request of any method with a body of ' || what || ', sent after the transaction commits. Returns its id.');
    end loop;
end
$$;

create function net.http_put(
    url text,
    body jsonb default '{}'::jsonb,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
    timeout_milliseconds int default 2000
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_put';

comment on function net.http_put(text, jsonb, jsonb, jsonb, integer) is
    'Queues a PUT request with a JSON body, sent after the transaction commits. Returns its id.';

create function net.http_patch(
    url text,
    body jsonb default '{}'::jsonb,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
    timeout_milliseconds int default 2000
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_patch';

comment on function net.http_patch(text, jsonb, jsonb, jsonb, integer) is
    'Queues a PATCH request with a JSON body, sent after the transaction commits. Returns its id.';

create function net.http_head(
    url text,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_head';

comment on function net.http_head(text, jsonb, jsonb, integer) is
    'Queues a HEAD request, sent after the transaction commits. Returns its id.';

-- Sends a request out of net.dead_letter again, under its id, with all its attempts before it.
create function net.retry(request_id bigint)
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'retry';

comment on function net.retry(bigint) is
    'Sends a request that used up its attempts again, under its id. False if there is none that the caller may see.';
