-- Not what the extension is called in the catalog: that is what was asked for, which may be a version of the C extension.
create or replace function net.version()
    returns text
    language c immutable parallel safe
    as 'MODULE_PATHNAME', 'library_version';

comment on function net.version() is
    'The version of the library that runs.';
