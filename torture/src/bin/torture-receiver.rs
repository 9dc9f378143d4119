//! The receiver, as a process that can be killed. Arguments: the port, which its parent holds, and the file to write to.
//! Ends when its input does, so that it cannot outlive who started it.

use std::io::{self, Read};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let file = arguments.next().expect("a file");
    let _receiver = torture::receive(port, file.as_ref());
    println!("ready");
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
