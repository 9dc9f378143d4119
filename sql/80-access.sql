-- Who may do what: all of it, in one place. Everybody may ask, and see, blank and remove what they asked for: nothing else.

-- Privileges by default (ALTER DEFAULT PRIVILEGES) neither open nor close anything: what this script has made begins with the
-- owner's own privileges, and those that Postgres gives where nobody has said otherwise. What was there before an update keeps
-- the privileges that an administrator gave it.
do $$
declare
    made record;
    grantee pg_catalog.oid;
    had constant pg_catalog.oid[] := coalesce(nullif(pg_catalog.current_setting('pg_net_update.had', true), ''), '{}');
begin
    for made in
        with members as (
            select d.classid, d.objid from pg_catalog.pg_depend d
             where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
               and d.refobjid = (select oid from pg_catalog.pg_extension where extname = 'pg_net')
               and d.objid <> all (had)
        )
        select 'schema ' || oid::pg_catalog.regnamespace as object, nspacl as acl, nspowner as owner, 'usage' as usual
          from pg_catalog.pg_namespace where nspname = 'net' and oid <> all (had)
        union all
        select 'table ' || c.oid::pg_catalog.regclass, c.relacl, c.relowner, null
          from members m join pg_catalog.pg_class c on m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = m.objid
         where c.relkind in ('r', 'v')
        union all
        -- Those that belong to a column are no members of their own.
        select 'sequence ' || c.oid::pg_catalog.regclass, c.relacl, c.relowner, null
          from pg_catalog.pg_class c
         where c.relnamespace = 'net'::pg_catalog.regnamespace and c.relkind = 'S' and c.oid <> all (had)
        union all
        select 'function ' || p.oid::pg_catalog.regprocedure, p.proacl, p.proowner, 'execute'
          from members m join pg_catalog.pg_proc p on m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and p.oid = m.objid
        union all
        select 'type ' || t.oid::pg_catalog.regtype, t.typacl, t.typowner, 'usage'
          from members m join pg_catalog.pg_type t on m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and t.oid = m.objid
    loop
        continue when made.acl is null;
        for grantee in select distinct g.grantee from pg_catalog.aclexplode(made.acl) g where g.grantee <> made.owner loop
            execute pg_catalog.format('revoke all on %s from %s', made.object,
                case grantee when 0 then 'public' else grantee::pg_catalog.regrole::text end);
        end loop;
        execute pg_catalog.format('grant all on %s to %s', made.object, made.owner::pg_catalog.regrole);
        if made.usual is not null then
            execute pg_catalog.format('grant %s on %s to public', made.usual, made.object);
        end if;
    end loop;
end
$$;

-- Which rows, says the library (row security by a hook, without a policy in the catalog): their own. Without the library there
-- are none, but for the owner.
select net._grant_own_rows();
alter table net.http_request_queue enable row level security;
alter table net._http_response enable row level security;
alter table net.dead_letter enable row level security;
-- The owner's alone, whatever is granted.
alter table net.egress_rule enable row level security;
alter table net._open_access enable row level security;
alter table net._home enable row level security;

-- Stopping everybody's deliveries is not for everybody.
revoke execute on function net.worker_restart() from public;
grant execute on function net.worker_restart() to pg_signal_backend;

-- Where others send to is not everybody's to see.
revoke execute on function net._origin_states(), net.origin_state() from public;
grant execute on function net._origin_states(), net.origin_state() to pg_monitor;

-- Triggers. What only owners may, functions find out by themselves: a table may get another owner.
revoke execute on function net._settings_changed(), net._run_trigger() from public;

-- What the defaults of the queue call, which only its owner inserts into. Not _take_noted_row_key, which a trigger of the
-- queue asks whoever owns it, be that somebody else than the extension's owner; it tells a session what is its own.
revoke execute on function net._note_row_key(bigint), net._assign_row_key() from public;
