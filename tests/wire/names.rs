//! Names, beside a name server that hangs, fails, changes its mind, or has more to say than fits.

mod hanging;
mod localhost;
mod looked_up;

use testkit::{Answer, Call, NameServer, Network, Response, response};

use crate::fixture::Fixture;

/// Where the name server is that resolv.conf names.
const NAME_SERVER: &str = "127.0.0.1";
const RESOLV_CONF: &str = "nameserver 127.0.0.1\n";

/// A network with a name server of its own.
fn network() -> Network {
    Network::with(&["203.0.113.7", "203.0.113.8"]).asking(RESOLV_CONF)
}

/// A name server that knows `good.test` and what is below it, and says nothing about `dead.test` and what is below that.
fn name_server() -> NameServer {
    let server = NameServer::start(NAME_SERVER);
    for name in ["good.test", "*.good.test"] {
        server.point(name, &["127.0.0.1"]);
    }
    for name in ["dead.test", "*.dead.test"] {
        server.set(name, Answer::Silence);
    }
    server
}

impl Fixture {
    /// Sends a GET to a path of the receiver by a name, with many milliseconds' time, and gives the id.
    #[track_caller]
    fn ask_by_name(&mut self, name: &str, path: &str, milliseconds: u32) -> i64 {
        let url = format!("http://{name}:{}{path}", self.receiver.port());
        self.send(Call::get(&url).timeout(milliseconds))
    }

    /// Sends a GET to a path of the receiver by a name, and waits for the response. The connection is closed afterwards.
    #[track_caller]
    fn get_by_name(&mut self, name: &str) -> Response {
        let id = self.ask_by_name(name, "/half-close", 5000);
        response(&mut self.client, id)
    }
}
