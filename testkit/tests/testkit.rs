//! The harness itself: what the other tests take for granted.

use std::io::{Read, Write};
use std::net::TcpStream;

use testkit::{Cluster, Nginx, Receiver, Shutdown, is_running};

/// Sends raw bytes, and returns all that comes until the server closes.
fn talk(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn a_cluster_survives_stop_and_crash_and_leaves_nothing() {
    let mut cluster = Cluster::builder().no_preload().durable().start();
    assert_eq!(cluster.psql("create table t (x int); insert into t values (7); select x from t"), "7");
    cluster.stop(Shutdown::Fast);
    cluster.start();
    assert_eq!(cluster.psql("select x from t"), "7");
    cluster.kill_postmaster();
    cluster.start();
    assert_eq!(cluster.connect().query_one("select x from t", &[]).unwrap().get::<_, i32>(0), 7);
    cluster.wait_for_log("database system was not properly shut down");

    let (pid, data) = (cluster.postmaster_pid(), cluster.data_directory().to_owned());
    drop(cluster);
    assert!(!is_running(pid));
    assert!(!data.parent().unwrap().exists());
}

#[test]
fn a_receiver_records_what_came_as_it_came() {
    let receiver = Receiver::start();
    let head = "POST /status/201?a=b HTTP/1.1\r\nHost: x\r\nX-ODD-case: 1\r\nContent-Length: 4\r\n\r\n";
    let second = "GET /close HTTP/1.1\r\nHost: x\r\n\r\n";
    let reply = talk(receiver.port(), &format!("{head}body{second}"));
    assert!(reply.starts_with("HTTP/1.1 201 Created\r\n"), "{reply}");

    let requests = receiver.wait_for(2);
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str()), ("POST", "/status/201?a=b"));
    assert_eq!(requests[0].headers[1], ("X-ODD-case".to_owned(), "1".to_owned()));
    assert_eq!(requests[0].text(), "body");
    assert_eq!(requests[0].connection, requests[1].connection);
    assert_eq!(receiver.connections(), 1);
}

#[test]
fn a_gate_withholds_the_answer_until_it_is_released() {
    let receiver = Receiver::start();
    let gate = receiver.hold("/close");
    let port = receiver.port();
    let client = std::thread::spawn(move || talk(port, "GET /close HTTP/1.1\r\nHost: x\r\n\r\n"));
    receiver.wait_for(1);
    assert!(!client.is_finished());
    gate.release();
    assert_eq!(client.join().unwrap(), "");
}

#[test]
fn a_refused_port_refuses() {
    let refused = Receiver::refused_port();
    let error = TcpStream::connect(("127.0.0.1", refused.port())).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn nginx_answers_and_logs() {
    let nginx = Nginx::start();
    let url = nginx.url("/status/404");
    let port = url.trim_start_matches("http://127.0.0.1:").split('/').next().unwrap().parse().unwrap();
    let reply = talk(port, "GET /status/404 HTTP/1.0\r\nUser-Agent: test\r\n\r\n");
    assert!(reply.ends_with("not here"), "{reply}");
    let requests = nginx.wait_for(1);
    assert_eq!((requests[0].status.as_str(), requests[0].user_agent.as_str()), ("404", "test"));
}
