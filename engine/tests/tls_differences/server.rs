use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::certificate::{Identity, file};

/// `openssl s_server`, which answers each request with a page about the connection.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Shows the first of these certificates, with the others as what leads to it.
    pub(crate) fn start(chain: &[&Identity], arguments: &[&str]) -> Self {
        let shown = file(chain[0].pem());
        let issuers = file(chain[1..].iter().map(|identity| identity.pem()).collect::<String>());
        let key = file(chain[0].key_pem());
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"]).arg(&shown);
        if chain.len() > 1 {
            command.arg("-cert_chain").arg(&issuers);
        }
        let mut process = command
            .arg("-key")
            .arg(&key)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "s_server {arguments:?} does not start");
            if let Some(port) = line.strip_prefix("ACCEPT ").and_then(|at| at.trim().rsplit(':').next()) {
                break port.parse().unwrap();
            }
        };
        thread::spawn(move || said.read_to_end(&mut Vec::new()));
        Self { process, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that says this to everybody, and closes.
pub(crate) fn saying(what: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let _ = stream.peek(&mut [0]);
                let _ = stream.write_all(what);
            });
        }
    });
    port
}

/// A proxy that takes any name for this machine: certificates can then be for any.
pub(crate) fn proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || connect(stream));
        }
    });
    address
}

fn connect(client: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?);
    let mut first = String::new();
    lines.read_line(&mut first).ok()?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
    }
    let port = first.split(' ').nth(1)?.rsplit(':').next()?.parse::<u16>().ok()?;
    let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    (&client).write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_server, mut to_client) = (server.try_clone().ok()?, client);
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let mut to_server = server;
    let _ = std::io::copy(&mut lines, &mut to_server);
    let _ = to_server.shutdown(std::net::Shutdown::Write);
    back.join().ok()
}
