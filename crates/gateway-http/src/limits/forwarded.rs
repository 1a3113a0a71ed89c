//! Who sent a request that came through proxies: `X-Forwarded-For` has one address for each, the last added last. Only what
//! proxies of one's own have added is true; the rest anybody could have written.

use std::net::{IpAddr, SocketAddr};

use model::IpRange;

/// The client behind a connection from `peer`: `peer` itself unless it is trusted, otherwise the last address in the headers
/// that is not itself trusted.
pub(crate) fn client_address<'h>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'h [u8]>,
    trusted: &[IpRange],
) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    for header in forwarded_for.rev() {
        for entry in header.rsplit(|byte| *byte == b',') {
            // What is no address was not added by a proxy that can be trusted with it.
            let Some(address) = parse(entry) else { return client };
            client = address;
            if !is_trusted(client) {
                return client;
            }
        }
    }
    client
}

fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = text.parse().or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_have_added_is_believed() {
        let trusted = ["127.0.0.1", "10.0.0.0/8"].map(|range| range.parse().unwrap());
        let client = |peer: &str, headers: &[&str]| {
            client_address(peer.parse().unwrap(), headers.iter().map(|header| header.as_bytes()), &trusted)
                .to_string()
        };
        assert_eq!(client("192.0.2.1", &["198.51.100.1"]), "192.0.2.1", "anybody can write a header");
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["203.0.113.9, 198.51.100.1, 10.1.1.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["203.0.113.9", "198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, unknown, 10.1.1.1"]), "10.1.1.1");
        assert_eq!(client("::ffff:127.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["10.0.0.1, 10.0.0.2"]), "10.0.0.1");
    }
}
