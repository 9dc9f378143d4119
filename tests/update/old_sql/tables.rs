//! Schema, types, tables and who may use them.

use super::Version;

pub(super) fn before_functions(version: Version) -> String {
    let methods = if version.deletes() { "'get', 'post', 'delete'" } else { "'get', 'post'" };
    format!(
        "create schema net;
         create domain net.http_method as text check (lower(value) in ({methods}));
         create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
         create type net.http_response as (status_code integer, headers jsonb, body text);
         create type net.http_response_result as (
             status net.request_status, message text, response net.http_response
         );
         {}\n",
        tables(version)
    )
}

fn tables(version: Version) -> String {
    let persistence = if version.is_logged() { "" } else { "unlogged" };
    let key = if version.is_logged() { "primary key" } else { "" };
    let headers = if version.headers_may_be_null() { "" } else { "not null" };
    const CREATED: &str = ", created timestamptz not null default now()";
    let (queue, refers, response) = if version.keeps_what_is_done() {
        (CREATED, "references net.http_request_queue (id) on delete cascade", "")
    } else {
        ("", "", CREATED)
    };
    let index = if version.keeps_what_is_done() {
        "create index created_idx on net.http_request_queue (created);"
    } else if version.indexes_created() {
        "create index on net._http_response (created);"
    } else {
        ""
    };
    let trigger = if version.looks_by_trigger() {
        "create function net._check_worker_is_up() returns trigger language plpgsql as $$
         begin
             if not exists (select from pg_stat_activity where backend_type ilike '%pg_net%') then
                 raise exception 'the pg_net background worker is not up';
             end if;
             return new;
         end
         $$;
         create trigger ensure_worker_is_up before insert on net.http_request_queue
             for each statement execute function net._check_worker_is_up();"
    } else {
        ""
    };
    format!(
        "create {persistence} table net.http_request_queue (
             id bigserial {key},
             method net.http_method not null,
             url text not null,
             headers jsonb {headers},
             body bytea,
             timeout_milliseconds int not null
             {queue}
         );
         create {persistence} table net._http_response (
             id bigint {key} {refers},
             status_code integer,
             content_type text,
             headers jsonb,
             content text,
             timed_out bool,
             error_msg text
             {response}
         );
         {index}
         {trigger}"
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
