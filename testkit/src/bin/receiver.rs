//! A receiver to look at: prints its port, then a line for each request. Ends when its input does.

use std::io::Read;
use std::thread;

use testkit::{Receiver, Request};

fn main() {
    let receiver = Receiver::start();
    println!("{}", receiver.port());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
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
