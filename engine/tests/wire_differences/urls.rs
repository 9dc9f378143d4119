use crate::case::{Case, Way};

const SPACE: &str = "libcurl refuses a URL with a space; we encode it, so that the request is made";
const TWO_READINGS: &str = "what stands before the path could be read in two ways: the host, or a user name";

// A table.
pub(crate) fn cases() -> Vec<Case> {
    const HTTP1: &[Way] = &[Way::Http1];
    const REFUSED_BY_HTTP: &str =
        "our HTTP/2 library takes none of \", < and > in a query, nor <, > and ` in a path: encoded";
    vec![
        Case::get(""),
        Case::get("/"),
        Case::get("?"),
        Case::get("?a"),
        Case::get("/a?"),
        Case::get("/a??"),
        Case::get("/a?b?c/d"),
        Case::get("/a#fragment?x"),
        Case::get("#fragment"),
        Case::get("/a?b#c#d"),
        Case::get("/Items?$filter=Name eq 'x'").sent_as("/Items?$filter=Name%20eq%20'x'", SPACE),
        Case::get("/Items?$filter=Name%20eq%20'x'&$top=5"),
        Case::get("/a'b"),
        Case::get("/?a'b"),
        Case::get("/a\"b"),
        Case::get("/?a\"b").over_http2(REFUSED_BY_HTTP),
        Case::get("/a<b>c").over_http2(REFUSED_BY_HTTP),
        Case::get("/?a<b>c").over_http2(REFUSED_BY_HTTP),
        Case::get("/a`b").over_http2(REFUSED_BY_HTTP),
        Case::get("/?a`b"),
        Case::get("/a{b}c"),
        Case::get("/?a{b}c"),
        Case::get("/a|b"),
        Case::get("/?a|b"),
        Case::get("/a^b[c]d"),
        Case::get("/?a^b[c]d"),
        Case::get("/a\\b\\..\\c"),
        Case::get("/?a\\b"),
        Case::get("/a;b,c:d@e!f$g&h*i(j)k=l~m"),
        Case::get("/?a;b,c:d@e!f$g&h*i(j)k=l~m"),
        Case::get("/a+b?c+d"),
        Case::get("/%zz%?%zz%"),
        Case::get("/a%2Fb%2fc?d%3De%3de"),
        Case::get("/%41%7E?%41%7E"),
        Case::get("/a%00b?%00"),
        Case::get("/a%20b?c%20d"),
        Case::get("/object?X-Amz-Signature=9f%2B%2f=&X-Amz-Date=20260101T000000Z&X-Amz-Credential=a/b/c"),
        Case::get("/a b").sent_as("/a%20b", SPACE),
        Case::get("/é"),
        Case::get("/?é"),
        Case::get("/日本/語?日本=語#語"),
        Case::get("//a//b//"),
        Case::get("//host/a"),
        Case::get("/a/./b/../c"),
        Case::get("/a/.."),
        Case::get("/a/."),
        Case::get("/.."),
        Case::get("/../../a"),
        Case::get("//a//../b"),
        Case::get("/./"),
        Case::get("/.a/..b/...c/..d./..."),
        Case::get("/a/../?b=/../c/./d"),
        Case::get("/a/%2e%2e/b/%2E/c"),
        Case::get("/..;/a"),
        Case::get("/.?a"),
        Case::get("HTTP://127.0.0.1:{}/Upper"),
        Case::get("http://LOCALHOST:{}/").over(HTTP1),
        Case::get("http://LocalHost:{}").over(HTTP1),
        Case::get("http://127.1:{}/a"),
        Case::get("http://0x7F.0.0.1:{}/a"),
        Case::get("http://2130706433:{}/a"),
        Case::get("http:/127.0.0.1:{}/one-slash"),
        Case::get("http:///127.0.0.1:{}/three-slashes"),
        Case::get("http:127.0.0.1:{}/no-slash").refused("not sent by either"),
        Case::get("http:////127.0.0.1:{}/four").refused("not sent by either"),
        Case::get("http://127.0.0.1:0{}/a"),
        Case::get("http://user:password@127.0.0.1:{}/a"),
        Case::get("http://us%40er:pass%3Aword@127.0.0.1:{}/a"),
        Case::get("http://user@127.0.0.1:{}/a"),
        Case::get("http://:password@127.0.0.1:{}/a"),
        Case::get("http://@127.0.0.1:{}/a"),
        Case::get("http://a@b@127.0.0.1:{}/")
            .sent_as("/", "libcurl refuses a second @; the last one counts in the URL standard"),
        Case::get("http://user\\@127.0.0.1:{}/").refused(TWO_READINGS),
        Case::get("http://127.0.0.1:{}\\@example.com/").refused(TWO_READINGS),
        Case::get("/a\x7fb").refused("not sent by either"),
        Case::get("/a\tb").refused("not sent by either"),
    ]
}

/// These name hosts that nobody looks up: the proxy is the recorder.
pub(crate) fn through_a_proxy() -> Vec<Case> {
    const PROXY: &[Way] = &[Way::Proxy];
    let get = |url| Case::get(url).over(PROXY);
    vec![
        get("http://Example.COM/A/../b?c'd#e").sends_to("http://Example.COM/b?c'd"),
        get("http://example.com:80").sends_to("http://example.com/"),
        get("http://example.com:8080/?é").sends_to("http://example.com:8080/?Ã©"),
        get("http://example.com./a").sends_to("http://example.com./a"),
        get("http://bücher.example/ü").sent_as(
            "http://xn--bcher-kva.example/%c3%bc",
            "curl encodes it for a server, and not for a proxy; ours is one path for both",
        ),
        get("http://BÜCHER.example/").sends_to("http://xn--bcher-kva.example/"),
        get("http://faß.example/").sends_to("http://xn--fa-hia.example/"),
        get("http://ex%61mple.com/a<b>").sends_to("http://example.com/a<b>"),
        get("http://user:password@exa_mple.com/").sends_to("http://exa_mple.com/"),
        get("http://[::1]:8080/a").sends_to("http://[::1]:8080/a"),
    ]
}
