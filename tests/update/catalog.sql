-- All that the catalogs say of pg_net and of the schema net, one fact a row. Each row of a catalog is taken whole, without its
-- oids and what changes by itself; what an oid stood for is put in by name.
with members as (
    select d.classid, d.objid
      from pg_depend d join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid
     where e.extname = 'pg_net' and d.deptype = 'e'
    union
    select 'pg_extension'::regclass, oid from pg_extension where extname = 'pg_net'
), net as (
    select * from pg_namespace where nspname = 'net'
), relations as (
    select c.* from pg_class c join net on c.relnamespace = net.oid
), facts (object, fact) as (
    select 'schema net', jsonb_build_object('owner', nspowner::regrole, 'acl',
           (select array_agg(a::text order by a::text) from unnest(coalesce(nspacl, acldefault('n', nspowner))) a))
      from net
    union all
    select 'extension', to_jsonb(e) - array['oid', 'extnamespace', 'extconfig']
           || jsonb_build_object('config', array(select c::regclass::text from unnest(extconfig) c))
      from pg_extension e where extname = 'pg_net'
    union all
    select 'relation ' || c.oid::regclass, to_jsonb(c)
           - array['oid', 'relnamespace', 'reltype', 'relfilenode', 'reltoastrelid', 'relpages', 'reltuples', 'relallvisible',
                   'relallfrozen', 'relfrozenxid', 'relminmxid', 'relnatts', 'relhastriggers']
           || jsonb_build_object('relacl', (
               select array_agg(a::text order by a::text)
                 from unnest(coalesce(relacl, acldefault((case relkind when 'S' then 's' else 'r' end)::"char", relowner))) a))
      from relations c
    union all
    select 'column ' || c.oid::regclass || '.' || a.attname, to_jsonb(a)
           -- How rows from before a column was added are stored is the table's own business.
           - array['attrelid', 'atttypid', 'attcacheoff', 'atthasmissing', 'attmissingval', 'attnum']
           || jsonb_build_object('number', (select count(*) from pg_attribute b where b.attrelid = a.attrelid
                                               and b.attnum between 1 and a.attnum and not b.attisdropped),
                                 'type', format_type(a.atttypid, a.atttypmod), 'default', pg_get_expr(d.adbin, d.adrelid),
                                 -- There are servers that note here when a column was made.
                                 'attoptions', array(select o from unnest(a.attoptions) o where o !~ '^pg_attver='))
      from relations c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select 'index ' || i.indexrelid::regclass, to_jsonb(i)
           - array['indexrelid', 'indrelid', 'indcheckxmin', 'indexprs', 'indpred', 'indkey']
           || jsonb_build_object('definition', pg_get_indexdef(i.indexrelid))
      from relations c join pg_index i on i.indrelid = c.oid
    union all
    select 'sequence ' || c.oid::regclass, to_jsonb(s) - 'seqrelid'
      from relations c join pg_sequence s on s.seqrelid = c.oid
    union all
    select 'trigger ' || t.tgname || ' on ' || c.oid::regclass,
           jsonb_build_object('definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled, 'internal', t.tgisinternal)
      from relations c join pg_trigger t on t.tgrelid = c.oid
    union all
    select 'policy ' || p.polname || ' on ' || c.oid::regclass,
           jsonb_build_object('command', p.polcmd, 'permissive', p.polpermissive,
                              'roles', array(select r::regrole::text from unnest(p.polroles) r order by 1),
                              'using', pg_get_expr(p.polqual, p.polrelid),
                              'check', pg_get_expr(p.polwithcheck, p.polrelid))
      from relations c join pg_policy p on p.polrelid = c.oid
    union all
    select 'constraint ' || k.conname, jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'kind', k.contype,
           'validated', k.convalidated, 'relation', k.conrelid::regclass, 'type', k.contypid::regtype)
      from pg_constraint k join net on k.connamespace = net.oid
    union all
    select 'function ' || p.oid::regprocedure, to_jsonb(p)
           - array['oid', 'pronamespace', 'prorettype', 'proargtypes', 'proallargtypes', 'provariadic', 'proargdefaults', 'prosqlbody']
           || jsonb_build_object(
               'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
               'proacl', (select array_agg(a::text order by a::text)
                            from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a))
      from pg_proc p join net on p.pronamespace = net.oid
    union all
    select 'type ' || t.oid::regtype, to_jsonb(t)
           - array['oid', 'typnamespace', 'typrelid', 'typelem', 'typarray']
           || jsonb_build_object(
               'element', t.typelem::regtype,
               'labels', array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder),
               'typacl', (select array_agg(a::text order by a::text)
                            from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) a))
      from pg_type t join net on t.typnamespace = net.oid
    union all
    select 'comment on ' || pg_describe_object(m.classid, m.objid, d.objsubid), jsonb_build_object('text', d.description)
      from members m join pg_description d on d.classoid = m.classid and d.objoid = m.objid
    union all
    -- What pg_dump takes for granted. Privileges that are the defaults may stand there or not.
    select 'initial privileges of ' || pg_describe_object(m.classid, m.objid, i.objsubid), jsonb_build_object('acl',
           (select array_agg(a::text order by a::text) from unnest(i.initprivs) a))
      from members m join pg_init_privs i on i.classoid = m.classid and i.objoid = m.objid
     where i.objsubid <> 0 or not exists (
               select from pg_class c
                where m.classid = 'pg_class'::regclass and c.oid = m.objid
                  and i.initprivs @> acldefault((case c.relkind when 'S' then 's' else 'r' end)::"char", c.relowner)
                  and i.initprivs <@ acldefault((case c.relkind when 'S' then 's' else 'r' end)::"char", c.relowner))
    union all
    select 'dependency of ' || pg_describe_object(d.classid, d.objid, d.objsubid), jsonb_build_object(
               d.deptype::text || ' ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), true)
      from pg_depend d join members m on m.classid = d.classid and m.objid = d.objid
)
select object || ' | ' || property || ' | ' || coalesce(value, 'null')
  from facts, jsonb_each_text(fact) as parts (property, value)
