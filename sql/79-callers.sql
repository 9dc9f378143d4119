-- Where an administrator has made one of these functions SECURITY DEFINER, its calls tell who calls.
create or replace function net._keep_caller(internal)
    returns internal
    language c strict
    as 'MODULE_PATHNAME', 'keep_caller';

do $$
declare
    asked pg_catalog.regprocedure;
begin
    for asked in
        select oid from pg_catalog.pg_proc
         where pronamespace = 'net'::pg_catalog.regnamespace
           and (proname ~ '^http_' and prorettype = 'int8'::pg_catalog.regtype or proname in ('cancel', 'retry'))
    loop
        execute pg_catalog.format('alter function %s support net._keep_caller', asked);
    end loop;
end
$$;
