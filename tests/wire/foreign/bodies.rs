//! Methods and bodies, with Apache httpd as a store of files (WebDAV).

use std::process::Command;

use serde_json::json;
use testkit::{Apache, Authority, Call};

use super::{header, trusting};
use crate::fixture::Fixture;

/// An Apache, and a database that trusts its authority.
fn start() -> (Authority, Apache, Fixture) {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    let fixture = Fixture::with(trusting(&authority).start_ready());
    (authority, apache, fixture)
}

#[test]
fn files_are_put_read_looked_for_and_deleted() {
    let (_authority, apache, mut fixture) = start();
    let urls = [("HTTP/1.1", apache.url("/dav/1.txt")), ("HTTP/2.0", apache.tls_url("/dav/2.txt"))];
    for (round, (protocol, url)) in urls.into_iter().enumerate() {
        let created = fixture.fetch(Call::request("PUT", &url).text("dobrý den"));
        assert_eq!((created.status_code, header(&created, "Location").is_empty()), (Some(201), false));
        assert_eq!(fixture.fetch(Call::get(&url)).text(), "dobrý den");

        let replaced = fixture.fetch(Call::put(&url).json(json!({"a": 1})));
        assert_eq!((replaced.status_code, replaced.content, replaced.error_msg), (Some(204), None, None));
        let read = fixture.fetch(Call::get(&url));
        assert_eq!((read.status_code, read.text()), (Some(200), "{\"a\": 1}"));

        let looked = fixture.fetch(Call::head(&url));
        assert_eq!((looked.status_code, &looked.content, &looked.error_msg), (Some(200), &None, &None));
        assert_eq!(header(&looked, "Content-Length"), "8");
        let tag = header(&looked, "ETag");
        let known = fixture.fetch(Call::get(&url).header("If-None-Match", tag));
        assert_eq!((known.status_code, known.content, known.error_msg), (Some(304), None, None));

        let options = fixture.fetch(Call::request("options", &url));
        assert!(header(&options, "Allow").contains("PROPFIND"), "{options:?}");
        let found = fixture.fetch(Call::request("PROPFIND", &url).header("Depth", 0));
        assert_eq!((found.status_code, found.text().contains("multistatus")), (Some(207), true));
        assert_eq!(fixture.fetch(Call::patch(&url).json(json!([1]))).status_code, Some(405));

        let deleted = fixture.fetch(Call::delete(&url));
        assert_eq!((deleted.status_code, deleted.content), (Some(204), None));
        assert_eq!(fixture.fetch(Call::get(&url)).status_code, Some(404));

        let path = url.rsplit_once("/dav").unwrap().1;
        let requests = apache.wait_for(11 * (round + 1));
        let ours = requests.iter().filter(|request| request.uri.ends_with(path)).collect::<Vec<_>>();
        // Its threads write the log in any order.
        let mut methods = ours.iter().map(|request| request.method.as_str()).collect::<Vec<_>>();
        methods.sort_unstable();
        let sent = ["DELETE", "GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "PUT", "PUT"];
        assert_eq!(methods, sent);
        assert!(ours.iter().all(|request| request.protocol == protocol), "{requests:?}");
    }
}

#[test]
fn ten_mebibytes_of_random_bytes_arrive_as_they_are() {
    let (_authority, apache, mut fixture) = start();
    // All bytes in all combinations, NULs among them.
    fixture
        .client
        .batch_execute(
            "create table file as select string_agg(sha256(n::text::bytea), '') as bytes from generate_series(1, 327680) n",
        )
        .unwrap();
    assert_eq!(fixture.value::<i32>("select length(bytes) from file"), 10 << 20);
    let digest: String = fixture.value("select encode(sha256(bytes), 'hex') from file");
    for (path, url) in [("/dav/1", apache.url("/dav/1")), ("/dav/2", apache.tls_url("/dav/2"))] {
        let id = fixture
            .value(&format!("{} from file", Call::request("PUT", &url).with("body", "bytes").timeout(20_000).select()));
        assert_eq!(fixture.response(id).status_code, Some(201));
        let sum = Command::new("sha256sum").arg(apache.path(path)).output().unwrap();
        assert!(String::from_utf8_lossy(&sum.stdout).starts_with(&digest), "{sum:?}");
        // And back again.
        let read = fixture.fetch(Call::get(&url).timeout(20_000));
        let stored = format!(
            "select encode(sha256(content_bytes), 'hex') from net._http_response where id = {}",
            read.id.unwrap()
        );
        assert_eq!(fixture.value::<String>(&stored), digest);
    }
}

#[test]
fn an_image_is_stored_byte_for_byte() {
    let (_authority, apache, mut fixture) = start();
    let image =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xdac\xfc\xff\
                  \xff?\x03\0\x08\xfc\x02\xfe\xa7\x9a\xa0\xa0\0\0\0\0IEND\xaeB`\x82";
    apache.put("/dot.png", image);
    for url in [apache.url("/dot.png"), apache.tls_url("/dot.png")] {
        let answer = fixture.fetch(Call::get(&url));
        assert_eq!((answer.content_type.as_deref(), &answer.content), (Some("image/png"), &None));
        assert_eq!(fixture.bytes(&answer).as_deref(), Some(&image[..]));
    }
}

/// Apache says `100 Continue` to those who ask for it.
#[test]
fn an_expectation_is_passed_on_and_its_answer_understood() {
    let (_authority, apache, mut fixture) = start();
    for url in [apache.url("/dav/1.txt"), apache.tls_url("/dav/2.txt")] {
        let call = Call::request("PUT", &url).text("text").header("Expect", "100-continue");
        assert_eq!(fixture.fetch(call).status_code, Some(201));
        assert_eq!(fixture.fetch(Call::get(&url)).text(), "text");
    }
    for request in apache.wait_for(4) {
        assert_eq!(request.expect, if request.method == "PUT" { "100-continue" } else { "-" }, "{request:?}");
    }
}
