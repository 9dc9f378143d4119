use std::fmt;

/// What is asked for, and why it is not sent as curl sends it, where it is not.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) method: &'static str,
    /// What comes behind scheme and authority; or, with `{}` in it, the URL with that for the port.
    pub(crate) url: &'static str,
    pub(crate) fields: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static str,
    pub(crate) ways: &'static [Way],
    ours: Ours,
    target: &'static str,
    over_http2: &'static str,
}

/// How it gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Http1,
    Proxy,
    Http2,
}

#[derive(Clone, Copy)]
enum Ours {
    Same,
    /// Sent in another way.
    Explained(&'static str),
    /// Not sent.
    Refused(&'static str),
}

impl Case {
    pub(crate) const fn get(url: &'static str) -> Self {
        const BOTH: &[Way] = &[Way::Http1, Way::Http2];
        Self { method: "GET", url, fields: &[], body: "", ways: BOTH, ours: Ours::Same, target: "", over_http2: "" }
    }

    pub(crate) const fn with(fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { fields, ..Self::get("/") }
    }

    pub(crate) const fn method(self, method: &'static str, body: &'static str) -> Self {
        Self { method, body, ..self }
    }

    pub(crate) const fn over(self, ways: &'static [Way]) -> Self {
        Self { ways, ..self }
    }

    /// It is unlike curl's.
    pub(crate) const fn explained(self, why: &'static str) -> Self {
        Self { ours: Ours::Explained(why), ..self }
    }

    /// It is unlike curl's, and has this target.
    pub(crate) const fn sent_as(self, target: &'static str, why: &'static str) -> Self {
        self.explained(why).sends_to(target)
    }

    /// It has this target, be it like curl's or not.
    pub(crate) const fn sends_to(self, target: &'static str) -> Self {
        Self { target, ..self }
    }

    pub(crate) const fn refused(self, why: &'static str) -> Self {
        Self { ours: Ours::Refused(why), ..self }
    }

    /// It is unlike curl's over HTTP/2 only.
    pub(crate) const fn over_http2(self, why: &'static str) -> Self {
        Self { over_http2: why, ..self }
    }

    pub(crate) fn url(&self, way: Way, port: u16) -> String {
        if self.url.contains("://") || self.url.contains(":/") || self.url.starts_with("http:") {
            let url = self.url.replace("{}", &port.to_string());
            return if way == Way::Http2 {
                url.replacen("http", "https", 1).replacen("HTTP:", "HTTPS:", 1)
            } else {
                url
            };
        }
        let scheme = if way == Way::Http2 { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{port}{}", self.url)
    }

    pub(crate) fn explained_over(&self, way: Way) -> &'static str {
        match self.ours {
            Ours::Same if way == Way::Http2 => self.over_http2,
            Ours::Same => "",
            Ours::Explained(why) | Ours::Refused(why) => why,
        }
    }

    pub(crate) fn is_sent(&self) -> bool {
        !matches!(self.ours, Ours::Refused(_))
    }

    pub(crate) fn sends(&self) -> Option<&'static str> {
        Some(self.target).filter(|target| !target.is_empty())
    }

    pub(crate) fn show(&self, way: Way) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!(" {name:?}: {value:?}")).collect::<Vec<_>>();
        let body = if self.body.is_empty() { String::new() } else { format!(", {} bytes", self.body.len()) };
        let url = self.url.escape_debug().to_string().replace("{}", if way == Way::Proxy { "" } else { "…" });
        format!("`{} {url}{}`{body}", self.method, fields.join(",")).replace("\\'", "'").replace("\\\"", "\"")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Proxy => "a proxy",
            Self::Http2 => "HTTP/2",
        })
    }
}
