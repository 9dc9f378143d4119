-- What users have in the schema net, or as columns of the tables, under a name that is needed now, makes room: it is renamed,
-- and nothing of it is lost. Views and the like that use it go on using it.

-- Before 0.15 there was one without a body. Where something uses it, it stays, under another name.
do $$
declare
    old constant oid := to_regprocedure('net.http_delete(text, jsonb, jsonb, integer)');
    users text;
begin
    if current_setting('pg_net_update.from') <> 'c' or old is null then
        return;
    end if;
    select string_agg(distinct pg_describe_object(classid, objid, objsubid), ', ') into users
      from pg_depend where refclassid = 'pg_proc'::regclass and refobjid = old;
    if users is null then
        drop function net.http_delete(text, jsonb, jsonb, integer);
        return;
    end if;
    alter function net.http_delete(text, jsonb, jsonb, integer) rename to http_delete_without_body;
    create or replace function net.http_delete_without_body(
        url text,
        params jsonb default '{}'::jsonb,
        headers jsonb default '{}'::jsonb,
        timeout_milliseconds int default 5000
    )
        returns bigint
        language sql volatile parallel unsafe
        as 'select net.http_delete(url, params, headers, timeout_milliseconds, null)';
    alter extension pg_net drop function net.http_delete_without_body(text, jsonb, jsonb, integer);
    raise warning 'function net.http_delete(text,jsonb,jsonb,integer) is now net.http_delete_without_body, which is yours: it is used by %', users
        using hint = 'It calls net.http_delete(text,jsonb,jsonb,integer,jsonb). Drop it when nothing uses it any more.';
end
$$;

