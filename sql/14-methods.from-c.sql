-- Any method, as in a new database. A check of a user's own stays.
do $$
begin
    if current_setting('pg_net_update.from') <> 'c' then
        return;
    end if;
    alter domain net.http_method drop constraint if exists http_method_check;
    alter domain net.http_method add constraint http_method_check
        check (value ~ '^[-!#$%&''*+.^_`|~0-9A-Za-z]{1,64}$');
end
$$;
