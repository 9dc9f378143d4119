-- What this update has made belongs to the owner of the tables, with whose rights the extension acts. That need not be who
-- runs it, and need not be a superuser any more.
do $$
declare
    owner constant oid := (select relowner from pg_catalog.pg_class
                            where oid = 'net.http_request_queue'::pg_catalog.regclass);
    made record;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    for made in
        select case when c.oid is not null then 'table ' || c.oid::pg_catalog.regclass
                    when p.oid is not null then 'routine ' || p.oid::pg_catalog.regprocedure
                    else 'type ' || t.oid::pg_catalog.regtype end as object
          from pg_catalog.pg_depend d
          left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = d.objid
          left join pg_catalog.pg_proc p on d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and p.oid = d.objid
          left join pg_catalog.pg_type t on d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass and t.oid = d.objid
         where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e'
           and d.refobjid = (select oid from pg_catalog.pg_extension where extname = 'pg_net')
           and coalesce(c.relowner, p.proowner, t.typowner) <> owner
           -- An administrator may have given what was there to somebody else.
           and c.oid is distinct from 'net._http_response'::pg_catalog.regclass
           and not (p.oid is not null
                    and pg_catalog.current_setting('pg_net_update.rights')::jsonb -> 'functions' @> pg_catalog.to_jsonb(p.oid))
           -- A sequence that belongs to a column goes with its table.
           and not (c.relkind = 'S' and exists (
               select from pg_catalog.pg_depend l
                where l.classid = d.classid and l.objid = d.objid and l.refclassid = d.classid and l.deptype in ('a', 'i')))
           -- As a table's row type does, and the arrays of a type with that.
           and not (t.oid is not null and exists (
               select from pg_catalog.pg_depend l
                where l.classid = d.classid and l.objid = d.objid and l.deptype = 'i'))
    loop
        execute pg_catalog.format('alter %s owner to %s', made.object, owner::pg_catalog.regrole);
    end loop;
end
$$;
