//! Requests that an HTTP/2 server says it did not process (RFC 9113 §6.8, §8.7), and the streams that it takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{FailureKind, Policy, Proxy, Request, Target};

use crate::servers::frames::{EVERY_STREAM, FrameServer, Frames, HTTP_1_1_REQUIRED, REFUSED_STREAM};
use crate::servers::host::{Host, PATIENCE, eventually, get, post, request, text};
use crate::servers::proxy::{Manner, ProxyServer};

fn at_most_once(mut request: Request) -> Request {
    request.send_at_most_once();
    request
}

/// Requests of several methods, half of them at most once.
fn requests(url: &str, count: i64) -> Vec<Request> {
    let any = |key: i64| {
        let method = ["POST", "GET", "PATCH"][key as usize % 3];
        let request = request(key, method, url, &[], if method == "GET" { "" } else { "{}" });
        if key % 2 == 0 { at_most_once(request) } else { request }
    };
    (0..count).map(any).collect()
}

#[track_caller]
fn all_are_answered(host: &Host, count: usize) {
    for outcome in host.wait_for(count) {
        assert_eq!(text(&outcome.result.unwrap()), "ok", "request {}", outcome.key);
    }
}

/// As nginx does with `keepalive_requests`: after the last stream that it takes it goes away, whatever has come already.
#[test]
fn case_36_requests_beyond_the_last_stream_of_a_goaway_are_sent_again() {
    for taken in [1, 2, 10, 50] {
        let processed = Arc::<AtomicUsize>::default();
        let server = FrameServer::start({
            let processed = processed.clone();
            move |mut frames| {
                frames.limit(128);
                let mut last = 0;
                for _ in 0..taken {
                    let Some(stream) = frames.request() else { return };
                    processed.fetch_add(1, Ordering::SeqCst);
                    frames.answer(stream, "ok");
                    last = stream;
                }
                frames.go_away(last, 0);
                frames.wait_for_close();
            }
        });
        let host = server.host();
        host.submit(requests(&server.url(), 150));
        all_are_answered(&host, 150);
        assert_eq!(processed.load(Ordering::SeqCst), 150, "each once, {taken} on a connection");
        assert!(server.connections() >= 150 / taken);
    }
}

/// As Go and Apache do: first a GOAWAY that only announces, then one that says which were processed.
#[test]
fn case_36_a_server_that_goes_away_in_two_steps() {
    let processed = Arc::<AtomicUsize>::default();
    let server = FrameServer::start({
        let processed = processed.clone();
        move |mut frames| {
            frames.limit(128);
            let Some(stream) = frames.request() else { return };
            frames.go_away(EVERY_STREAM, 0);
            processed.fetch_add(1, Ordering::SeqCst);
            frames.answer(stream, "ok");
            if let Some(later) = frames.request() {
                frames.go_away(later, 0);
                processed.fetch_add(1, Ordering::SeqCst);
                frames.answer(later, "ok");
            }
            frames.wait_for_close();
        }
    });
    let host = server.host();
    host.submit(requests(&server.url(), 60));
    all_are_answered(&host, 60);
    assert_eq!(processed.load(Ordering::SeqCst), 60);
}

/// What a GOAWAY does not disclaim may have been processed: that the connection ends then is no reason to send it at most once
/// a second time.
#[test]
fn case_36_what_a_goaway_covers_may_have_been_processed() {
    let server = FrameServer::start(|mut frames| {
        frames.greet();
        while let Some(stream) = frames.request() {
            if frames.number > 1 || stream == 1 {
                frames.answer(stream, "ok");
            } else {
                frames.go_away(stream, 0);
                return;
            }
        }
    });
    let host = server.host();
    host.get(&server.url());
    let failure = host.carry_out(at_most_once(get(&server.url()))).result.unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::NoReply);
    assert_eq!(server.connections(), 1);
    assert_eq!(text(&host.carry_out(post(&server.url(), "{}")).result.unwrap()), "ok");
    assert_eq!(server.connections(), 2);
}

/// What comes on an idle connection is looked at before the next request goes out on it: a GOAWAY or the end, which there is another
/// connection for, or nothing of that kind. The engine's thread is busy from before it comes until the request starts.
#[test]
fn case_36_what_has_come_on_an_idle_connection() {
    type Say = fn(&mut Frames);
    let says: [(Say, usize); 3] = [(Frames::ping, 1), (|frames| frames.go_away(1, 0), 10), (|_| {}, 10)];
    for (say, connections) in says {
        let (go, may_say) = mpsc::channel::<()>();
        let (said, has_said) = mpsc::channel();
        let may_say = Mutex::new(may_say);
        let processed = Arc::<AtomicUsize>::default();
        let server = FrameServer::start({
            let processed = processed.clone();
            move |mut frames| {
                frames.greet();
                while let Some(stream) = frames.request() {
                    processed.fetch_add(1, Ordering::SeqCst);
                    frames.answer(stream, "ok");
                    if may_say.lock().unwrap().recv().is_err() {
                        return;
                    }
                    say(&mut frames);
                    if connections > 1 {
                        frames.end();
                    }
                    said.send(()).unwrap();
                }
            }
        });
        let (host, busy) = Host::busy(server.policy(), go, has_said);
        for count in 1..=10 {
            busy.store(count > 1, Ordering::SeqCst);
            let outcome = host.carry_out(at_most_once(post(&server.url(), "{}")));
            assert_eq!(text(&outcome.result.unwrap()), "ok");
            assert_eq!(processed.load(Ordering::SeqCst), count);
        }
        assert_eq!(server.connections(), connections);
    }
}

