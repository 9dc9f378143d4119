-- Forms as bodies of requests. In a jsonb object of fields a null stands for nothing, and an array for several fields of
-- one name.

create or replace function net.urlencode_form(fields jsonb)
    returns text
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME', 'urlencode_form';

comment on function net.urlencode_form(jsonb) is
    'The fields of a form as a body of the type application/x-www-form-urlencoded.';

-- A field of a form, or a file: with a filename it is one.
create type net.form_part as (
    name text,
    data bytea,
    filename text,
    content_type text
);

create or replace function net.form_field(name text, value text, content_type text default null)
    returns net.form_part
    language sql immutable parallel safe
as $$
    select row($1, pg_catalog.convert_to($2, 'UTF8'), null, $3)::net.form_part
$$;

comment on function net.form_field(text, text, text) is
    'A field as a part of net.multipart.';

create or replace function net.form_file(
    name text,
    data bytea,
    filename text,
    content_type text default 'application/octet-stream'
)
    returns net.form_part
    language sql immutable parallel safe
as $$
    select row($1, $2, $3, $4)::net.form_part
$$;

comment on function net.form_file(text, bytea, text, text) is
    'A file as a part of net.multipart.';

create or replace function net.multipart(
    fields jsonb,
    variadic parts net.form_part[] default '{}',
    out body bytea,
    out content_type text
)
    language c immutable parallel safe
    as 'MODULE_PATHNAME', 'multipart';

comment on function net.multipart(jsonb, net.form_part[]) is
    'A form with files as a body, and the Content-Type to send it with: first the fields, then the parts.';
