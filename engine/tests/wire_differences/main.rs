//! What we send, beside what curl sends for the same URL and the same headers: request line and fields over HTTP/1.1, directly and
//! through a proxy, and the header list over HTTP/2.
//!
//! Prints a table, as `make test TEST=wire_differences` does: `equal`, or why not. What cannot be compared, such as values with line
//! breaks, is refused before anything is sent.

mod case;
#[path = "../engine/servers/certificates.rs"]
#[expect(dead_code, reason = "the other tests need more of it")]
mod certificates;
mod curl;
mod fields;
mod recorder;
mod urls;

use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use engine::{Engine, Policy, Proxy, Request, Target};

use case::{Case, Way};
use certificates::Authority;
use recorder::{Recorder, Sent};

/// What both say of themselves.
const USER_AGENT: &str = "pg_net/1.0";

/// What curl says to proxies besides. No standard knows it, and HTTP/1.1 keeps its connections without it.
const PROXY_CONNECTION: &str = "Proxy-Connection: Keep-Alive";

#[test]
fn wire_differences() {
    let cases = [urls::cases(), urls::through_a_proxy(), fields::cases()].concat();
    let differences = Differences::new();
    let mut table = "| method, URL, headers | over | wire | why |\n|---|---|---|---|\n".to_owned();
    let mut faults = Vec::new();
    let mut rows = 0;
    for case in &cases {
        for way in case.ways {
            let (line, fault) = differences.examine(case, *way);
            table += &line;
            table.push('\n');
            faults.extend(fault);
            rows += 1;
        }
    }
    // Past the test harness, which shows the output of tests that fail only.
    let _ = writeln!(io::stderr(), "{table}\n{rows} requests of {} kinds", cases.len());
    assert!(urls::cases().len() >= 60 && fields::cases().len() >= 40);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

struct Differences {
    plain: Recorder,
    secure: Recorder,
    authority: Authority,
}

impl Differences {
    fn new() -> Self {
        let authority = Authority::new();
        let secure = Recorder::secure(authority.server("127.0.0.1", &["h2"]));
        Self { plain: Recorder::plain(), secure, authority }
    }

    /// The row, and what is wrong with it.
    fn examine(&self, case: &Case, way: Way) -> (String, Option<String>) {
        let recorder = if way == Way::Http2 { &self.secure } else { &self.plain };
        let url = case.url(way, recorder.port());
        let ours = self.ours(case, way, &url, recorder);
        curl::run(case, way, &url, recorder.port());
        let curls = recorder.take().map(|sent| sent.without(PROXY_CONNECTION));
        let (verdict, why) = if ours == curls { ("equal", "") } else { ("explained", case.explained_over(way)) };
        let shown = case.show(way);
        let fault = if ours != curls && why.is_empty() {
            Some(format!("{shown}: unlike curl, and no reason is given\nours: {ours:#?}\ncurl: {curls:#?}"))
        } else if case.is_sent() != ours.is_some() {
            Some(format!("{shown}: sent {ours:?}"))
        } else if case.sends().is_some_and(|target| ours.as_ref().is_none_or(|sent| sent.target() != target)) {
            Some(format!("{shown}: sent as {:?}", ours.map(|sent| sent.target())))
        } else {
            None
        };
        (format!("| {} | {way} | {verdict} | {why} |", shown.replace('|', "\\|")), fault)
    }

    /// What comes of a case with us; none where it is refused.
    fn ours(&self, case: &Case, way: Way, url: &str, recorder: &Recorder) -> Option<Sent> {
        let proxy = format!("http://127.0.0.1:{}", recorder.port());
        let policy = Policy {
            accept_encoding: false,
            ca_file: Some(self.authority.file.clone()),
            proxy: (way == Way::Proxy).then(|| Proxy::parse(&proxy).unwrap()),
            user_agent: USER_AGENT.to_owned(),
            ..Policy::default()
        };
        let body = Bytes::from_static(case.body.as_bytes());
        let mut request =
            Request::new(1, case.method, Target::parse(url).ok()?, body, Duration::from_secs(10)).unwrap();
        for (name, value) in case.fields {
            request.push_header(name, value).ok()?;
        }
        let (notify, notified) = mpsc::channel();
        let engine = Engine::start(policy, move || _ = notify.send(())).unwrap();
        engine.submit(vec![request]).unwrap();
        notified.recv_timeout(Duration::from_secs(20)).expect("no outcome in time");
        let mut outcomes = Vec::new();
        engine.drain(&mut outcomes);
        assert!(outcomes[0].result.is_ok(), "{}: {:?}", case.show(way), outcomes[0].result);
        Some(recorder.take().expect("nothing was sent"))
    }
}