#[test]
fn case_36_a_refused_stream_is_sent_again_also_on_a_new_connection() {
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let server = FrameServer::start({
        let refusals = refusals.clone();
        move |mut frames| {
            frames.greet();
            while let Some(stream) = frames.request() {
                let mut refusals = refusals.lock().unwrap();
                if refusals.len() < 8 {
                    refusals.push(Instant::now());
                    frames.reset(stream, REFUSED_STREAM);
                } else {
                    frames.answer(stream, "ok");
                }
            }
        }
    });
    let host = server.host();
    assert_eq!(text(&host.carry_out(at_most_once(post(&server.url(), "{}"))).result.unwrap()), "ok");
    assert_eq!(server.connections(), 1);
    // The pauses: 1 ms, 2 ms, 4 ms, and so on.
    let refusals = refusals.lock().unwrap();
    let pauses = refusals.windows(2).map(|pair| pair[1] - pair[0]);
    for (nth, pause) in pauses.enumerate() {
        assert!(pause >= Duration::from_millis(1 << nth), "{nth}: {pause:?}");
    }
}

/// It ends by its deadline, and has not been sent as fast as the machine can meanwhile.
#[test]
fn case_36_a_server_that_refuses_everything() {
    let sent = Arc::<AtomicUsize>::default();
    let refuse = |by_going_away: bool| {
        let sent = sent.clone();
        FrameServer::start(move |mut frames| {
            frames.greet();
            while let Some(stream) = frames.request() {
                sent.fetch_add(1, Ordering::SeqCst);
                if by_going_away {
                    frames.go_away(0, 0);
                } else {
                    frames.reset(stream, REFUSED_STREAM);
                }
            }
        })
    };
    for server in [refuse(false), refuse(true)] {
        let (target, timeout) = (Target::parse(&server.url()).unwrap(), Duration::from_millis(1000));
        let request = Request::new(1, "POST", target, Bytes::new(), timeout).unwrap();
        let before = sent.load(Ordering::SeqCst);
        let failure = server.host().carry_out(request).result.unwrap_err();
        assert!(failure.timed_out(), "{failure}");
        let sent = sent.load(Ordering::SeqCst) - before;
        assert!((3..=16).contains(&sent), "{sent}");
    }
}

/// It has answered, and wants no more of the request (RFC 9113 §8.1), whose body is not half sent: that is no refusal.
#[test]
fn case_36_a_server_that_answers_before_it_has_the_whole_request() {
    let server = FrameServer::start(|mut frames| {
        frames.greet();
        while let Some(stream) = frames.request() {
            frames.answer(stream, "ok");
            frames.reset(stream, 0);
        }
    });
    let host = server.host();
    let body = "x".repeat(1 << 20);
    for _ in 0..3 {
        assert_eq!(text(&host.carry_out(post(&server.url(), &body)).result.unwrap()), "ok");
    }
    assert_eq!(server.connections(), 1);
}

/// How a server asks for HTTP/1.1.
#[derive(Clone, Copy, Debug)]
enum Asks {
    ByStream,
    ByGoaway,
}

fn wanting_http1(asks: Asks) -> FrameServer {
    FrameServer::start(move |mut frames| {
        frames.greet();
        while let Some(stream) = frames.request() {
            match asks {
                Asks::ByStream => frames.reset(stream, HTTP_1_1_REQUIRED),
                Asks::ByGoaway => frames.go_away(0, HTTP_1_1_REQUIRED),
            }
        }
    })
}

#[test]
fn case_36_a_server_that_wants_http_1_gets_it_and_is_remembered() {
    for asks in [Asks::ByStream, Asks::ByGoaway] {
        let server = wanting_http1(asks);
        let host = server.host();
        for count in 1..=3 {
            let outcome = host.carry_out(post(&server.url(), "{}"));
            assert_eq!(outcome.trace().unwrap().version, Some("HTTP/1.1"));
            assert_eq!(text(&outcome.result.unwrap()), "over HTTP/1.1", "{asks:?}");
            assert_eq!((server.http1_requests(), server.connections()), (count, 2), "{asks:?}");
        }
    }
}

