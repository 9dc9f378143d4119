-- What an administrator had closed stays closed.
do $$
declare
    rights jsonb;
    function record;
    may oid[];
    closed record;
    role record;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    rights := current_setting('pg_net_update.rights')::jsonb;

    -- The functions that there were keep those who could call them, and new ones get those of http_post.
    for function in
        select p.oid::regprocedure as signature,
               coalesce(rights -> 'callers' -> p.proname::text, rights -> 'callers' -> 'http_post') as callers,
               array(select distinct a.grantee from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                      where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner) as granted
          from pg_proc p
          join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
          join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and e.extname = 'pg_net'
         where p.pronamespace = 'net'::regnamespace
           and (p.proname in ('http_get', 'http_post', 'http_delete')
                or not rights -> 'functions' @> to_jsonb(p.oid)
                   and (p.proname !~ '^_' or p.proname = '_await_responses')
                   -- What is not everybody's in a new database is not touched, and this one is everybody's.
                   and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                                where a.privilege_type = 'EXECUTE' and a.grantee = 0)
                   and p.proname <> 'version')
    loop
        select coalesce(array_agg(o::oid), '{}') into may from jsonb_array_elements_text(function.callers) o;
        for role in
            select o as oid, case o when 0 then 'public' else quote_ident(r.rolname) end as name
              from unnest(function.granted || may) o left join pg_roles r on r.oid = o
             where o = 0 or r.oid is not null
             group by 1, 2
        loop
            if role.oid <> all (may) then
                execute format('revoke execute on function %s from %s cascade', function.signature, role.name);
            elsif role.oid <> all (function.granted) then
                execute format('grant execute on function %s to %s', function.signature, role.name);
            end if;
        end loop;
    end loop;

    -- Of the tables, everybody gets what a new database gives, but for what had been taken away. Dead letters are requests.
    for closed in select c.relation, c.privilege from jsonb_to_recordset(rights -> 'closed') as c (relation text, privilege text)
    loop
        execute format('revoke %s on %s from public', closed.privilege, closed.relation);
        if closed.relation = 'net.http_request_queue' then
            execute format('revoke %s on net.dead_letter from public', closed.privilege);
        end if;
    end loop;
    if rights -> 'closed' @> '[{"relation": "net.http_request_queue", "privilege": "SELECT"}]' then
        for role in
            select quote_ident(r.rolname) as name from jsonb_array_elements_text(rights -> 'readers') o
              join pg_roles r on r.oid = o::oid
        loop
            execute format('grant select on net.dead_letter to %s', role.name);
        end loop;
    end if;
end
$$;

-- A warning: while a script of an extension runs, nothing less is shown.
do $$
begin
    if current_setting('pg_net_update.from') = 'c' then
        raise warning 'pg_net: roles now reach their own requests and responses only';
    end if;
end
$$;
