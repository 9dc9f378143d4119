//! A receiver to look at. Prints its port and one that refuses connections, then each request as a line of method, target
//! and body with tabs between. Ends when its input does, so that it cannot outlive who started it.

use std::io::Read;
use std::{process, thread};

use testkit::{Receiver, Request};

fn main() {
    let receiver = Receiver::start();
    let refused = Receiver::refused_port();
    println!("{} {}", receiver.port(), refused.port());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let mut seen = 0;
    loop {
        for request in &receiver.wait_beyond(seen)[seen..] {
            println!("{}", line(request));
            seen += 1;
        }
    }
}

fn line(request: &Request) -> String {
    format!("{}\t{}\t{}", request.method, request.target, request.text())
}
