//! The functions that queue a request.

use super::{Version, in_c, parallel, rights, strict};

pub(super) fn functions(version: Version) -> Vec<String> {
    let encode = format!("immutable {}", strict(version));
    let body = if version.deletes_with_body() { ", body jsonb default null" } else { "" };
    let deleted = if version.deletes_with_body() { "body" } else { "null::jsonb" };
    let timeout = format!("timeout_milliseconds integer default {}", version.default_timeout());
    let mut functions = vec![
        in_c(version, "_urlencode_string(string varchar) returns text", &encode),
        in_c(version, "_encode_url_with_params_array(url text, params_array text[]) returns text", &encode),
        request(version, "get", &format!("url text, {PARAMS}, {HEADERS}, {timeout}"), "null::jsonb"),
        request(
            version,
            "post",
            &format!("url text, body jsonb default '{{}}', {PARAMS}, {JSON_HEADERS}, {timeout}"),
            "body",
        ),
    ];
    if version.deletes() {
        let parameters = format!("url text, {PARAMS}, {HEADERS}, {timeout}{body}");
        functions.push(request(version, "delete", &parameters, deleted));
    }
    functions
}

const PARAMS: &str = "params jsonb default '{}'";
const HEADERS: &str = "headers jsonb default '{}'";
const JSON_HEADERS: &str = r#"headers jsonb default '{"Content-Type": "application/json"}'"#;

fn request(version: Version, method: &str, parameters: &str, body: &str) -> String {
    // Neither post nor a delete with a body was strict: with a null body they would have sent nothing.
    let takes_null = method == "post" || method == "delete" && version.deletes_with_body();
    let null = if takes_null { "called on null input" } else { strict(version) };
    let check = if method == "post" {
        "if not coalesce(headers ->> 'Content-Type' = 'application/json', false) then
             raise exception 'Content-Type must be application/json';
         end if;"
    } else {
        ""
    };
    let wake = if version.has_wake() { "perform net.wake();" } else { "" };
    let (rights, parallel) = (rights(version), parallel(version));
    format!(
        "create function net.http_{method}({parameters}) returns bigint
             language plpgsql volatile {null} {rights} {parallel}
         as $$
         declare
             encoded text[];
             new_id bigint;
         begin
             {check}
             select coalesce(array_agg(net._urlencode_string(key) || '=' || net._urlencode_string(value)), '{{}}')
               into encoded from jsonb_each_text(params);
             insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
             values ('{method}', net._encode_url_with_params_array(url, encoded), headers,
                     convert_to({body}::text, 'UTF8'), timeout_milliseconds)
             returning id into new_id;
             {wake}
             return new_id;
         end
         $$;"
    )
}
