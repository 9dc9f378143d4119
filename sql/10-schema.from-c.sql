-- Complain if this script is sourced in psql rather than by ALTER EXTENSION.
\echo Use "ALTER EXTENSION pg_net UPDATE" to load this file. \quit

-- Takes the place of the C version, of any version of it: the script looks for what is there, and never at the number.
-- Objects that stay keep their oids, so that triggers, views and grants of users go on working.

-- What is there before the update, which keeps the privileges that it has.
select pg_catalog.set_config('pg_net_update.had',
    (select pg_catalog.array_agg(oid)::text from (
        select oid from pg_catalog.pg_namespace where nspname = 'net'
        union all select oid from pg_catalog.pg_class where relnamespace = 'net'::pg_catalog.regnamespace
        union all select oid from pg_catalog.pg_proc where pronamespace = 'net'::pg_catalog.regnamespace
        union all select oid from pg_catalog.pg_type where typnamespace = 'net'::pg_catalog.regnamespace) as there (oid)),
    true);

-- What this script is for: `c`, or `ours` where there is nothing to do, because the extension was created under a number of
-- the C version's. The parts below ask for it.
do $$
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- Names are compared as Postgres shows them.
    perform set_config('quote_all_identifiers', 'off', true);
    perform set_config('pg_net_update.from', case when exists (
        select from pg_proc p
          join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
          join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and e.extname = 'pg_net'
         where p.pronamespace = to_regnamespace('net') and p.proname = '_note_row_key'
    ) then 'ours' else 'c' end, true);
end
$$;

-- Both tables, from here to the commit. Who holds one of them and wants the other is never kept waiting by who waits here:
-- that would be a deadlock, and callers would be the ones to get the error.
do $$
declare
    queue_is_held bool;
    responses_are_held bool;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    if to_regclass('net.http_request_queue') is null or to_regclass('net._http_response') is null then
        raise object_not_in_prerequisite_state using
            message = 'pg_net cannot be updated: it has no tables net.http_request_queue and net._http_response',
            hint = 'Nothing was changed. DROP EXTENSION pg_net and CREATE EXTENSION pg_net make it anew.';
    end if;
    for try in 1..100 loop
        queue_is_held := false;
        responses_are_held := false;
        begin
            lock table net.http_request_queue in access exclusive mode;
            queue_is_held := true;
            lock table net._http_response in access exclusive mode nowait;
            return;
        exception when lock_not_available then
            if not queue_is_held then
                raise;
            end if;
        end;
        begin
            lock table net._http_response in access exclusive mode;
            responses_are_held := true;
            lock table net.http_request_queue in access exclusive mode nowait;
            return;
        exception when lock_not_available then
            if not responses_are_held then
                raise;
            end if;
        end;
    end loop;
    lock table net.http_request_queue, net._http_response in access exclusive mode;
end
$$;

-- Tables of a shape that no version of the C extension has are somebody else's, or were altered: not to be guessed at.
do $$
declare
    wrong text;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    select string_agg(sentence, '; ' order by number) into wrong from (
        select 1 as number, format('%s is no table of its own', c.oid::regclass) as sentence
          from pg_class c
         where c.oid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
           and (c.relkind <> 'r' or c.relispartition or exists (
                   select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent)))
        union all
        select 2, format('%s does not belong to the extension', c.oid::regclass)
          from pg_class c
         where c.oid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
           and not exists (
               select from pg_depend d join pg_extension e on d.refobjid = e.oid and e.extname = 'pg_net'
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
                  and d.refclassid = 'pg_extension'::regclass)
        union all
        select 3, format('there is no type %s', name)
          from unnest(array['net.http_method', 'net.request_status', 'net.http_response', 'net.http_response_result']) name
         where to_regtype(name) is null
        union all
        select 4, 'there is no sequence net.http_request_queue_id_seq'
         where not exists (select from pg_class c where c.oid = to_regclass('net.http_request_queue_id_seq') and c.relkind = 'S')
        union all
        select 5, case when a.attname is null then format('%s has no column %I', w.relation, w.name)
                  else format('column %I of %s is %s, not %s', w.name, w.relation, format_type(a.atttypid, a.atttypmod), w.type)
                  end
          from (values
              ('net.http_request_queue', 'id', 'bigint'),
              ('net.http_request_queue', 'method', 'net.http_method'),
              ('net.http_request_queue', 'url', 'text'),
              ('net.http_request_queue', 'headers', 'jsonb'),
              ('net.http_request_queue', 'body', 'bytea'),
              ('net.http_request_queue', 'timeout_milliseconds', 'integer'),
              ('net._http_response', 'id', 'bigint'),
              ('net._http_response', 'status_code', 'integer'),
              ('net._http_response', 'content_type', 'text'),
              ('net._http_response', 'headers', 'jsonb'),
              ('net._http_response', 'content', 'text'),
              ('net._http_response', 'timed_out', 'boolean'),
              ('net._http_response', 'error_msg', 'text'),
              ('net._http_response', 'created', 'timestamp with time zone')
          ) as w (relation, name, type)
          left join pg_attribute a on a.attrelid = w.relation::regclass and a.attname = w.name and not a.attisdropped
         where format_type(a.atttypid, a.atttypmod) is distinct from w.type
           -- The first versions had no such column.
           and not (w.name = 'created' and a.attname is null)
    ) as found;
    if wrong is not null then
        raise object_not_in_prerequisite_state using
            message = 'pg_net cannot be updated: its tables are of no shape that a version of it has',
            detail = wrong || '.',
            hint = 'Nothing was changed. Alter them back and try again, or DROP EXTENSION pg_net and CREATE EXTENSION pg_net.';
    end if;
end
$$;
