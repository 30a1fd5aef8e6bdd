//! Where a request really comes from, and whether it came encrypted.
//!
//! Forwarded headers count only from trusted proxies. Of `X-Forwarded-For` the
//! rightmost address that is no trusted proxy is the caller: everything left of
//! it anybody could have written. Of `X-Forwarded-Proto` the last scheme counts,
//! for it is what the proxy next to us wrote.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::http::listener::Peer;

/// A request's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// Whether the caller's connection is encrypted.
    pub encrypted: bool,
}

/// The origin of a request.
pub fn of(peer: Option<Peer>, headers: &HeaderMap, proxies: &[IpNet]) -> Origin {
    let Some(peer) = peer else {
        return Origin {
            address: None,
            encrypted: false,
        };
    };
    let address = canonical(peer.address.ip());
    if !trusted(address, proxies) {
        return Origin {
            address: Some(address),
            encrypted: peer.tls,
        };
    }
    let mut caller = address;
    for hop in last_first(headers, "x-forwarded-for") {
        let Some(hop) = parse(hop) else { break };
        caller = hop;
        if !trusted(hop, proxies) {
            break;
        }
    }
    let encrypted = last_first(headers, "x-forwarded-proto")
        .next()
        .map_or(peer.tls, |scheme| {
            scheme.trim().eq_ignore_ascii_case("https")
        });
    Origin {
        address: Some(caller),
        encrypted,
    }
}

/// The items of a header that every proxy appends to, those of the nearest proxy first.
fn last_first<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().rev();
    values
        // What is no text is an item that means nothing, rather than none.
        .map(|value| value.to_str().unwrap_or_default())
        .flat_map(|value| value.rsplit(','))
}

fn trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// An address with or without a port, as proxies write it, with or without the brackets of IPv6.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = match inside {
        Some(inside) => inside.parse().map(IpAddr::V6).ok(),
        None => text.parse::<IpAddr>().ok(),
    };
    bare.or_else(|| {
        text.parse::<std::net::SocketAddr>()
            .ok()
            .map(|address| address.ip())
    })
    .map(canonical)
}

/// IPv4 addresses that arrive through an IPv6 socket are IPv4 addresses.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, forwarded: &[&str], protos: &[&str], proxies: &[&str]) -> Origin {
        let peer = Peer {
            address: format!("{peer}:1").parse().unwrap(),
            tls: false,
        };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        for proto in protos {
            headers.append("x-forwarded-proto", proto.parse().unwrap());
        }
        let proxies: Vec<_> = proxies
            .iter()
            .map(|network| network.parse().unwrap())
            .collect();
        of(Some(peer), &headers, &proxies)
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn strangers_cannot_forge_their_address_or_scheme() {
        let forged = origin("203.0.113.9", &["10.0.0.1"], &["https"], &["10.0.0.0/8"]);
        assert_eq!(
            forged,
            Origin {
                address: address("203.0.113.9"),
                encrypted: false
            }
        );
    }

    #[test]
    fn the_rightmost_stranger_behind_trusted_proxies_is_the_caller() {
        let proxies = ["10.0.0.0/8"];
        let behind = |forwarded: &[&str]| origin("10.0.0.1", forwarded, &[], &proxies).address;
        assert_eq!(behind(&["1.1.1.1, 203.0.113.9"]), address("203.0.113.9"));
        assert_eq!(
            behind(&["1.1.1.1", "203.0.113.9, 10.0.0.2"]),
            address("203.0.113.9")
        );
        assert_eq!(behind(&["203.0.113.9:4711"]), address("203.0.113.9"));
        for written in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711"] {
            assert_eq!(behind(&[written]), address("2001:db8::1"));
        }
        assert_eq!(behind(&["nonsense", "[]"]), address("10.0.0.1"));
        assert_eq!(behind(&[]), address("10.0.0.1"));
    }

    #[test]
    fn a_trusted_proxy_tells_the_scheme() {
        let encrypted =
            |protos: &[&str]| origin("10.0.0.1", &[], protos, &["10.0.0.0/8"]).encrypted;
        assert!(encrypted(&["HTTPS"]));
        assert!(!encrypted(&["http"]));
        assert!(!encrypted(&[]));
    }

    #[test]
    fn of_several_schemes_the_nearest_proxys_counts() {
        let encrypted =
            |protos: &[&str]| origin("10.0.0.1", &[], protos, &["10.0.0.0/8"]).encrypted;
        assert!(encrypted(&["http, https"]));
        assert!(!encrypted(&["https, http"]));
        assert!(encrypted(&["http", "https"]));
        assert!(!encrypted(&["https", "http"]));
        assert!(!encrypted(&["https", "http, "]));
    }
}
