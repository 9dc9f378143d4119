//! Servers and proxies that others wrote, over HTTP/1.1 and HTTP/2.

mod bodies;
mod certificates;
mod client_certificates;
mod connections;
pub(crate) mod proxies;
mod replies;

use testkit::{Authority, Builder, Cluster, Response};

use crate::fixture::Fixture;

/// A server that trusts this authority besides the system's.
fn trusting(authority: &Authority) -> Builder {
    Cluster::builder().conf("pg_net.tls_ca_file", authority.file().to_str().unwrap())
}

impl Fixture {
    /// Bytes of a response.
    fn bytes(&mut self, answer: &Response) -> Option<Vec<u8>> {
        let id = answer.id.unwrap();
        self.value(&format!("select content_bytes from net._http_response where id = {id}"))
    }

    /// The kind of a failure, and what is said about it.
    fn cause(&mut self, answer: &Response) -> (String, String) {
        let select = "select error_kind, error_detail from net._http_response where id = $1";
        let row = self.client.query_one(select, &[&answer.id]).unwrap();
        (row.get(0), row.get(1))
    }
}

/// A header under its name as HTTP/1.1 servers write it, or in lower case.
fn header(answer: &Response, name: &str) -> String {
    let headers = answer.headers.as_ref().unwrap();
    let value = headers.get(name).or_else(|| headers.get(name.to_ascii_lowercase()));
    value.unwrap_or_else(|| panic!("{name} in {headers}")).as_str().unwrap().to_owned()
}
