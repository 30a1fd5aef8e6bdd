//! Which addresses deliveries may reach: those of the public internet, and no other.
//!
//! After the registries of special-purpose addresses (RFC 6890) and the address space assigned to
//! unicast. What is assigned to nobody yet, or to a purpose, is not public. An IPv6 address that
//! stands for an IPv4 address is judged by that one, as that is where it leads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Networks of IPv4 that are not the public internet.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),       // this network
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // carriers' own
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local; clouds' metadata
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // relays of 6to4
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// All that is assigned to unicast in IPv6. Outside of it are, among others, loopback, link-local,
/// site-local and unique local addresses, multicast, `100::/64` and `5f00::/16`.
const UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Networks within that are not the public internet.
const SPECIAL_V6: [Ipv6Net; 3] = [
    v6([0x2001, 0, 0], 23), // protocol assignments, Teredo and ORCHID among them
    v6([0x2001, 0xdb8, 0], 32), // documentation
    v6([0x3fff, 0, 0], 20), // documentation
];

/// IPv4 addresses as IPv6 sockets write them.
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// IPv4 addresses behind the well-known prefix of NAT64.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);
/// IPv4 addresses of 6to4, in the 32 bits after the prefix.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0], 16);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// Whether an address is on the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            embedded(address).map_or_else(|| is_public_v6(address), is_public_v4)
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    UNICAST_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, a, b, .., y, z] = address.segments();
    let (high, low) = if SIX_TO_FOUR.contains(&address) {
        (a, b)
    } else if MAPPED.contains(&address) || NAT64.contains(&address) {
        (y, z)
    } else {
        return None;
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    /// The public part of IPv4, as ranges with both their ends. Between them is everything else.
    const PUBLIC_V4: [(&str, &str); 13] = [
        ("1.0.0.0", "9.255.255.255"),
        ("11.0.0.0", "100.63.255.255"),
        ("100.128.0.0", "126.255.255.255"),
        ("128.0.0.0", "169.253.255.255"),
        ("169.255.0.0", "172.15.255.255"),
        ("172.32.0.0", "191.255.255.255"),
        ("192.0.1.0", "192.0.1.255"),
        ("192.0.3.0", "192.88.98.255"),
        ("192.88.100.0", "192.167.255.255"),
        ("192.169.0.0", "198.17.255.255"),
        ("198.20.0.0", "198.51.99.255"),
        ("198.51.101.0", "203.0.112.255"),
        ("203.0.114.0", "223.255.255.255"),
    ];

    const SPECIAL: [&str; 34] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001::/32",
        "2001:10::/28",
        "2001:20::/28",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "4000::/2",
        "8000::/2",
    ];

    fn public(address: &str) -> bool {
        is_public(address.parse().unwrap())
    }

    /// The addresses of IPv6 that stand for one of IPv4.
    fn embeddings(address: Ipv4Addr) -> [Ipv6Addr; 3] {
        let [a, b, c, d] = address.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        [
            address.to_ipv6_mapped(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ]
    }

    #[test]
    fn special_networks_are_refused_from_end_to_end() {
        for network in SPECIAL {
            let network: IpNet = network.parse().unwrap();
            assert!(!is_public(network.network()), "the first of {network}");
            assert!(!is_public(network.broadcast()), "the last of {network}");
        }
    }

    #[test]
    fn public_ranges_of_ipv4_end_where_special_ones_begin() {
        for (first, last) in PUBLIC_V4 {
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            assert!(is_public_v4(first), "{first}");
            assert!(is_public_v4(last), "{last}");
            let (before, after) = (first.to_bits() - 1, last.to_bits() + 1);
            assert!(!is_public_v4(Ipv4Addr::from_bits(before)), "before {first}");
            assert!(!is_public_v4(Ipv4Addr::from_bits(after)), "after {last}");
        }
    }

    #[test]
    fn addresses_all_over_ipv4_are_judged_as_the_ranges_say() {
        let ranges = PUBLIC_V4.map(|(first, last)| {
            let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
            bits(first)..=bits(last)
        });
        for bits in (0..=u32::MAX).step_by(9_973) {
            let expected = ranges.iter().any(|range| range.contains(&bits));
            let address = Ipv4Addr::from_bits(bits);
            assert_eq!(is_public_v4(address), expected, "{address}");
        }
    }

    #[test]
    fn an_address_within_an_address_decides() {
        for network in SPECIAL {
            let IpNet::V4(network) = network.parse().unwrap() else {
                continue;
            };
            for address in [network.network(), network.broadcast()] {
                for embedding in embeddings(address) {
                    assert!(!is_public(embedding.into()), "{embedding} is {address}");
                }
            }
        }
        for embedding in embeddings(Ipv4Addr::new(8, 8, 8, 8)) {
            assert!(is_public(embedding.into()), "{embedding}");
        }
    }

    #[test]
    fn unicast_of_ipv6_is_public() {
        for address in [
            "2000::",
            "2001:200::",
            "2001:4860:4860::8888",
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
            "2003::",
            "2606:4700:4700::1111",
            "2a00:1450:4001:82a::200e",
            "3ffe:ffff::1",
            "3fff:1000::",
            "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(public(address), "{address}");
        }
        for address in ["1fff:ffff::", "::ffff:0:808:808", "64:ff9b:0:1::808:808"] {
            assert!(!public(address), "{address}");
        }
    }
}
