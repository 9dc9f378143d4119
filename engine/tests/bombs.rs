//! What a reply that grows a thousandfold costs. A process of its own: it measures the memory of the whole.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use bytes::Bytes;
use engine::{Engine, FailureKind, Policy, Request, Target};
use flate2::Compression;
use flate2::write::GzEncoder;

const LIMIT: usize = 4 << 20;

/// 16 MiB of the same letter, as the reference encoder compresses it.
const BROTLI: &[u8] = b"\xcb\xff\xff?\x00$\xf0\xe2\xb1@r\xef\xff\xf8\xff\xff\x07\x80\x04@\x1c\x16\x80\xee\xfd\xdf";

fn gzip(plain: impl Read) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut plain = plain;
    std::io::copy(&mut plain, &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// 128 KiB of zeros in each block of four bytes (RFC 8878 §3.1.1.2), 1 GiB in all.
fn zstd() -> Vec<u8> {
    // A frame without a length, whose window is 8 MiB.
    let mut frame = b"\x28\xb5\x2f\xfd\x00\x68".to_vec();
    frame.extend(b"\x02\x00\x10\x00".repeat(8192));
    frame
}

fn failure(coding: &str, body: Vec<u8>) -> FailureKind {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        let _ = stream.read(&mut [0]);
    });
    let (notify, notified) = mpsc::channel();
    let policy = Policy { max_response_bytes: LIMIT, ..Policy::default() };
    let engine = Engine::start(policy, move || _ = notify.send(())).unwrap();
    let target = Target::parse(&url).unwrap();
    engine.submit(vec![Request::new(1, "GET", target, Bytes::new(), Duration::from_secs(20)).unwrap()]).unwrap();
    notified.recv().unwrap();
    let mut outcomes = Vec::new();
    engine.drain(&mut outcomes);
    outcomes.remove(0).result.unwrap_err().kind().clone()
}

/// The most memory that this process has ever had, in MiB (Linux).
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[test]
fn a_bomb_ends_at_the_limit_in_bounded_memory() {
    let zeros = gzip(std::io::repeat(0).take(512 << 20));
    let twice = gzip(&zeros[..]);
    let before = peak();
    for (coding, body) in [("gzip", zeros), ("gzip, gzip", twice), ("br", BROTLI.to_vec()), ("zstd", zstd())] {
        assert_eq!(failure(coding, body), FailureKind::TooLarge { limit: LIMIT }, "{coding}");
    }
    let used = peak() - before;
    assert!(used < 64, "{used} MiB");
}

#[test]
fn what_lies_between_two_codings_is_bounded_too() {
    // Padding that the inner decoder passes over, far longer than the limit.
    let padded = (&b"\x50\x2a\x4d\x18\x00\x00\x00\x08"[..]).chain(std::io::repeat(0).take(128 << 20));
    assert_eq!(failure("zstd, gzip", gzip(padded)), FailureKind::TooLarge { limit: LIMIT });
}
