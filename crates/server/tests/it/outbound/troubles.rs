//! Receivers that are away, slow, endless or somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::response::Response;
use bonafide::outbound::Settings;
use domain::delivery::Outcome;
use futures_util::stream;
use tokio::net::TcpListener;

use super::receiver::{Manner, Receiver, Unruly};
use super::{IMPATIENCE, PATIENCE, outcome, send, settings};

fn impatient() -> Settings {
    Settings {
        timeout: IMPATIENCE,
        ..settings()
    }
}

/// The URL of a port where nobody listens.
async fn deserted() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    for manner in [
        Manner::Hangs,
        Manner::Says("HTTP/1.1 200 OK\r\nContent-Len"),
        Manner::Says("HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        let receiver = Unruly::start(manner).await;
        let began = Instant::now();
        assert_eq!(
            outcome(impatient(), &receiver.url()).await,
            Outcome::Timeout
        );
        let took = began.elapsed();
        assert!(took >= IMPATIENCE && took < PATIENCE / 2, "{took:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_timeout() {
    let receiver = Unruly::start(Manner::Hangs).await;
    let url = format!("https://localhost:{}/", receiver.port());
    assert_eq!(outcome(impatient(), &url).await, Outcome::Timeout);
}

#[tokio::test]
async fn the_status_counts_when_the_body_stalls() {
    let receiver = Unruly::start(Manner::Says(
        "HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\nRetry-After: 7\r\n\r\npart",
    ))
    .await;
    // Time enough for the head to come on a busy machine.
    let settings = Settings {
        timeout: 5 * IMPATIENCE,
        ..settings()
    };
    let answer = send(settings, &receiver.url()).await;
    assert_eq!(answer.outcome, Outcome::Delivered { status: 202 });
    assert_eq!(answer.retry_after.map(|wish| wish.as_secs()), Some(7));
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    const CHUNK: usize = 16 * 1024;
    let given = Arc::new(AtomicUsize::new(0));
    let counted = given.clone();
    let receiver = Receiver::start(move |_| {
        let counted = counted.clone();
        let chunks = stream::repeat_with(move || {
            counted.fetch_add(CHUNK, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; CHUNK]))
        });
        Response::new(Body::from_stream(chunks))
    })
    .await;
    // Reading on until the timeout would be cut short by the test's own, which is shorter.
    assert_eq!(
        outcome(settings(), &receiver.url("/")).await,
        Outcome::Delivered { status: 200 }
    );
    // The socket's own buffers take some more than is read.
    let given = given.load(Ordering::SeqCst);
    assert!(given < 64 * 1024 * 1024, "{given} bytes");
}

#[tokio::test]
async fn nobody_there() {
    assert_eq!(
        outcome(settings(), &deserted().await).await,
        Outcome::Unreachable
    );
    for manner in [Manner::HangsUp, Manner::Says("NOT HTTP\r\n\r\n")] {
        let receiver = Unruly::start(manner).await;
        assert_eq!(
            outcome(settings(), &receiver.url()).await,
            Outcome::Unreachable
        );
    }
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_be_the_hosts_own() {
    let (receiver, certificate) = Receiver::secure("shop.example").await;
    let url = |host: &str| format!("https://{host}:{}/", receiver.port());
    let trusting = || {
        let mut settings = settings();
        settings.lookup = Arc::new(super::guard::Known::new(&["127.0.0.1"]));
        settings.extra_roots.push(certificate.clone());
        settings
    };
    let distrusting = Settings {
        extra_roots: Vec::new(),
        ..trusting()
    };
    assert_eq!(
        outcome(distrusting, &url("shop.example")).await,
        Outcome::Tls
    );
    assert_eq!(
        outcome(trusting(), &url("other.example")).await,
        Outcome::Tls
    );
    assert!(receiver.received().is_empty());
    assert_eq!(
        outcome(trusting(), &url("shop.example")).await,
        Outcome::Delivered { status: 200 }
    );
}

#[tokio::test]
async fn plain_http_is_no_tls() {
    let receiver = Unruly::start(Manner::Says("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let url = format!("https://localhost:{}/", receiver.port());
    assert_eq!(outcome(settings(), &url).await, Outcome::Tls);
}

#[tokio::test]
async fn some_urls_cannot_be_used() {
    for url in [
        "",
        "shop.example/hooks",
        "ftp://shop.example/",
        "https://",
        "https://user:word@shop.example/",
        "http://256.256.256.256/",
        "http://[::1/",
    ] {
        assert_eq!(outcome(settings(), url).await, Outcome::Unsendable, "{url}");
    }
}
