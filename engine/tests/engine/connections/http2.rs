use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use engine::{Action, Content, EgressRule, Failure, FailureKind, Policy, Proxy, Request, Response, RuleSet, Target};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, post, request, text};
use crate::servers::listener::listen;
use crate::servers::proxy::{Manner, ProxyServer};

/// An HTTP/2 server with a few paths that the tests need.
struct Server {
    authority: Authority,
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// Streams open at once on one connection, at most.
    most: AtomicUsize,
    /// Says good bye on all connections.
    goodbye: Notify,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Server {
    fn start(max_concurrent_streams: u32) -> Self {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(authority.server("localhost", &["h2", "http/1.1"]));
        let state = Arc::new(State::default());
        let serving = state.clone();
        let address = listen(move |stream| {
            serving.connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, state) = (acceptor.clone(), serving.clone());
            let task = tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                serve(TokioIo::new(stream), state, max_concurrent_streams).await;
            });
            serving.tasks.lock().unwrap().push(task.abort_handle());
        });
        Self { authority, address, state }
    }

    fn host(&self) -> Host {
        Host::new(Policy { ca_file: Some(self.authority.file.clone()), ..Policy::default() })
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        for task in self.state.tasks.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

async fn serve<S>(stream: TokioIo<S>, state: Arc<State>, max_concurrent_streams: u32)
where
    TokioIo<S>: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (answers, current) = (state.clone(), Arc::default());
    let service = service_fn(move |request| answer(request, answers.clone(), Arc::clone(&current)));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let connection = builder.max_concurrent_streams(max_concurrent_streams).serve_connection(stream, service);
    let mut connection = pin!(connection);
    let goodbye = pin!(state.goodbye.notified());
    if let Either::Right(_) = select(connection.as_mut(), goodbye).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn answer(
    request: http::Request<Incoming>,
    state: Arc<State>,
    current: Arc<AtomicUsize>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    state.requests.fetch_add(1, Ordering::SeqCst);
    state.most.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let body = match parts.uri.path() {
        "/never" => pending().await,
        "/authority" => parts.uri.authority().unwrap().as_str().to_owned().into(),
        _ => {
            // A server that takes its time, so that streams overlap.
            tokio::time::sleep(Duration::from_millis(5)).await;
            body.collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes())
        }
    };
    current.fetch_sub(1, Ordering::SeqCst);
    if parts.uri.path() == "/goodbye" {
        state.goodbye.notify_waiters();
    }
    let reply =
        http::Response::builder().header("X-Mixed-Case", "1").header("Set-Cookie", "a").header("Set-Cookie", "b");
    Ok(reply.body(Full::new(body)).unwrap())
}

