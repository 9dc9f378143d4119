//! A name server that misbehaves on command, for a network of a test's own.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use socket2::SockRef;

/// The port that resolv.conf cannot change.
const PORT: u16 = 53;

/// Bytes of questions that may come at once: what is asked again, seconds later, is not what a test counts.
const BACKLOG: usize = 4 << 20;

/// Answers what it is told to. What it was told nothing about does not exist.
///
/// It serves until the test's process ends.
pub struct NameServer(Arc<Shared>);

/// What becomes of the questions about a name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// The same, but only over TCP: what is sent by UDP is truncated.
    OverTcp(Vec<IpAddr>),
    /// The same, after a while.
    Late(Duration, Vec<IpAddr>),
    /// `SERVFAIL`.
    Fails,
    /// None comes.
    Silence,
}

/// A question that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameQuestion {
    /// The name, without the dot of the root.
    pub name: String,
    /// Whether it was asked for addresses of IPv6.
    pub ipv6: bool,
    /// Whether it came by TCP.
    pub tcp: bool,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, Answer>>,
    questions: Mutex<Vec<NameQuestion>>,
}

impl NameServer {
    /// Starts one on an address of the network.
    pub fn start(address: &str) -> Self {
        let address: IpAddr = address.parse().expect("an address");
        let shared = Arc::<Shared>::default();
        let udp = UdpSocket::bind((address, PORT)).expect("bind the port of name servers");
        SockRef::from(&udp).set_recv_buffer_size(BACKLOG).expect("a buffer for many questions");
        let tcp = TcpListener::bind((address, PORT)).expect("bind the port of name servers");
        let (by_udp, by_tcp) = (shared.clone(), shared.clone());
        thread::spawn(move || serve_udp(&Arc::new(udp), &by_udp));
        thread::spawn(move || serve_tcp(&tcp, &by_tcp));
        Self(shared)
    }

    /// Says what becomes of the questions about a name from now on; of those below a domain where it is `*.domain`.
    pub fn set(&self, name: &str, answer: Answer) {
        self.0.answers.lock().expect("the answers").insert(name.to_owned(), answer);
    }

    /// Has a name point to these addresses from now on.
    pub fn point(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        self.set(name, Answer::Addresses(addresses));
    }

    /// The questions that have come.
    pub fn questions(&self) -> Vec<NameQuestion> {
        self.0.questions.lock().expect("the questions").clone()
    }

    /// How often a name was asked for: each look-up asks for IPv4 and IPv6.
    pub fn look_ups(&self, name: &str) -> usize {
        let questions = self.0.questions.lock().expect("the questions");
        questions.iter().filter(|question| question.name == name && !question.ipv6 && !question.tcp).count()
    }
}

fn serve_udp(socket: &Arc<UdpSocket>, shared: &Arc<Shared>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).expect("receive a question");
        let Some((delay, reply)) = shared.reply(&buffer[..length], false) else { continue };
        let socket = socket.clone();
        // Who asked may be gone.
        let send = move || _ = socket.send_to(&reply, from);
        if delay.is_zero() {
            send();
        } else {
            thread::spawn(move || {
                thread::sleep(delay);
                send();
            });
        }
    }
}

fn serve_tcp(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let (mut stream, shared) = (stream.expect("accept a connection"), shared.clone());
        // Until the other end has asked all its questions.
        thread::spawn(move || while answer_by_tcp(&mut stream, &shared).is_ok() {});
    }
}

/// Each message has its length before it (RFC 1035 §4.2.2).
fn answer_by_tcp(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut question = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut question)?;
    let Some((delay, reply)) = shared.reply(&question, true) else { return Ok(()) };
    thread::sleep(delay);
    let length = u16::try_from(reply.len()).expect("a reply of at most 64 KiB");
    stream.write_all(&[&length.to_be_bytes()[..], &reply].concat())
}

impl Shared {
    /// What to answer, and after how long; nothing to what is to remain without an answer.
    fn reply(&self, message: &[u8], tcp: bool) -> Option<(Duration, Vec<u8>)> {
        let packet = Packet::parse(message).ok()?;
        let question = packet.questions.first()?.clone();
        let name = question.qname.to_string().to_lowercase();
        let ipv6 = question.qtype == QTYPE::TYPE(TYPE::AAAA);
        self.questions.lock().expect("the questions").push(NameQuestion { name: name.clone(), ipv6, tcp });

        let mut reply = Packet::new_reply(packet.id());
        reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
        let mut delay = Duration::ZERO;
        let addresses = match self.answer(&name) {
            Some(Answer::Addresses(addresses)) => addresses,
            Some(Answer::OverTcp(addresses)) if tcp => addresses,
            Some(Answer::OverTcp(_)) => {
                reply.set_flags(PacketFlag::TRUNCATION);
                Vec::new()
            }
            Some(Answer::Late(late, addresses)) => {
                delay = late;
                addresses
            }
            Some(Answer::Fails) => {
                *reply.rcode_mut() = RCODE::ServerFailure;
                Vec::new()
            }
            Some(Answer::Silence) => return None,
            None => {
                *reply.rcode_mut() = RCODE::NameError;
                Vec::new()
            }
        };
        for address in addresses.into_iter().filter(|address| address.is_ipv6() == ipv6) {
            let data = match address {
                IpAddr::V4(address) => RData::A(A::from(address)),
                IpAddr::V6(address) => RData::AAAA(AAAA::from(address)),
            };
            reply.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 0, data));
        }
        reply.questions.push(question);
        Some((delay, reply.build_bytes_vec_compressed().expect("a message")))
    }

    fn answer(&self, name: &str) -> Option<Answer> {
        let answers = self.answers.lock().expect("the answers");
        let below = || name.split_once('.').and_then(|(_, domain)| answers.get(&format!("*.{domain}")));
        answers.get(name).or_else(below).cloned()
    }
}
