-- A row that is inserted with a row key of its own, such as a copy of another one, gets a new key; under logical
-- replication, which only such a trigger meets that is always enabled, it does not come in.
create trigger assign_row_key before insert on net.http_request_queue
    for each row execute function net._assign_row_key();
alter table net.http_request_queue enable always trigger assign_row_key;

-- What a claim is ordered by: rows that may be sent at once by their row keys, those that wait for a time by that time.
create index http_request_queue_row_key_idx on net.http_request_queue (row_key);
create index http_request_queue_due_idx on net.http_request_queue (due, row_key) where due is not null;

create index _http_response_id_idx on net._http_response (id);

-- A publication FOR ALL TABLES takes the queue in; without a replica identity every delete of the worker would fail.
alter table net.http_request_queue replica identity full;
alter table net._http_response replica identity full;
