//! Schema, types, tables and who may use them.

use super::Version;

pub(super) fn before_functions(version: Version) -> String {
    let headers = if version.headers_may_be_null() { "" } else { "not null" };
    format!(
        "create schema net;
         create domain net.http_method as text check (lower(value) in ('get', 'post', 'delete'));
         create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
         create type net.http_response as (status_code integer, headers jsonb, body text);
         create type net.http_response_result as (
             status net.request_status, message text, response net.http_response
         );
         create unlogged table net.http_request_queue (
             id bigserial,
             method net.http_method not null,
             url text not null,
             headers jsonb {headers},
             body bytea,
             timeout_milliseconds int not null
         );
         create unlogged table net._http_response (
             id bigint,
             status_code integer,
             content_type text,
             headers jsonb,
             content text,
             timed_out bool,
             error_msg text,
             created timestamptz not null default now()
         );
         create index on net._http_response (created);\n"
    )
}

pub(super) fn grants(version: Version) -> String {
    if version.is_open_to_all() {
        "grant usage on schema net to public;
         grant all on all tables in schema net to public;
         grant all on all sequences in schema net to public;\n"
    } else {
        "grant all on schema net to postgres;
         grant all on all tables in schema net to postgres;\n"
    }
    .into()
}
