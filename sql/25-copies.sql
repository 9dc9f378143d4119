-- Which database this is: a number that no database of this server or another one shares. A copy made from a template has
-- another one than its original.
create or replace function net._this_database() returns bigint
    language c stable parallel safe
    as 'MODULE_PATHNAME', 'this_database';

-- Where these tables were last served, so that the worker can tell a database that pg_upgrade has moved, and that goes on with
-- its requests, from a copy, which does not. pg_dump leaves the row out, as it does all rows of the extension's tables.
create table net._home (
    stamp bigint not null,
    database oid not null
);
alter table net._home replica identity full;
insert into net._home
    select net._this_database(), oid from pg_catalog.pg_database where datname = pg_catalog.current_database();
