//! From a receiver's name to addresses that deliveries may reach.
//!
//! Guarantees: a connection is made to one of the addresses given out here, and to no other, so a
//! name that changes its mind between a check and the connection gains nothing: there is no check
//! before. An address that is not public is never given out, unless private receivers are allowed.
//! Must not: be asked for hosts that are addresses already; [`may_reach`] judges those.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::addresses::is_public;

/// Finds the addresses of a name; their ports do not matter.
pub trait Lookup: Send + Sync {
    /// All addresses of `name`, in the order in which they are to be tried.
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// Asks the system: its file of hosts, its name servers.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let name = name.to_owned();
        async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) }.boxed()
    }
}

/// A receiver without an address that deliveries may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the receiver is at no public address")]
pub struct NotPublic;

/// Gives out public addresses only.
pub struct PublicOnly(pub Arc<dyn Lookup>);

/// Gives out every address.
pub struct Unguarded(pub Arc<dyn Lookup>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str();
        if is_localhost(name) {
            return async { Err(NotPublic.into()) }.boxed();
        }
        let found = self.0.addresses(name);
        async move { Ok(given_out(public(found.await?)?)) }.boxed()
    }
}

impl Resolve for Unguarded {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0.addresses(name.as_str());
        async move { Ok(given_out(found.await?)) }.boxed()
    }
}

fn given_out(addresses: Vec<SocketAddr>) -> Addrs {
    Box::new(addresses.into_iter())
}

/// The public ones of some addresses; a name that has only others is refused.
fn public(mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
    let has_any = !addresses.is_empty();
    addresses.retain(|address| is_public(address.ip()));
    if has_any && addresses.is_empty() {
        return Err(NotPublic);
    }
    Ok(addresses)
}

/// Whether a name means this machine by definition (RFC 6761 §6.3), whatever its name server says.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a delivery may be sent to a URL as far as its text tells: an address in it must be public.
/// Names are judged when they are resolved.
#[must_use]
pub fn may_reach(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Knows the same addresses for every name, and counts who asks.
    struct Fixed(Vec<SocketAddr>, AtomicUsize);

    impl Fixed {
        fn new(addresses: &[&str]) -> Arc<Self> {
            let addresses = addresses.iter().map(|text| {
                let address = text.parse().unwrap();
                SocketAddr::new(address, 0)
            });
            Arc::new(Self(addresses.collect(), AtomicUsize::new(0)))
        }
    }

    impl Lookup for Fixed {
        fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
            self.1.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(self.0.clone())).boxed()
        }
    }

    /// What is given out, or whether the cause of the refusal is [`NotPublic`].
    async fn resolved(guard: &dyn Resolve, name: &str) -> Result<Vec<String>, bool> {
        match guard.resolve(name.parse().unwrap()).await {
            Ok(addresses) => Ok(addresses.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.is::<NotPublic>()),
        }
    }

    #[tokio::test]
    async fn only_public_addresses_are_given_out() {
        let mixed = Fixed::new(&["10.0.0.1", "93.184.216.34", "::1", "2606:4700::1111"]);
        assert_eq!(
            resolved(&PublicOnly(mixed.clone()), "shop.example").await,
            Ok(vec!["93.184.216.34".into(), "2606:4700::1111".into()])
        );
        assert_eq!(
            resolved(&Unguarded(mixed), "shop.example")
                .await
                .unwrap()
                .len(),
            4
        );
        for private in [&["127.0.0.1"][..], &["192.168.1.1", "fe80::1"]] {
            let guard = PublicOnly(Fixed::new(private));
            assert_eq!(resolved(&guard, "shop.example").await, Err(true));
        }
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_private() {
        let guard = PublicOnly(Fixed::new(&[]));
        assert_eq!(resolved(&guard, "shop.example").await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn localhost_is_not_even_looked_up() {
        let lookup = Fixed::new(&["93.184.216.34"]);
        let guard = PublicOnly(lookup.clone());
        for name in [
            "localhost",
            "localhost.",
            "LocalHost",
            "shop.localhost",
            "a.b.localhost.",
        ] {
            assert_eq!(resolved(&guard, name).await, Err(true), "{name}");
        }
        assert_eq!(lookup.1.load(Ordering::SeqCst), 0);
        for name in ["localhost.example", "notlocalhost"] {
            assert!(resolved(&guard, name).await.is_ok(), "{name}");
        }
    }

    #[test]
    fn addresses_are_known_however_they_are_written() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://017700000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://0/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.０.０.１/",
            "http://①②⑦.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0xa9fea9fe/",
            "https://10.0.0.1:8443/",
            "http://[::]/",
            "http://[::1]:8080/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:a00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
        ] {
            assert!(!may_reach(&text.parse().unwrap()), "{text}");
        }
        for text in [
            "http://93.184.216.34/",
            "https://[2606:4700:4700::1111]/",
            "https://shop.example/",
            "https://127.0.0.1.shop.example/",
        ] {
            assert!(may_reach(&text.parse().unwrap()), "{text}");
        }
    }
}
