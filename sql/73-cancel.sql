create or replace function net.cancel(request_id bigint)
    returns bool
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'cancel';

comment on function net.cancel(bigint) is
    'Takes a waiting request back when the calling transaction commits. False if it is under way, or done, or not the caller''s.';

-- Many at a time: how many were taken back.
create or replace function net.cancel(request_ids bigint[])
    returns bigint
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'cancel_many';

comment on function net.cancel(bigint[]) is
    'Takes waiting requests back when the calling transaction commits. How many: not those under way, done, or not the caller''s.';
