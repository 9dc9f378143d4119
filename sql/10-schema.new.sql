-- Complain if this script is sourced in psql rather than by CREATE EXTENSION.
\echo Use "CREATE EXTENSION pg_net" to load this file. \quit

create schema net;
grant usage on schema net to public;

-- Any token of RFC 9110, section 9.1; the standard methods are sent in upper case however they are written.
create domain net.http_method as text
    check (value ~ '^[-!#$%&''*+.^_`|~0-9A-Za-z]{1,64}$');

create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');

create type net.http_response as (
    status_code integer,
    headers jsonb,
    body text
);

create type net.http_response_result as (
    status net.request_status,
    message text,
    response net.http_response
);
