-- The openness of the C version, for those who need it.

-- The roles that it was given to; null stands for all. A table rather than a privilege: blanket grants must not imitate it.
create table net._open_access (
    role regrole unique check (role::oid <> 0)
);

create trigger announce after insert or update or delete or truncate on net._open_access
    for each statement execute function net._settings_changed();
alter table net._open_access enable always trigger announce;

create function net.restore_open_access(role regrole default null)
    returns void
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    grantee constant text := coalesce(role::text, 'public');
begin
    perform net._check_owner('net.restore_open_access');
    insert into net._open_access
        select $1 where not exists (select from net._open_access o where o.role is not distinct from $1);
    -- Not TRIGGER and REFERENCES: code that is attached to the tables runs with the rights of their owner.
    execute 'grant select, insert, update, delete, truncate on net.http_request_queue, net._http_response to ' || grantee;
    -- What a direct insert takes.
    execute 'grant usage, select, update on sequence net.http_request_queue_id_seq to ' || grantee;
    execute 'grant usage on sequence net.http_request_queue_row_key_seq to ' || grantee;
    execute 'grant execute on function net._note_row_key(bigint), net.worker_restart() to ' || grantee;
    raise warning 'pg_net: % now reads and writes all requests and responses, with the secrets in them',
        coalesce('role ' || role::text, 'every role')
        using hint = 'net.revoke_open_access takes this back.';
end
$$;

comment on function net.restore_open_access(regrole) is
    'Lets a role, or every role, read and write both tables whole, and restart the worker, as the C version did. For the owner.';

create function net.revoke_open_access(role regrole default null)
    returns void
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    grantee constant text := coalesce(role::text, 'public');
begin
    perform net._check_owner('net.revoke_open_access');
    delete from net._open_access o where o.role is not distinct from $1;
    execute 'revoke all on net.http_request_queue, net._http_response from ' || grantee;
    execute 'revoke all on sequence net.http_request_queue_id_seq, net.http_request_queue_row_key_seq from ' || grantee;
    execute 'revoke execute on function net._note_row_key(bigint), net.worker_restart() from ' || grantee;
    perform net._grant_own_rows();
end
$$;

comment on function net.revoke_open_access(regrole) is
    'Takes back what net.restore_open_access has given to a role, or to every role. For the owner.';

-- Raises an error where the caller has not the rights of who owns the tables, each of them.
create function net._check_owner(asked text)
    returns void
    language plpgsql stable parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
declare
    foreign_table regclass;
begin
    select c.oid into foreign_table from pg_class c
     where c.oid in ('net.http_request_queue'::regclass, 'net._http_response'::regclass, 'net._open_access'::regclass)
       and not pg_has_role(c.relowner, 'usage')
     order by c.oid limit 1;
    if found then
        raise insufficient_privilege using message = format('permission denied for function %s: must be owner of table %s', asked, foreign_table);
    end if;
end
$$;

-- What every role may do with its own rows: see them, and remove them; and blank responses, column by column.
create function net._grant_own_rows()
    returns void
    language plpgsql volatile parallel unsafe
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform net._check_owner('net._grant_own_rows');
    grant select, delete on net.http_request_queue, net._http_response, net.dead_letter to public;
    execute (
        select format('grant update (%s) on net._http_response to public', string_agg(quote_ident(attname), ', '))
          from pg_attribute
         where attrelid = 'net._http_response'::regclass and attnum > 0 and not attisdropped
           and attname not in ('id', 'requested_by'));
end
$$;
