//! Many hosts, with TLS and without: what a request costs more than one of many to a single host.

use std::path::Path;
use std::process::Command;

use testkit::{Authority, NameServer, Nginx};

use super::inside::{self, Figures};
use crate::drain;
use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{Spread, median, thousands};
use crate::worker;

/// The argument of the process that measures, in a network whose resolv.conf names our name server.
pub(crate) const INSIDE: &str = "hosts-inside";

const ROUNDS: usize = 3;
const REQUESTS: i64 = 20_000;
const NAMES: [usize; 3] = [1, 100, 1000];
/// Names that are sent to once.
const ONCE: i64 = 10_000;
/// A drain is over before this, and it is its rate that counts.
const PATIENT: &str = "timeout_milliseconds := 60000";
const RESOLV_CONF: &str = "nameserver 127.0.0.1\n";
const PROTOCOLS: [Protocol; 3] = [Protocol::Http, Protocol::Https, Protocol::Http2];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http,
    /// HTTP/1.1 with TLS.
    Https,
    /// HTTP/2 with TLS.
    Http2,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Http2 => "h2",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https, HTTP/1.1",
            Self::Http2 => "https, HTTP/2",
        }
    }
}

/// What is aimed at: protocol, names, whether it is the second time, and of one name again at least.
const TARGETS: [(Protocol, usize, &str, f64); 6] = [
    (Protocol::Https, 100, "first", 0.6),
    (Protocol::Https, 1000, "first", 0.3),
    (Protocol::Https, 100, "again", 0.9),
    (Protocol::Https, 1000, "again", 0.6),
    (Protocol::Http, 1000, "again", 0.7),
    (Protocol::Http2, 1000, "again", 0.6),
];

/// Drains to one, a hundred and a thousand names of one nginx, the first time and again.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("hosts: one host and a thousand, with TLS and without");
    let figures = inside::measure(INSIDE, RESOLV_CONF);
    let of = |what: &str| median(&figures[what]);
    kept(report, &figures);
    for (protocol, names, time, target) in TARGETS {
        let what = format!("{}-{names}-{time}", protocol.name());
        let (rate, yardstick) = (of(&what), of(&format!("{}-1-again", protocol.name())));
        let ratio = rate / yardstick;
        report.row(Row {
            what: format!("drain of {REQUESTS} GETs to {names} names, {}, {}", protocol.title(), said(time)),
            figure: format!("{}/s", thousands(rate)),
            yardstick: format!("one name again: {}/s", thousands(yardstick)),
            ratio: Some(ratio),
            target: format!("≥ {target:.1}"),
            met: ratio >= target,
        });
    }
    let (once, new) = (of("once"), of("openssl"));
    report.row(Row {
        what: format!("GETs to {ONCE} names, one each, https"),
        figure: format!("{}/s", thousands(once)),
        yardstick: format!("`openssl s_time -new`: {}/s of a core", thousands(new)),
        ratio: Some(once / new),
        target: "≥ 0.8".into(),
        met: once >= new * 0.8,
    });
    report.note(format!("the worker's own memory in the end: {:.1} MiB", of("memory")));
    for (what, rates) in &figures {
        report.note(format!("{what}: {}", Spread(rates)));
    }
}

fn kept(report: &mut Report, figures: &Figures) {
    let [http, https] = ["http-1-again", "https-1-again"].map(|what| median(&figures[what]));
    report.row(Row {
        what: format!("drain of {REQUESTS} GETs to one name, https, kept connections"),
        figure: format!("{}/s", thousands(https)),
        yardstick: format!("http: {}/s", thousands(http)),
        ratio: Some(https / http),
        target: "≥ 0.9".into(),
        met: https >= http * 0.9,
    });
}

fn said(time: &str) -> &str {
    if time == "first" { "first time" } else { "again" }
}

/// Measures in the network, and prints the figures.
pub(crate) fn inside() {
    let names = NameServer::start("127.0.0.1");
    names.point("*.hosts.test", &["127.0.0.1"]);
    let authority = Authority::new();
    let identity = authority.certify("*.hosts.test");
    let [http1, http2] = [false, true].map(|http2| Nginx::start_quiet_showing(&identity, http2));
    let file = authority.file();
    let mut lab = Lab::with(&[("pg_net.tls_ca_file", file.to_str().expect("a path in UTF-8"))]);
    for round in 0..ROUNDS {
        for protocol in PROTOCOLS {
            let (plain, tls) = if protocol == Protocol::Http2 { http2.ports() } else { http1.ports() };
            let (scheme, port) = if protocol == Protocol::Http { ("http", plain) } else { ("https", tls) };
            for names in NAMES {
                let host = format!("'{round}-{names}-{}-' || generate_series % {names}", protocol.name());
                let call = format!("net.http_get('{scheme}://' || {host} || '.hosts.test:{port}/', {PATIENT})");
                for time in ["first", "again"] {
                    lab.reset();
                    let rate = drain::queue(&mut lab, &call, REQUESTS).full_rate(&mut lab);
                    println!("{}-{names}-{time} {rate}", protocol.name());
                }
            }
        }
        lab.reset();
        let port = http1.ports().1;
        let call =
            format!("net.http_get('https://{round}-once-' || generate_series || '.hosts.test:{port}/', {PATIENT})");
        println!("once {}", drain::queue(&mut lab, &call, ONCE).full_rate(&mut lab));
        println!("openssl {}", handshakes(port, &file));
    }
    println!("memory {}", worker::own_memory(lab.worker()));
}

/// Full handshakes that openssl does in a second of its processor's time.
fn handshakes(port: u16, authority: &Path) -> f64 {
    let connect = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.args(["s_time", "-new", "-time", "2", "-connect", &connect, "-CAfile"]).arg(authority);
    let output = command.output().expect("run openssl");
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.split_once("; ")?.1.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("no rate in what openssl says:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}
