-- Runs a user's trigger on a table of ours: as the table's owner, with the search path of a new session of that role.
create function net._run_trigger() returns trigger
    language c volatile parallel unsafe
    as 'MODULE_PATHNAME', 'run_trigger';

comment on function net._run_trigger() is
    'What statements on the tables of pg_net call in the place of a trigger''s function.';
