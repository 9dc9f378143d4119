//! The functions that read responses.

use super::{Version, parallel, rights, strict};

pub(super) fn functions(version: Version) -> Vec<String> {
    let (rights, null, parallel) = (rights(version), strict(version), parallel(version));
    let collect = |name: &str, body: &str| {
        format!(
            "create function net.{name}(request_id bigint, async bool default true)
                 returns net.http_response_result
                 language plpgsql volatile {null} {rights} {parallel}
             as $$ {body} $$;"
        )
    };
    let own_name = if version.collects_by_old_name_only() { "http_collect_response" } else { "_http_collect_response" };
    let mut functions = vec![
        format!(
            "create function net._await_response(request_id bigint) returns bool
                 language plpgsql volatile {null} {parallel}
             as $$
             begin
                 while not exists (select from net._http_response r where r.id = request_id) loop
                     perform pg_sleep(0.05);
                 end loop;
                 return true;
             end
             $$;"
        ),
        collect(
            own_name,
            "declare
                 found_row net._http_response;
             begin
                 if not async then
                     perform net._await_response(request_id);
                 end if;
                 select r.* into found_row from net._http_response r where r.id = request_id;
                 if found_row.id is null then
                     return ('ERROR', 'request matching request_id not found', null)::net.http_response_result;
                 end if;
                 return ('SUCCESS', 'ok', (found_row.status_code, found_row.headers, found_row.content)::net.http_response)
                     ::net.http_response_result;
             end",
        ),
    ];
    if version.collects_by_old_name() && !version.collects_by_old_name_only() {
        functions.push(collect(
            "http_collect_response",
            "begin
                 raise notice 'deprecated';
                 return net._http_collect_response(request_id, async);
             end",
        ));
    }
    functions
}
