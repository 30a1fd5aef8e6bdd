//! TLS: served, renewed while running, and unharmed by a bad file.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use bonafide::http::listener::{Abandoned, Options, Peer, serve};
use bonafide::http::tls::{TlsError, TlsFiles, TlsReloader};
use rcgen::CertifiedKey;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn files(directory: &TempDir) -> TlsFiles {
    TlsFiles {
        certificate: directory.path().join("certificate.pem"),
        key: directory.path().join("key.pem"),
    }
}

/// Writes and gives the file a time of its own: two writes may fall into one tick of its clock.
fn write(path: &Path, text: &str, age: u64) {
    fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// A new self-signed pair in the files, and its certificate in PEM.
fn renew(files: &TlsFiles, age: u64) -> String {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(&files.certificate, &cert.pem(), age);
    write(&files.key, &signing_key.serialize_pem(), age);
    cert.pem()
}

async fn start(
    tls: TlsReloader,
    certificate_watch: Duration,
) -> (
    SocketAddr,
    CancellationToken,
    JoinHandle<Result<(), Abandoned>>,
) {
    let router = Router::new().route(
        "/",
        get(|Extension(peer): Extension<Peer>| async move { peer.tls.to_string() }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = serve(
        listener,
        Some(tls),
        router,
        Options {
            certificate_watch,
            ..Options::default()
        },
        shutdown.clone(),
    );
    (address, shutdown, tokio::spawn(serving))
}

const HOUR: Duration = Duration::from_secs(3_600);

/// A client that trusts this one certificate.
fn client(trusted: &str) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap()])
        .no_proxy()
}

/// Asks over a new connection.
async fn ask(
    client: reqwest::ClientBuilder,
    address: SocketAddr,
) -> reqwest::Result<reqwest::Response> {
    client
        .build()?
        .get(format!("https://localhost:{}/", address.port()))
        .send()
        .await
}

async fn is_served(certificate: &str, address: SocketAddr) -> bool {
    ask(client(certificate), address).await.is_ok()
}

#[tokio::test]
async fn both_protocols_are_offered_and_the_peer_is_marked() {
    let directory = TempDir::new().unwrap();
    let trusted = renew(&files(&directory), 9);
    let (address, shutdown, ended) =
        start(TlsReloader::load(files(&directory)).unwrap(), HOUR).await;

    let answer = ask(client(&trusted), address).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "true");

    let answer = ask(client(&trusted).http1_only(), address).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_11);
    assert_eq!(answer.text().await.unwrap(), "true");

    shutdown.cancel();
    assert_eq!(ended.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_renewed_certificate_is_served_and_a_bad_one_is_not() {
    let directory = TempDir::new().unwrap();
    let files = files(&directory);
    let first = renew(&files, 9);
    let tls = TlsReloader::load(files.clone()).unwrap();
    let (address, _shutdown, _serving) = start(tls.clone(), HOUR).await;
    assert!(is_served(&first, address).await);
    assert!(!tls.reload_if_changed().unwrap(), "nothing has changed");

    let second = renew(&files, 8);
    assert!(!is_served(&second, address).await);
    assert!(tls.reload_if_changed().unwrap());
    assert!(is_served(&second, address).await);
    assert!(!is_served(&first, address).await);

    write(&files.certificate, "not a certificate", 7);
    assert!(matches!(
        tls.reload_if_changed(),
        Err(TlsError::File { .. })
    ));
    assert!(!tls.reload_if_changed().unwrap(), "the same bad file again");
    assert!(is_served(&second, address).await);

    let third = renew(&files, 6);
    fs::remove_file(&files.key).unwrap();
    assert!(tls.reload_if_changed().is_err());
    assert!(is_served(&second, address).await);

    let fourth = renew(&files, 5);
    write(&files.certificate, &third, 4);
    assert!(matches!(tls.reload_if_changed(), Err(TlsError::Pair(_))));
    assert!(!is_served(&fourth, address).await);
    assert!(is_served(&second, address).await);
}

#[tokio::test]
async fn the_watch_takes_up_a_change_by_itself() {
    let directory = TempDir::new().unwrap();
    let files = files(&directory);
    renew(&files, 9);
    let tls = TlsReloader::load(files.clone()).unwrap();
    let (address, _shutdown, _serving) = start(tls, Duration::from_millis(5)).await;
    let renewed = renew(&files, 8);
    let served = async { while !is_served(&renewed, address).await {} };
    tokio::time::timeout(Duration::from_secs(20), served)
        .await
        .expect("the renewed certificate is served");
}

#[test]
fn files_that_cannot_be_used_are_refused_at_the_start() {
    let directory = TempDir::new().unwrap();
    let missing = TlsReloader::load(files(&directory)).err().unwrap();
    assert!(missing.to_string().contains("certificate.pem"));
    renew(&files(&directory), 9);
    write(&files(&directory).certificate, "", 8);
    let empty = TlsReloader::load(files(&directory)).err().unwrap();
    assert!(empty.to_string().contains("no certificate"), "{empty}");
}
