create or replace function net.cancel(request_id bigint)
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'cancel';

comment on function net.cancel(bigint) is
    'Takes a waiting request back when the calling transaction commits. False if it is under way, or done, or not the caller''s.';