fn failure(result: Result<Response, Failure>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn requests_share_a_connection() {
    let server = Server::start(100);
    let host = server.host();
    host.submit((0..20).map(|key| request(key, "POST", &server.url("/"), &[], &key.to_string())).collect());
    for outcome in host.wait_for(20) {
        let trace = outcome.trace().unwrap();
        assert_eq!((trace.version, trace.remote), (Some("HTTP/2"), Some(server.address)));
        assert_eq!(text(&outcome.result.unwrap()), outcome.key.to_string());
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn requests_under_other_rules_share_another() {
    let server = Server::start(100);
    let host = server.host();
    let port = Some(server.address.port());
    let rule = |id| EgressRule { id, action: Action::Allow, for_all: false, host: None, network: None, port };
    let rules = [1, 2].map(|id| Arc::new(RuleSet::new(vec![rule(id)])));
    let under_rules = |key: i64| {
        let mut request = request(key, "POST", &server.url("/"), &[], &key.to_string());
        request.set_rules(rules[key as usize % 2].clone());
        request
    };
    host.submit((0..20).map(under_rules).collect());
    for outcome in host.wait_for(20) {
        assert_eq!(outcome.trace().unwrap().version, Some("HTTP/2"));
        assert_eq!(text(&outcome.result.unwrap()), outcome.key.to_string());
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn requests_share_a_connection_through_a_proxy() {
    let server = Server::start(100);
    let proxy = ProxyServer::start(Manner::default());
    let policy = Policy {
        ca_file: Some(server.authority.file.clone()),
        proxy: Some(Proxy::parse(&format!("http://{}", proxy.address)).unwrap()),
        ..Policy::default()
    };
    let host = Host::new(policy);
    host.submit((0..20).map(|key| request(key, "POST", &server.url("/"), &[], &key.to_string())).collect());
    for outcome in host.wait_for(20) {
        assert_eq!(
            (outcome.trace().unwrap().version, outcome.trace().unwrap().remote),
            (Some("HTTP/2"), Some(proxy.address))
        );
        assert_eq!(text(&outcome.result.unwrap()), outcome.key.to_string());
    }
    assert_eq!((server.connections(), proxy.log().len()), (1, 1));
}

#[test]
fn as_many_streams_at_once_as_the_server_takes_and_no_more() {
    let server = Server::start(3);
    let host = server.host();
    host.submit((0..20).map(|key| request(key, "POST", &server.url("/"), &[], "x")).collect());
    assert!(host.wait_for(20).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(server.state.most.load(Ordering::SeqCst), 3);
    assert_eq!(server.state.requests.load(Ordering::SeqCst), 20);
}

/// Longer than what may be on its way without the other end's leave, in both directions.
#[test]
fn large_bodies_come_whole() {
    let server = Server::start(100);
    let host = server.host();
    let body = "0123456789abcdef".repeat(512 << 10);
    host.submit((0..3).map(|key| request(key, "POST", &server.url("/"), &[], &body)).collect());
    for outcome in host.wait_for(3) {
        assert!(text(&outcome.result.unwrap()) == body);
    }
}

#[test]
fn names_are_lower_case_and_repeats_in_order() {
    let server = Server::start(100);
    let response = server.host().get(&server.url("/"));
    let fields = response.headers.iter().filter(|(name, _)| !matches!(*name, "date" | "content-length"));
    assert_eq!(fields.collect::<Vec<_>>(), [("x-mixed-case", "1"), ("set-cookie", "a"), ("set-cookie", "b")]);
    assert_eq!(response.content, Content::Empty);
}

#[test]
fn the_authority_is_the_urls_or_the_users_host() {
    let server = Server::start(100);
    let host = server.host();
    let authority = format!("localhost:{}", server.address.port());
    assert_eq!(text(&host.get(&server.url("/authority"))), authority);
    let overridden = request(1, "GET", &server.url("/authority"), &[("Host", "other.example")], "");
    assert_eq!(text(&host.carry_out(overridden).result.unwrap()), "other.example");
}

#[test]
fn a_server_that_says_goodbye_gets_a_new_connection() {
    let server = Server::start(100);
    let host = server.host();
    for round in 1..=5 {
        host.carry_out(post(&server.url("/goodbye"), "x")).result.unwrap();
        assert!(server.connections() <= round);
    }
    assert!(server.connections() > 1);
}

fn never(server: &Server, timeout: Duration) -> Request {
    Request::new(99, "GET", Target::parse(&server.url("/never")).unwrap(), Bytes::new(), timeout).unwrap()
}

#[test]
fn a_time_out_ends_its_stream_only() {
    let server = Server::start(100);
    let host = server.host();
    host.get(&server.url("/"));
    host.submit(vec![never(&server, Duration::from_secs(1))]);
    // Others are answered meanwhile: the connection is alive.
    crate::servers::host::eventually("it arrives", || server.state.requests.load(Ordering::SeqCst) == 2);
    host.get(&server.url("/"));
    let failure = host.wait_for(1).remove(0).result.unwrap_err();
    let FailureKind::Timeout { phases, .. } = failure.kind() else { panic!("{failure:?}") };
    assert_eq!((phases.dns, phases.handshake), (Duration::ZERO, Duration::ZERO));
    host.get(&server.url("/"));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_that_may_be_dead_carries_no_more_requests() {
    let server = Server::start(100);
    let host = server.host();
    host.get(&server.url("/"));
    host.carry_out(never(&server, Duration::from_millis(500))).result.unwrap_err();
    host.get(&server.url("/"));
    assert_eq!(server.connections(), 2);
}

/// The one that opened it fails; the others are sent again, as on any connection that was used before. The second time they
/// fail, too.
#[test]
fn a_connection_that_breaks_fails_what_is_on_it_and_is_replaced() {
    let server = Server::start(100);
    let host = server.host();
    let arrived = |count| {
        crate::servers::host::eventually("they arrive", || server.state.requests.load(Ordering::SeqCst) == count);
        server.cut();
    };
    host.submit((0..3).map(|key| request(key, "POST", &server.url("/never"), &[], "x")).collect());
    arrived(3);
    arrived(3 + 2);
    for outcome in host.wait_for(3) {
        assert_eq!(failure(outcome.result), "Server returned nothing (no headers, no data)");
    }
    host.carry_out(get(&server.url("/"))).result.unwrap();
    assert_eq!((server.connections(), server.state.requests.load(Ordering::SeqCst)), (3, 6));
}

#[test]
fn a_connection_that_breaks_fails_what_is_sent_at_most_once() {
    let server = Server::start(100);
    let host = server.host();
    host.get(&server.url("/"));
    let once = |key| {
        let mut request = request(key, "GET", &server.url("/never"), &[], "");
        request.send_at_most_once();
        request
    };
    host.submit((0..3).map(once).collect());
    crate::servers::host::eventually("they arrive", || server.state.requests.load(Ordering::SeqCst) == 4);
    server.cut();
    for outcome in host.wait_for(3) {
        assert_eq!(failure(outcome.result), "Server returned nothing (no headers, no data)");
    }
    host.get(&server.url("/"));
    assert_eq!((server.connections(), server.state.requests.load(Ordering::SeqCst)), (2, 5));
}
