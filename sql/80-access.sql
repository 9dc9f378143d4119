-- Everybody may ask, and see what they asked for: nothing else.
grant select on net.http_request_queue, net._http_response, net.dead_letter to public;

alter table net.http_request_queue enable row level security;
alter table net._http_response enable row level security;
alter table net.dead_letter enable row level security;

create policy own_requests on net.http_request_queue
    for select using (pg_catalog.pg_has_role(requested_by, 'usage'));
create policy own_responses on net._http_response
    for select using (pg_catalog.pg_has_role(requested_by, 'usage'));
create policy own_dead_letters on net.dead_letter
    for select using (pg_catalog.pg_has_role(requested_by, 'usage'));

-- Postgres 14 brought the role.
do $$
begin
    if exists (select from pg_catalog.pg_roles where rolname = 'pg_read_all_data') then
        create policy all_requests on net.http_request_queue for select to pg_read_all_data using (true);
        create policy all_responses on net._http_response for select to pg_read_all_data using (true);
        create policy all_dead_letters on net.dead_letter for select to pg_read_all_data using (true);
    end if;
end
$$;

-- Stopping everybody's deliveries is not for everybody.
revoke execute on function net.worker_restart() from public;
grant execute on function net.worker_restart() to pg_signal_backend;

-- What the defaults of the queue call, which only its owner inserts into. Not _take_noted_row_key, which a trigger of the
-- queue asks whoever owns it, be that somebody else than the extension's owner; it tells a session what is its own.
revoke execute on function net._note_row_key(bigint), net._assign_row_key() from public;
