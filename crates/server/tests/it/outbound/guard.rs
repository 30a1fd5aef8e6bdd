//! Receivers inside the operator's own network are not reached.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide::outbound::Settings;
use bonafide::outbound::resolver::Lookup;
use domain::delivery::Outcome;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::receiver::{Manner, Receiver, Unruly, status};
use super::{outcome, settings};

/// Finds the same addresses for every name, and counts how often it is asked. Without addresses it
/// knows no name.
pub struct Known {
    addresses: Vec<SocketAddr>,
    asked: AtomicUsize,
}

impl Known {
    pub fn new(addresses: &[&str]) -> Self {
        let addresses = addresses
            .iter()
            .map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        Self {
            addresses: addresses.collect(),
            asked: AtomicUsize::new(0),
        }
    }
}

impl Lookup for Known {
    fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = if self.addresses.is_empty() {
            Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
        } else {
            Ok(self.addresses.clone())
        };
        std::future::ready(found).boxed()
    }
}

fn guarded() -> Settings {
    Settings {
        allow_private_receivers: false,
        ..settings()
    }
}

#[tokio::test]
async fn no_spelling_of_loopback_is_connected_to() {
    let receiver = Unruly::start(Manner::Hangs).await;
    let port = receiver.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "[::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "shop.localhost",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            assert_eq!(
                outcome(guarded(), &url).await,
                Outcome::PrivateAddress,
                "{url}"
            );
        }
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_public_name_does_not_lead_inside() {
    let receiver = Receiver::start(|_| status(200)).await;
    let url = format!("http://shop.example:{}/", receiver.port());
    for addresses in [&["127.0.0.1"][..], &["::ffff:127.0.0.1", "10.0.0.1"]] {
        let known = Arc::new(Known::new(addresses));
        let guarded = Settings {
            lookup: known.clone(),
            ..guarded()
        };
        assert_eq!(outcome(guarded, &url).await, Outcome::PrivateAddress);
        // What is judged is what would be connected to: there is no second look-up to lie to.
        assert_eq!(known.asked.load(Ordering::SeqCst), 1);
    }
    assert!(receiver.received().is_empty());
}

/// Leads where it is told to, so that the refusals above are the guard's and nobody else's.
#[tokio::test]
async fn the_same_name_leads_there_when_it_may() {
    let receiver = Receiver::start(|_| status(200)).await;
    let allowed = Settings {
        lookup: Arc::new(Known::new(&["127.0.0.1"])),
        ..settings()
    };
    let url = format!("http://shop.example:{}/", receiver.port());
    assert_eq!(
        outcome(allowed, &url).await,
        Outcome::Delivered { status: 200 }
    );
    let host = format!("shop.example:{}", receiver.port());
    assert_eq!(receiver.received()[0].header("host"), host);

    let url = format!("http://localhost:{}/", receiver.port());
    assert_eq!(
        outcome(settings(), &url).await,
        Outcome::Delivered { status: 200 }
    );
}

#[tokio::test]
async fn an_unknown_name_is_unreachable_and_not_private() {
    let unknown = Settings {
        lookup: Arc::new(Known::new(&[])),
        ..guarded()
    };
    assert_eq!(
        outcome(unknown, "http://shop.example/").await,
        Outcome::Unreachable
    );
}
