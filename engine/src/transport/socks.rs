//! SOCKS 5 (RFC 1928), with user name and password (RFC 1929).

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Host;

use crate::message::failure::Failure;
use crate::transport::credentials::Credentials;

const VERSION: u8 = 5;
/// Of the negotiation of user name and password.
const AUTHENTICATION_VERSION: u8 = 1;

const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks the proxy at the other end of `stream` to connect us to a host.
pub(crate) async fn connect<S>(
    stream: &mut S,
    host: &Host<&str>,
    port: u16,
    credentials: Option<&Credentials>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods: &[u8] =
        if credentials.is_some() { &[NO_AUTHENTICATION, USER_AND_PASSWORD] } else { &[NO_AUTHENTICATION] };
    let greeting = [&[VERSION, methods.len() as u8], methods].concat();
    stream.write_all(&greeting).await.map_err(Failure::proxy)?;
    match (read(stream).await?, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USER_AND_PASSWORD], Some(credentials)) => authenticate(stream, credentials).await?,
        ([VERSION, _], _) => return Err(Failure::proxy("the proxy wants another kind of authentication")),
        _ => return Err(not_socks()),
    }
    let request = [&[VERSION, CONNECT, 0], &address(host)?[..], &port.to_be_bytes()].concat();
    stream.write_all(&request).await.map_err(Failure::proxy)?;
    let [version, reply, _, kind] = read(stream).await?;
    if version != VERSION {
        return Err(not_socks());
    }
    if reply != 0 {
        return Err(Failure::proxy(format!("the proxy refused to connect: {}", describe(reply))));
    }
    // The address that the proxy connects from: of no interest, but in the way.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => read::<1, _>(stream).await?[0].into(),
        _ => return Err(not_socks()),
    };
    stream.read_exact(&mut vec![0; length + 2]).await.map_err(Failure::proxy)?;
    Ok(())
}

async fn authenticate<S>(stream: &mut S, credentials: &Credentials) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Credentials { user, password } = credentials;
    // That each length fits into a byte was seen to before they came here.
    let message = [&[AUTHENTICATION_VERSION, user.len() as u8], &user[..], &[password.len() as u8], password].concat();
    stream.write_all(&message).await.map_err(Failure::proxy)?;
    match read(stream).await? {
        [_, 0] => Ok(()),
        _ => Err(Failure::proxy("the proxy does not accept user name and password")),
    }
}

fn address(host: &Host<&str>) -> Result<Vec<u8>, Failure> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::from(*address),
        Host::Ipv6(address) => IpAddr::from(*address),
        Host::Domain(name) => {
            let length =
                u8::try_from(name.len()).map_err(|_| Failure::proxy("the host's name is too long for SOCKS"))?;
            return Ok([&[NAME, length], name.as_bytes()].concat());
        }
    };
    Ok(match address {
        IpAddr::V4(address) => [&[IPV4][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[IPV6][..], &address.octets()].concat(),
    })
}

async fn read<const N: usize, S>(stream: &mut S) -> Result<[u8; N], Failure>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(Failure::proxy)?;
    Ok(bytes)
}

fn not_socks() -> Failure {
    Failure::proxy("the proxy does not speak SOCKS 5")
}

/// What a reply means (RFC 1928 §6).
fn describe(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "unknown reason",
    }
}
