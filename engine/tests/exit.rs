//! A host that exits while its engine is at work. In a process of its own, which gets no further than this.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use engine::{Engine, Policy, Request, Target};

#[test]
fn before_the_exit_no_engine_gets_into_openssl_any_more() {
    let engine = Engine::start(Policy::default(), || {}).unwrap();
    let ask = |key| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://127.0.0.1:{}/", listener.local_addr().unwrap().port());
        let request = Request::new(key, "GET", Target::parse(&url).unwrap(), Bytes::new(), Duration::from_secs(60));
        engine.submit(vec![request.unwrap()]).unwrap();
        listener.accept().unwrap().0
    };
    let mut before = ask(1);
    assert_eq!(first_byte(&mut before, Duration::from_secs(60)), Some(22), "a handshake begins");
    engine::before_exit();
    // A connection is opened, and nothing is said on it.
    let mut after = ask(2);
    assert_eq!(first_byte(&mut after, Duration::from_millis(500)), None);
    // To drop it would be to wait for it.
    std::mem::forget(engine);
}

fn first_byte(stream: &mut TcpStream, patience: Duration) -> Option<u8> {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(1) => Some(byte[0]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        other => panic!("{other:?}"),
    }
}
