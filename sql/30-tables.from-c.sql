-- What waits in the queue gets row keys, and survives crashes from now on. Who asked for it is not known.
--
-- No row is rewritten by ALTER TABLE: an administrator may forbid that by an event trigger. Defaults that are the same for all
-- rows take none, and for the row keys there is an UPDATE, which is nobody's business: no trigger or rule of a user's runs.
do $$
declare
    attached record;
    switched_off text[] := '{}';
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    for attached in
        select format('alter table net.http_request_queue %%s %s %I', kind, name) as switching, enabled
          from (select 'trigger', tgname, tgenabled from pg_trigger
                 where tgrelid = 'net.http_request_queue'::regclass and not tgisinternal
                union all
                select 'rule', rulename, ev_enabled from pg_rewrite where ev_class = 'net.http_request_queue'::regclass
               ) as a (kind, name, enabled)
         where enabled <> 'D'
    loop
        execute format(attached.switching, 'disable');
        switched_off := switched_off || format(attached.switching, case attached.enabled
            when 'A' then 'enable always' when 'R' then 'enable replica' else 'enable' end);
    end loop;

    alter table net.http_request_queue alter column headers drop not null;
    -- What the first versions had sent stayed until it was too old.
    if current_setting('pg_net_update.keeps_what_is_done')::bool then
        delete from net.http_request_queue q where exists (select from net._http_response r where r.id = q.id);
        begin
            alter table net.http_request_queue drop column created;
        exception when dependent_objects_still_exist or undefined_column then
            -- A view of a user's shows it. It may stay behind.
            null;
        end;
    end if;
    alter table net.http_request_queue
        add column row_key bigint,
        add column requested_by oid;
    alter table net.http_request_queue
        alter column requested_by set default pg_catalog.quote_ident(current_user)::pg_catalog.regrole::oid,
        add column delivery net.delivery not null default 'at_least_once',
        add column max_attempts int not null default 1,
        add column attempts int not null default 0,
        add column due timestamptz,
        add column idempotency_key text,
        add column made_in bigint not null default net._this_database();
    update net.http_request_queue set row_key = nextval('net.http_request_queue_row_key_seq') where row_key is null;
    alter table net.http_request_queue
        alter column row_key set not null,
        alter column row_key set default net._next_row_key();

    -- This one is a rewrite whatever is done. Everything works without it, too.
    if exists (select from pg_class where oid = 'net.http_request_queue'::regclass and relpersistence = 'u') then
        begin
            alter table net.http_request_queue set logged;
        exception when others then
            raise warning 'net.http_request_queue stays unlogged: %', sqlerrm
                using hint = 'What waits in it is lost if the server crashes. To change that: select net.set_queue_logged(true);';
        end;
    end if;

    for attached in select statement from unnest(switched_off) statement loop
        execute attached.statement;
    end loop;
end
$$;

do $$
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    alter table net._http_response
        add column if not exists created timestamptz not null default now(),
        add column if not exists content_bytes bytea,
        add column requested_by oid,
        add column if not exists method text,
        add column if not exists url text,
        add column if not exists attempts int,
        add column if not exists elapsed_ms real,
        add column if not exists dns_ms real,
        add column if not exists handshake_ms real,
        add column if not exists exchange_ms real,
        add column if not exists redirects int,
        add column if not exists remote_address text,
        add column if not exists protocol text,
        add column if not exists error_kind text,
        add column if not exists error_detail text;
    create index if not exists _http_response_created_idx on net._http_response (created);

    -- The first versions' were logged; where that is not to be changed, it does no harm.
    if current_setting('pg_net_update.has_logged_responses')::bool then
        begin
            alter table net._http_response set unlogged;
        exception when others then
            null;
        end;
    end if;
end
$$;
