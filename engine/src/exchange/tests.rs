//! What becomes of names: the system's resolver knows none that a test could use.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, LocalOptions};

use super::*;
use crate::address::network::Network;
use crate::address::target::Target;
use crate::egress::rule::{Action, EgressRule};
use crate::transport::resolver::Resolver;

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Answers each request with the address that it came to and the `Host` that it named.
fn serve(listener: TcpListener, keep: bool) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            loop {
                let head = lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>();
                let Some(host) = head.iter().find_map(|line| host_of(line)) else { break };
                let body = format!("{} {host}", stream.local_addr().unwrap().ip());
                let close = if keep { "" } else { "Connection: close\r\n" };
                let head = format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
                if !keep {
                    break;
                }
            }
        }
    });
}

fn host_of(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(": ")?;
    name.eq_ignore_ascii_case("host").then_some(value)
}

/// Listens on a port of both addresses, or of the second alone.
fn listen(both: bool, keep: bool) -> u16 {
    loop {
        let second = TcpListener::bind((SECOND, 0)).unwrap();
        let port = second.local_addr().unwrap().port();
        // Somebody else may have the port there.
        let Ok(first) = TcpListener::bind((FIRST, port)) else { continue };
        serve(second, keep);
        if both {
            serve(first, keep);
        }
        return port;
    }
}

/// Sends GET requests to these URLs one after another, by a resolver that remembers nothing and gives each question its answer.
fn get_all(urls: &[String], answers: &[&[Ipv4Addr]]) -> (Vec<Outcome>, Vec<String>) {
    get_all_under(&Arc::new(RuleSet::new(Vec::new())), urls, answers)
}

fn get_all_under(rules: &Arc<RuleSet>, urls: &[String], answers: &[&[Ipv4Addr]]) -> (Vec<Outcome>, Vec<String>) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let (noted, answers) = (asked.clone(), answers.iter().map(|answer| answer.to_vec()).collect::<Vec<_>>());
    let resolver = Resolver::answering(move |name| {
        let mut asked = noted.borrow_mut();
        asked.push(name.to_owned());
        answers[asked.len() - 1].iter().map(|&address| SocketAddr::from((address, 0))).collect()
    });
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    let outcomes = runtime.block_on(async {
        let client = Client::with_resolver(Policy::default(), resolver);
        let mut outcomes = Vec::new();
        for url in urls {
            let target = Target::parse(url).unwrap();
            let mut request = Request::new(1, "GET", target, Bytes::new(), Duration::from_secs(10)).unwrap();
            request.set_rules(rules.clone());
            outcomes.push(run(&client, request, None).await);
        }
        outcomes
    });
    (outcomes, asked.take())
}

fn texts(outcomes: &[Outcome]) -> Vec<&str> {
    let contents = outcomes.iter().map(|outcome| &outcome.result.as_ref().unwrap().content);
    let texts = contents.map(|content| match content {
        Content::Text(text) => text.as_str(),
        other => panic!("no text but {other:?}"),
    });
    texts.collect()
}

#[test]
fn unicode_names_are_asked_for_and_sent_in_ascii() {
    let port = listen(true, false);
    let urls = [format!("http://Bücher.example:{port}/"), format!("http://例え.テスト:{port}/")];
    let (outcomes, asked) = get_all(&urls, &[&[FIRST], &[FIRST]]);
    assert_eq!(asked, ["xn--bcher-kva.example", "xn--r8jz45g.xn--zckzah"]);
    let hosts = asked.iter().map(|name| format!("127.0.0.1 {name}:{port}")).collect::<Vec<_>>();
    assert_eq!(texts(&outcomes), hosts);
}

#[test]
fn every_new_connection_goes_where_the_name_points_now() {
    let port = listen(true, false);
    let host = format!("rotating.example:{port}");
    let urls = vec![format!("http://{host}/"); 3];
    let (outcomes, asked) = get_all(&urls, &[&[FIRST, SECOND], &[SECOND, FIRST], &[FIRST]]);
    assert_eq!(asked.len(), 3);
    let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.1"].map(|address| format!("{address} {host}"));
    assert_eq!(texts(&outcomes), expected);
}

