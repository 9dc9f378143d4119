-- What is open to whom, before anything of it changes: 91-closed.from-c.sql goes by it.
do $$
declare
    owner constant oid := (select relowner from pg_class where oid = 'net.http_request_queue'::regclass);
    -- Since 0.12 everybody may do everything, unless an administrator closed it. Before, the tables were the owner's, and
    -- most functions acted as the owner.
    is_open constant bool := exists (
        select from pg_proc p join pg_language l on l.oid = p.prolang
         where p.oid = to_regprocedure('net.worker_restart()') and l.lanname = 'c');
    queue record;
    -- Roles other than the owner that may insert into the queue, and draw its ids; 0 is PUBLIC.
    inserting oid[];
    function record;
    may oid[];
    callers jsonb := '{}';
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;

    select relacl, relowner, relrowsecurity into queue from pg_class where oid = 'net.http_request_queue'::regclass;
    select coalesce(array_agg(distinct a.grantee), '{}') into inserting from (
        select grantee from aclexplode(queue.relacl) where privilege_type = 'INSERT'
        union
        select x.grantee from pg_attribute t, aclexplode(t.attacl) x
         where t.attrelid = 'net.http_request_queue'::regclass and t.attname = 'url' and x.privilege_type = 'INSERT'
    ) a
    where a.grantee <> owner
      and case when a.grantee = 0 then exists (
              select from pg_class c, aclexplode(c.relacl) x
               where c.oid = 'net.http_request_queue_id_seq'::regclass and x.grantee = 0 and x.privilege_type in ('USAGE', 'UPDATE'))
          else has_sequence_privilege(a.grantee, 'net.http_request_queue_id_seq', 'usage, update') end
      -- Row security that lets nobody insert, or some roles only.
      and (not queue.relrowsecurity
           or a.grantee <> 0 and (select rolsuper or rolbypassrls from pg_roles where oid = a.grantee)
           or exists (select from pg_policy p
                       where p.polrelid = 'net.http_request_queue'::regclass and p.polpermissive and p.polcmd in ('a', '*')
                         and (p.polroles @> array[0::oid]
                              or a.grantee <> 0 and exists (select from unnest(p.polroles) r where pg_has_role(a.grantee, r, 'usage')))));
    -- Where a policy is for some roles, these are they who may, if everybody else may for all that was granted.
    if queue.relrowsecurity and not inserting @> array[0::oid] and exists (
        select from aclexplode(queue.relacl) where grantee = 0 and privilege_type = 'INSERT')
    then
        select inserting || coalesce(array_agg(distinct r), '{}') into inserting
          from pg_policy p, unnest(p.polroles) r
         where p.polrelid = 'net.http_request_queue'::regclass and p.polpermissive and p.polcmd in ('a', '*')
           and r not in (0, owner) and r <> all (inserting);
    end if;

    for function in
        select p.oid, p.proname::text as name, p.prosecdef,
               array(select distinct grantee from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
                      where privilege_type = 'EXECUTE' and grantee <> p.proowner) as granted
          from pg_proc p
         where p.pronamespace = 'net'::regnamespace
           and p.oid in (to_regprocedure('net.http_get(text, jsonb, jsonb, integer)'),
                         to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)'),
                         to_regprocedure('net.http_delete(text, jsonb, jsonb, integer)'),
                         to_regprocedure('net.http_delete(text, jsonb, jsonb, integer, jsonb)'))
    loop
        may := function.granted;
        -- One that acts as its caller takes the right to insert.
        if is_open and not function.prosecdef and not inserting @> array[0::oid] then
            select coalesce(array_agg(distinct role), '{}') into may from (
                select role from unnest(inserting) role where function.granted @> array[0::oid]
                union
                select g from unnest(function.granted) g
                 where g <> 0 and exists (select from unnest(inserting) role where role <> 0 and pg_has_role(g, role, 'usage'))
            ) as both_rights;
        end if;
        callers := callers || jsonb_build_object(function.name, to_jsonb(may));
    end loop;

    perform set_config('pg_net_update.rights', jsonb_build_object(
        'callers', callers,
        'functions', (select coalesce(jsonb_agg(p.oid), '[]') from pg_proc p
                       where p.pronamespace = 'net'::regnamespace and p.proname <> 'http_delete'),
        -- What was never open was not closed either.
        'closed', case when is_open then (
            select coalesce(jsonb_agg(jsonb_build_object('relation', relation, 'privilege', privilege)), '[]')
              from unnest(array['net.http_request_queue', 'net._http_response']) relation,
                   unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) privilege
             where not exists (
                 select from pg_class c, aclexplode(c.relacl) a
                  where c.oid = relation::regclass and a.grantee = 0 and a.privilege_type = privilege))
            else '[]' end,
        'readers', (select coalesce(jsonb_agg(distinct a.grantee), '[]') from pg_class c, aclexplode(c.relacl) a
                     where c.oid = 'net.http_request_queue'::regclass and a.privilege_type = 'SELECT'
                       and a.grantee not in (0, c.relowner))
    )::text, true);
end
$$;

-- Since 0.12 everybody could read and write both tables, and with them everybody's secrets. Before, the role `postgres`
-- could, also where another superuser owns the tables.
do $$
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    revoke all on net.http_request_queue, net._http_response from public;
    revoke all on sequence net.http_request_queue_id_seq from public;
    if exists (select from pg_class c join pg_roles r on r.oid <> c.relowner
                where c.oid = 'net.http_request_queue'::regclass and r.rolname = 'postgres') then
        revoke all on net.http_request_queue, net._http_response from postgres cascade;
        revoke all on sequence net.http_request_queue_id_seq from postgres cascade;
        revoke create on schema net from postgres cascade;
    end if;
end
$$;
