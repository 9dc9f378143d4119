-- Complain if this script is sourced in psql rather than by ALTER EXTENSION.
\echo Use "ALTER EXTENSION pg_net UPDATE" to load this file. \quit

-- Takes the C version's place, from 0.8.0 to 0.20.5: one script, which looks for what a version has. Objects that stay keep
-- their oids, so that triggers, views and grants of users go on working.

-- What is there before the update, which keeps the privileges that it has.
select pg_catalog.set_config('pg_net_update.had',
    (select pg_catalog.array_agg(oid)::text from (
        select oid from pg_catalog.pg_namespace where nspname = 'net'
        union all select oid from pg_catalog.pg_class where relnamespace = 'net'::pg_catalog.regnamespace
        union all select oid from pg_catalog.pg_proc where pronamespace = 'net'::pg_catalog.regnamespace
        union all select oid from pg_catalog.pg_type where typnamespace = 'net'::pg_catalog.regnamespace) as there (oid)),
    true);

-- Under the C version everybody could attach code to the tables, for a superuser's worker to run.
do $$
declare
    planted record;
begin
    for planted in
        select t.tgname, t.tgrelid::pg_catalog.regclass as relation, p.oid::pg_catalog.regprocedure as function
          from pg_catalog.pg_trigger t
          join pg_catalog.pg_proc p on p.oid = t.tgfoid
         where t.tgrelid in ('net.http_request_queue'::pg_catalog.regclass, 'net._http_response'::pg_catalog.regclass)
           and not t.tgisinternal and t.tgenabled <> 'D'
         order by 2, 1
    loop
        execute pg_catalog.format('alter table %s disable trigger %I', planted.relation, planted.tgname);
        raise warning 'trigger % on % is disabled: it runs %', planted.tgname, planted.relation, planted.function
            using hint = pg_catalog.format('If it is meant to be there: alter table %s enable trigger %I;',
                                           planted.relation, planted.tgname);
    end loop;
end
$$;

-- Before 0.15 there was one without a body.
drop function if exists net.http_delete(text, jsonb, jsonb, integer);

do $$
declare
    old_check name;
begin
    for old_check in
        select conname from pg_catalog.pg_constraint where contypid = 'net.http_method'::pg_catalog.regtype
    loop
        execute pg_catalog.format('alter domain net.http_method drop constraint %I', old_check);
    end loop;
end
$$;

alter domain net.http_method add constraint http_method_check
    check (value ~ '^[-!#$%&''*+.^_`|~0-9A-Za-z]{1,64}$');

-- Since 0.12 everybody could read and write both tables, and with them everybody's secrets.
revoke all on net.http_request_queue, net._http_response from public;
revoke all on sequence net.http_request_queue_id_seq from public;
grant usage on schema net to public;

-- Before, the role `postgres` could, also where another superuser owns the tables.
do $$
begin
    if exists (select from pg_catalog.pg_class c join pg_catalog.pg_roles r on r.oid <> c.relowner
                where c.oid = 'net.http_request_queue'::pg_catalog.regclass and r.rolname = 'postgres') then
        revoke all on net.http_request_queue, net._http_response from postgres cascade;
        revoke all on sequence net.http_request_queue_id_seq from postgres cascade;
        revoke all on schema net from postgres cascade;
    end if;
end
$$;

-- A warning: while a script of an extension runs, nothing less is shown.
do $$
begin
    raise warning 'pg_net: roles now see their own requests and responses only, and only the owner writes the tables';
end
$$;
