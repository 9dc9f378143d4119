-- Which origins (scheme, host and port) are in trouble, from what the worker keeps in shared memory.

create function net._origin_states()
    returns text
    language c volatile parallel safe
    as 'MODULE_PATHNAME', 'origin_states';

comment on function net._origin_states() is
    'What net.origin_state() is made of.';

create function net.origin_state(
    out origin text, out state text, out failures int, out last_failure text, out failing_since timestamptz,
    out held_until timestamptz
)
    returns setof record
    language sql volatile parallel safe
    set search_path = pg_catalog, pg_temp
as $$
    select s.origin, s.state, s.failures, nullif(s.last_failure, ''),
        '2000-01-01 00:00:00+00'::timestamptz + nullif(s.failing_since, 0) * interval '1 microsecond',
        '2000-01-01 00:00:00+00'::timestamptz + nullif(s.held_until, 0) * interval '1 microsecond'
    from json_to_recordset(net._origin_states()::json)
        as s (origin text, state text, failures int, last_failure text, failing_since bigint, held_until bigint)
    order by s.origin
$$;

comment on function net.origin_state() is
    'The origins that could not be connected to lately (healthy), that get less since this keeps failing (probing), or that '
    'asked to be left alone (deferred).';