/// A GOAWAY says that nothing was processed, a stream's error does not (RFC 9113 §8.7): the next request knows better.
#[test]
fn case_36_at_most_once_over_http_1_where_nothing_was_processed() {
    let server = wanting_http1(Asks::ByGoaway);
    let outcome = server.host().carry_out(at_most_once(post(&server.url(), "{}")));
    assert_eq!(text(&outcome.result.unwrap()), "over HTTP/1.1");
    let server = wanting_http1(Asks::ByStream);
    let host = server.host();
    let failure = host.carry_out(at_most_once(post(&server.url(), "{}"))).result.unwrap_err();
    assert_eq!((failure.kind(), server.http1_requests()), (&FailureKind::Receive, 0));
    let outcome = host.carry_out(at_most_once(post(&server.url(), "{}")));
    assert_eq!(text(&outcome.result.unwrap()), "over HTTP/1.1");
}

#[test]
fn case_36_many_at_once_over_http_1() {
    let server = wanting_http1(Asks::ByStream);
    let host = server.host();
    host.submit((0..40).map(|key| request(key, "POST", &server.url(), &[], "{}")).collect());
    for outcome in host.wait_for(40) {
        assert_eq!(text(&outcome.result.unwrap()), "over HTTP/1.1");
    }
    assert_eq!(server.http1_requests(), 40);
}

#[test]
fn case_36_through_a_proxy() {
    let server = FrameServer::start(|mut frames| {
        frames.greet();
        if let Some(stream) = frames.request() {
            frames.answer(stream, "ok");
            frames.go_away(stream, 0);
            frames.wait_for_close();
        }
    });
    for scheme in ["http", "socks5h"] {
        let proxy = ProxyServer::start(Manner::default());
        let proxy = Proxy::parse(&format!("{scheme}://{}", proxy.address)).unwrap();
        let host = Host::new(Policy { proxy: Some(proxy), ..server.policy() });
        host.submit(requests(&server.url(), 20));
        all_are_answered(&host, 20);
    }
}

/// Takes so many streams at once, and answers all when so many have come in all; how many came on which connection.
fn holding(limit: u32, all: usize) -> (FrameServer, Arc<Mutex<HashMap<usize, usize>>>) {
    let came = Arc::new(Mutex::new(HashMap::new()));
    let server = FrameServer::start({
        let came = came.clone();
        move |mut frames| {
            frames.limit(limit);
            let mut streams = Vec::new();
            while streams.len() < limit as usize && came.lock().unwrap().values().sum::<usize>() < all {
                let Some(stream) = frames.request() else { return };
                streams.push(stream);
                *came.lock().unwrap().entry(frames.number).or_default() += 1;
                if came.lock().unwrap().values().sum::<usize>() == all {
                    break;
                }
            }
            eventually("all come", || came.lock().unwrap().values().sum::<usize>() == all);
            for stream in streams {
                frames.answer(stream, "ok");
            }
            frames.wait_for_close();
        }
    });
    (server, came)
}

#[test]
fn case_36a_another_connection_is_opened_at_the_stream_limit() {
    let (server, came) = holding(100, 200);
    let host = server.host();
    host.submit(requests(&server.url(), 200));
    all_are_answered(&host, 200);
    assert_eq!(came.lock().unwrap().values().copied().collect::<Vec<_>>(), [100, 100]);
}

/// Not more of them than requests may be in flight, however few streams each takes.
#[test]
fn case_36a_within_what_may_be_in_flight() {
    let (server, came) = holding(1, 5);
    let host = Host::new(Policy { max_in_flight_per_origin: 5, ..server.policy() });
    host.submit(requests(&server.url(), 5));
    all_are_answered(&host, 5);
    assert_eq!((came.lock().unwrap().len(), server.connections()), (5, 5));
}

/// A server that takes none for a while is waited for, and one that lowers its limit is not asked for more.
#[test]
fn case_36a_the_limit_is_the_one_that_the_server_has_told_last() {
    let (open, opened) = mpsc::channel();
    let opened = Mutex::new(opened);
    let server = FrameServer::start(move |mut frames| {
        frames.greet();
        let first = frames.request().unwrap();
        frames.limit(0);
        frames.answer(first, "ok");
        if frames.number > 1 {
            return frames.wait_for_close();
        }
        opened.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        frames.limit(2);
        while let Some(stream) = frames.request() {
            frames.answer(stream, "ok");
        }
    });
    let host = server.host();
    host.get(&server.url());
    host.submit(requests(&server.url(), 10));
    // They wait for longer than those who wait for any other connection.
    std::thread::sleep(Duration::from_millis(300));
    open.send(()).unwrap();
    all_are_answered(&host, 10);
    assert_eq!(server.connections(), 1);
}
