-- Where an administrator has made a request function SECURITY DEFINER, its calls tell who calls.
create or replace function net._keep_caller(internal)
    returns internal
    language c strict
    as 'MODULE_PATHNAME', 'keep_caller';

do $$
declare
    request_function pg_catalog.regprocedure;
begin
    for request_function in
        select oid from pg_catalog.pg_proc
         where pronamespace = 'net'::pg_catalog.regnamespace and proname ~ '^http_' and prorettype = 'int8'::pg_catalog.regtype
    loop
        execute pg_catalog.format('alter function %s support net._keep_caller', request_function);
    end loop;
end
$$;