#[test]
fn a_connection_that_is_kept_asks_nothing() {
    let port = listen(true, true);
    let urls = vec![format!("http://kept.example:{port}/"); 3];
    let (outcomes, asked) = get_all(&urls, &[&[SECOND]]);
    assert_eq!(asked.len(), 1);
    assert!(texts(&outcomes).iter().all(|text| text.starts_with("127.0.0.2 ")));
}

#[test]
fn the_next_address_is_tried_where_one_refuses() {
    let port = listen(false, false);
    let urls = vec![format!("http://half.example:{port}/"); 2];
    let (outcomes, _) = get_all(&urls, &[&[FIRST, SECOND], &[FIRST]]);
    assert!(texts(&outcomes[..1])[0].starts_with("127.0.0.2 "));
    assert_eq!(outcomes[0].trace().unwrap().remote, Some((SECOND, port).into()));
    assert_eq!(outcomes[1].result.as_ref().unwrap_err().to_string(), "Couldn't connect to server");
}

#[test]
fn of_the_addresses_of_a_name_the_permitted_ones_alone_are_dialled() {
    let network = Network::new(FIRST.into(), 32);
    let rule = EgressRule { id: 1, action: Action::Deny, for_all: true, host: None, network, port: None };
    let rules = Arc::new(RuleSet::new(vec![rule]));
    let port = listen(true, false);
    let urls = vec![format!("http://mixed.example:{port}/"); 3];
    // What was permitted a moment ago is not when the name points elsewhere.
    let (outcomes, _) = get_all_under(&rules, &urls, &[&[FIRST, SECOND], &[SECOND, FIRST], &[FIRST]]);
    assert!(texts(&outcomes[..2]).iter().all(|text| text.starts_with("127.0.0.2 ")));
    let refused = outcomes[2].result.as_ref().unwrap_err();
    assert_eq!((refused.kind().name(), refused.detail()), ("egress_refused", Some("egress rule 1 denies it")));

    // Where the permitted one refuses, the other is no way out.
    let closed = TcpListener::bind((FIRST, 0)).unwrap();
    let port = closed.local_addr().unwrap().port();
    let urls = [format!("http://mixed.example:{port}/")];
    let (outcomes, _) = get_all_under(&rules, &urls, &[&[SECOND, FIRST]]);
    assert_eq!(outcomes[0].result.as_ref().unwrap_err().kind().name(), "connect");
    closed.set_nonblocking(true).unwrap();
    assert_eq!(closed.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn rules_hold_for_a_name_that_was_looked_up_before_they_were_made() {
    let port = listen(true, false);
    let asked = Rc::new(Cell::new(0));
    let noted = asked.clone();
    let resolver = Resolver::remembering(move |_| {
        noted.set(noted.get() + 1);
        vec![(FIRST, 0).into()]
    });
    let network = Network::new(FIRST.into(), 32);
    let rule = EgressRule { id: 1, action: Action::Deny, for_all: true, host: None, network, port: None };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let client = Client::with_resolver(Policy::default(), resolver);
        let send = async |rules: Vec<EgressRule>| {
            let target = Target::parse(&format!("http://known.example:{port}/")).unwrap();
            let mut request = Request::new(1, "GET", target, Bytes::new(), Duration::from_secs(10)).unwrap();
            request.set_rules(Arc::new(RuleSet::new(rules)));
            run(&client, request, None).await.result.map(|response| response.status)
        };
        assert_eq!(send(vec![]).await.unwrap(), 200);
        assert_eq!(send(vec![]).await.unwrap(), 200);
        assert_eq!(send(vec![rule]).await.unwrap_err().kind().name(), "egress_refused");
        assert_eq!(asked.get(), 1);
        client.reload_files();
        assert_eq!(send(vec![]).await.unwrap(), 200);
        assert_eq!(asked.get(), 2);
    });
}
