-- What users have attached to the two tables: keys, triggers, rules, policies.

-- The first versions had keys, and a trigger that looked for the worker. Rows come and go with the requests, and an id may
-- come again: nothing can refer to them.
do $$
declare
    key record;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    -- Only they had a key from one table to the other: what is done stayed in the queue as long as that.
    perform set_config('pg_net_update.keeps_what_is_done', exists (
        select from pg_constraint k
         where k.contype = 'f' and k.conrelid = 'net._http_response'::regclass
           and k.confrelid = 'net.http_request_queue'::regclass)::text, true);
    perform set_config('pg_net_update.has_logged_responses', exists (
        select from pg_constraint k join pg_class c on c.oid = k.conrelid
         where k.contype = 'p' and k.conrelid = 'net._http_response'::regclass and c.relpersistence = 'p')::text, true);

    for key in
        select k.conname as name, k.conrelid::regclass as relation, k.confrelid::regclass as referred,
               pg_get_constraintdef(k.oid) as definition,
               k.conrelid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass) as own
          from pg_constraint k
         where k.contype = 'f' and k.conparentid = 0
           and k.confrelid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
    loop
        execute format('alter table %s drop constraint %I', key.relation, key.name);
        if not key.own then
            raise warning 'constraint % on % is dropped: rows of % cannot be referred to', key.name, key.relation, key.referred
                using detail = key.definition, hint = 'Keep the id without a constraint.';
        end if;
    end loop;
    for key in
        select k.conname as name, c.oid::regclass as relation, pg_get_constraintdef(k.oid) as definition, c.relpersistence
          from pg_constraint k join pg_class c on c.oid = k.conrelid
         where k.contype = 'p' and c.oid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
    loop
        execute format('alter table %s drop constraint %I', key.relation, key.name);
        -- Those versions' tables were logged.
        if key.relpersistence = 'u' then
            raise warning 'constraint % on % is dropped: an id may come again', key.name, key.relation
                using detail = key.definition;
        end if;
    end loop;
    alter table net._http_response alter column id drop not null;

    if exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                where t.tgrelid = 'net.http_request_queue'::regclass and t.tgname = 'ensure_worker_is_up'
                  and p.pronamespace = 'net'::regnamespace and p.proname = '_check_worker_is_up') then
        drop trigger ensure_worker_is_up on net.http_request_queue;
    end if;
    if to_regprocedure('net._check_worker_is_up()') is not null
       and not exists (select from pg_trigger where tgfoid = to_regprocedure('net._check_worker_is_up()')) then
        drop function net._check_worker_is_up();
    end if;
end
$$;

-- Under the C version everybody could attach code to the tables, for a superuser's worker to run. What the owner or a
-- superuser wrote goes on working.
do $$
declare
    attached record;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    for attached in
        select 'trigger' as kind, t.tgname as name, t.tgrelid::regclass as relation,
               p.oid::regprocedure::text as runs,
               p.proowner = c.relowner or r.rolsuper as trusted,
               -- Whoever calls, it is the owner who inserts: who asks for the current user is told the owner.
               t.tgrelid = 'net.http_request_queue'::regclass and t.tgtype & 4 <> 0
                   and pg_get_triggerdef(t.oid) || p.prosrc ~* 'current_user|current_role|has_[a-z_]+_privilege|pg_has_role'
                   as guards
          from pg_trigger t
          join pg_class c on c.oid = t.tgrelid
          join pg_proc p on p.oid = t.tgfoid
          join pg_roles r on r.oid = p.proowner
         where t.tgrelid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
           and not t.tgisinternal and t.tgenabled <> 'D'
        union all
        select 'rule', w.rulename, w.ev_class::regclass, string_agg(p.oid::regprocedure::text, ', ' order by p.oid),
               coalesce(bool_and(p.proowner = c.relowner or r.rolsuper), true),
               w.ev_class = 'net.http_request_queue'::regclass and w.ev_type = '3'
                   and pg_get_ruledef(w.oid) ~* 'current_user|current_role|has_[a-z_]+_privilege|pg_has_role'
          from pg_rewrite w
          join pg_class c on c.oid = w.ev_class
          left join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
                               and d.refclassid = 'pg_proc'::regclass
          left join pg_proc p on p.oid = d.refobjid
          left join pg_roles r on r.oid = p.proowner
         where w.ev_class in ('net.http_request_queue'::regclass, 'net._http_response'::regclass) and w.ev_enabled <> 'D'
         group by w.oid, w.rulename, w.ev_class, w.ev_type
         order by 3, 1, 2
    loop
        if not attached.trusted then
            execute format('alter table %s disable %s %I', attached.relation, attached.kind, attached.name);
            raise warning '% % on % is disabled: it runs %', attached.kind, attached.name, attached.relation, attached.runs
                using hint = format('If it is meant to be there, give what it runs to %s, and then: alter table %s enable %s %I;',
                                    (select relowner::regrole from pg_class where oid = attached.relation),
                                    attached.relation, attached.kind, attached.name);
        elsif attached.guards then
            raise warning '% % on % no longer learns who calls: requests are inserted with the rights of the table''s owner',
                attached.kind, attached.name, attached.relation
                using hint = 'Who may send is up to EXECUTE on the functions of net (REVOKE EXECUTE ... FROM PUBLIC), and where to, to net.egress_rule.';
        end if;
    end loop;

    for attached in
        select p.polname as name, p.polrelid::regclass as relation, p.polrelid = 'net.http_request_queue'::regclass as of_queue
          from pg_policy p
         where p.polrelid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass)
         order by 2, 1
    loop
        if attached.of_queue then
            raise warning 'policy % on % no longer holds back requests: they are inserted with the rights of the table''s owner',
                attached.name, attached.relation
                using hint = 'Who may send is up to EXECUTE on the functions of net (REVOKE EXECUTE ... FROM PUBLIC), and where to, to net.egress_rule.';
        else
            raise warning 'policy % on % stays, beside the rule that roles see their own responses', attached.name, attached.relation
                using hint = format('If that rule is enough: drop policy %I on %s;', attached.name, attached.relation);
        end if;
    end loop;
end
$$;