do $$
declare
    extension constant oid := (select oid from pg_extension where extname = 'pg_net');
    found record;
    new_name text;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    for found in
        -- Tables, sequences, views, indexes and the like. An index that is as ours would be is taken.
        select 'relation' as kind, c.oid, c.relname::text as name, c.oid::regclass::text as shown,
               case when c.relkind = 'c' then format('alter type %s', c.oid::regclass)
                    when c.relkind in ('i', 'I') then format('alter index %s', c.oid::regclass)
                    when c.relkind = 'S' then format('alter sequence %s', c.oid::regclass)
                    when c.relkind = 'v' then format('alter view %s', c.oid::regclass)
                    when c.relkind = 'm' then format('alter materialized view %s', c.oid::regclass)
                    when c.relkind = 'f' then format('alter foreign table %s', c.oid::regclass)
                    else format('alter table %s', c.oid::regclass) end as alteration
          from pg_class c
          left join (values
              ('http_request_queue_row_key_idx',
               'CREATE INDEX http_request_queue_row_key_idx ON net.http_request_queue USING btree (row_key)'),
              ('http_request_queue_due_idx',
               'CREATE INDEX http_request_queue_due_idx ON net.http_request_queue USING btree (due, row_key) WHERE (due IS NOT NULL)'),
              ('_http_response_id_idx',
               'CREATE INDEX _http_response_id_idx ON net._http_response USING btree (id)'),
              ('_http_response_created_idx',
               'CREATE INDEX _http_response_created_idx ON net._http_response USING btree (created)')
          ) as ours (name, definition) on ours.name = c.relname
         where c.relnamespace = 'net'::regnamespace
           and (ours.name is not null or c.relname in (
               'http_request_queue_row_key_seq', '_home', 'dead_letter', 'dead_letter_id_idx', 'delivery', 'form_part',
               'egress_rule', 'egress_rule_id_seq', 'egress_rule_pkey', '_open_access', '_open_access_role_key',
               '_held_response', '_held_response_due_idx', '_held_response_row_key_idx', '_held_response_id_idx'))
           and not (c.relkind = 'i' and pg_get_indexdef(c.oid) = ours.definition
                    and (select indisvalid from pg_index where indexrelid = c.oid))
        union all
        select 'type', t.oid, t.typname::text, t.oid::regtype::text,
               format(case t.typtype when 'd' then 'alter domain %s' else 'alter type %s' end, t.oid::regtype)
          from pg_type t
         where t.typnamespace = 'net'::regnamespace and t.typrelid = 0
           and t.typname in ('delivery', 'form_part', '_home', 'dead_letter', 'egress_rule', '_open_access', '_held_response')
           -- Another type's array goes with it.
           and not exists (select from pg_type e where e.typarray = t.oid)
        union all
        select 'routine', p.oid, p.proname::text, p.oid::regprocedure::text, format('alter routine %s', p.oid::regprocedure)
          from pg_proc p
         where p.pronamespace = 'net'::regnamespace
           -- A later C version's is replaced, where it returns the same.
           and not exists (
               select from pg_depend d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e' and d.refobjid = extension)
           and p.proname || '(' || oidvectortypes(p.proargtypes) || ')' = any (array[
               'http_get(text, jsonb, jsonb, integer)',
               'http_post(text, jsonb, jsonb, jsonb, integer)',
               'http_delete(text, jsonb, jsonb, integer, jsonb)',
               'http_put(text, jsonb, jsonb, jsonb, integer)',
               'http_patch(text, jsonb, jsonb, jsonb, integer)',
               'http_head(text, jsonb, jsonb, integer)',
               '_urlencode_string(character varying)',
               '_encode_url_with_params_array(text, text[])',
               'urlencode_form(jsonb)',
               'form_field(text, text, text)',
               'form_file(text, bytea, text, text)',
               'wake()',
               'worker_restart()',
               'wait_until_running()',
               'check_worker_is_up()',
               'version()',
               'cancel(bigint)',
               'cancel(bigint[])',
               'retry(bigint)',
               'await_response(bigint, interval)',
               'await_responses(bigint[], interval)',
               '_await_response(bigint)',
               '_await_responses(bigint[], interval)',
               '_http_collect_response(bigint, boolean)',
               'http_collect_response(bigint, boolean)',
               'origin_state()',
               '_origin_states()',
               'set_queue_logged(boolean)',
               'set_responses_logged(boolean)',
               'restore_open_access(regrole)',
               'revoke_open_access(regrole)',
               '_check_owner(text)',
               '_grant_own_rows()',
               '_note_row_key(bigint)',
               '_take_noted_row_key()',
               '_assign_row_key()',
               '_this_database()',
               '_keep_caller(internal)',
               '_check_host_pattern(text)',
               '_settings_changed()',
               '_next_row_key()',
               '_run_trigger()'])
        union all
        select 'trigger', t.oid, t.tgname::text, format('%I on %s', t.tgname, t.tgrelid::regclass),
               format('alter trigger %I on %s', t.tgname, t.tgrelid::regclass)
          from pg_trigger t
         where t.tgrelid = 'net.http_request_queue'::regclass and t.tgname = 'assign_row_key'
        order by 1, 4
    loop
        new_name := found.name || '_renamed';
        for number in 2..1000 loop
            exit when not exists (select from pg_class where relnamespace = 'net'::regnamespace and relname = new_name)
                  and not exists (select from pg_type where typnamespace = 'net'::regnamespace and typname = new_name)
                  and not exists (select from pg_proc where pronamespace = 'net'::regnamespace and proname = new_name)
                  and not exists (select from pg_trigger
                                   where tgrelid = 'net.http_request_queue'::regclass and tgname = new_name);
            new_name := found.name || '_renamed' || number;
        end loop;
        execute format('%s rename to %I', found.alteration, new_name);
        raise warning '% % is renamed to %: pg_net has one of that name now', found.kind, found.shown, new_name;
    end loop;
end
$$;

-- Columns that were added by hand under a name that is needed now. What describes a response is taken, if it is of the type;
-- what the worker goes by is not.
do $$
declare
    added record;
    new_name text;
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    for added in
        select w.relation::regclass as relation, a.attname::text as name, a.atthasdef, a.attnotnull,
               w.relation = 'net._http_response' and w.name <> 'requested_by' and a.attgenerated = '' and a.attidentity = ''
                   and format_type(a.atttypid, a.atttypmod) = w.type as fits
          from (values
              ('net.http_request_queue', 'row_key', 'bigint'),
              ('net.http_request_queue', 'requested_by', 'oid'),
              ('net.http_request_queue', 'delivery', 'net.delivery'),
              ('net.http_request_queue', 'max_attempts', 'integer'),
              ('net.http_request_queue', 'attempts', 'integer'),
              ('net.http_request_queue', 'due', 'timestamp with time zone'),
              ('net.http_request_queue', 'idempotency_key', 'text'),
              ('net.http_request_queue', 'made_in', 'bigint'),
              ('net._http_response', 'content_bytes', 'bytea'),
              ('net._http_response', 'requested_by', 'oid'),
              ('net._http_response', 'method', 'text'),
              ('net._http_response', 'url', 'text'),
              ('net._http_response', 'attempts', 'integer'),
              ('net._http_response', 'elapsed_ms', 'real'),
              ('net._http_response', 'dns_ms', 'real'),
              ('net._http_response', 'handshake_ms', 'real'),
              ('net._http_response', 'exchange_ms', 'real'),
              ('net._http_response', 'redirects', 'integer'),
              ('net._http_response', 'remote_address', 'text'),
              ('net._http_response', 'protocol', 'text'),
              ('net._http_response', 'error_kind', 'text'),
              ('net._http_response', 'error_detail', 'text')
          ) as w (relation, name, type)
          join pg_attribute a on a.attrelid = w.relation::regclass and a.attname = w.name and not a.attisdropped
         order by 1, a.attnum
    loop
        if added.fits then
            -- It is null in many rows.
            execute format('alter table %s alter column %I drop not null, alter column %2$I drop default', added.relation, added.name);
            continue;
        end if;
        new_name := added.name || '_renamed';
        for number in 2..1000 loop
            exit when not exists (select from pg_attribute where attrelid = added.relation and attname = new_name);
            new_name := added.name || '_renamed' || number;
        end loop;
        execute format('alter table %s rename column %I to %I', added.relation, added.name, new_name);
        raise warning 'column % of % is renamed to %: pg_net has one of that name now', added.name, added.relation, new_name;
    end loop;
end
$$;
