-- The request functions. They check what they are given, and insert with the rights of the queue's owner: a caller needs
-- EXECUTE and nothing else.

create or replace function net.http_get(
    url text,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_get';

comment on function net.http_get(text, jsonb, jsonb, integer) is
    'Queues a GET request, sent after the transaction commits. Returns its id.';

create or replace function net.http_post(
    url text,
    body jsonb default '{}'::jsonb,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
    timeout_milliseconds int default 2000
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_post';

comment on function net.http_post(text, jsonb, jsonb, jsonb, integer) is
    'Queues a POST request with a JSON body, sent after the transaction commits. Returns its id.';

create or replace function net.http_delete(
    url text,
    params jsonb default '{}'::jsonb,
    headers jsonb default '{}'::jsonb,
    timeout_milliseconds int default 2000,
    body jsonb default null
)
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'http_delete';

comment on function net.http_delete(text, jsonb, jsonb, integer, jsonb) is
    'Queues a DELETE request, sent after the transaction commits. Returns its id.';

create or replace function net._urlencode_string(string varchar)
    returns text
    language c immutable strict
    as 'MODULE_PATHNAME', '_urlencode_string';

create or replace function net._encode_url_with_params_array(url text, params_array text[])
    returns text
    language c immutable strict
    as 'MODULE_PATHNAME', '_encode_url_with_params_array';
