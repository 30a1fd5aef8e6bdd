//! Free loopback ports for servers that tests start, stop and start again.
//!
//! Guarantees: the port was free a moment ago, lies outside the range from which Linux takes ports
//! for outgoing connections (so that it is still free when a stopped server returns to it), and
//! processes that run side by side begin their search at different places.
//! Must not: be taken as a reservation; nothing can reserve a port for another process.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// First port of the range in which we look.
const FIRST: u32 = 12_000;
/// Number of ports in the range; the last one is below 32768.
const COUNT: u32 = 20_000;
/// Distance between the places where two neighbouring process ids begin; prime to `COUNT`.
const STRIDE: u32 = 977;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A TCP port of 127.0.0.1 on which nobody listens.
pub fn free_port() -> Result<u16> {
    let start = std::process::id().wrapping_mul(STRIDE) % COUNT;
    for _ in 0..COUNT {
        let offset = (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    None.context("no free TCP port on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_differ_and_can_be_bound() {
        let (first, second) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(first, second);
        for port in [first, second] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
