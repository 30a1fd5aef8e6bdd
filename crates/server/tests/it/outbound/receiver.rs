//! Receivers on the loopback interface: a proper one, and some that are not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::Response;
use bonafide::http::listener::{Options, Peer, serve};
use bonafide::http::tls::{TlsFiles, TlsReloader};
use http::{HeaderMap, Method, Uri, Version};
use rcgen::CertifiedKey;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A request as it came.
#[derive(Clone)]
pub struct Received {
    pub version: Version,
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: SocketAddr,
}

impl Received {
    /// The value of a header that must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

type Answering = Arc<dyn Fn(&str) -> Response + Send + Sync>;

struct Desk {
    answering: Answering,
    received: Mutex<Vec<Received>>,
}

/// A receiver that notes every request, and answers by its path.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start(answering: impl Fn(&str) -> Response + Send + Sync + 'static) -> Self {
        Self::listen(None, answering).await
    }

    /// A receiver that speaks TLS as `host`, and its certificate.
    pub async fn secure(host: &str) -> (Self, reqwest::Certificate) {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let directory = TempDir::new().unwrap();
        let files = TlsFiles {
            certificate: directory.path().join("certificate.pem"),
            key: directory.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        let tls = TlsReloader::load(files).unwrap();
        let certificate = reqwest::Certificate::from_pem(cert.pem().as_bytes()).unwrap();
        (Self::listen(Some(tls), |_| status(200)).await, certificate)
    }

    async fn listen(
        tls: Option<TlsReloader>,
        answering: impl Fn(&str) -> Response + Send + Sync + 'static,
    ) -> Self {
        let desk = Arc::new(Desk {
            answering: Arc::new(answering),
            received: Mutex::default(),
        });
        let router = Router::new().fallback(receive).with_state(desk.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(
            listener,
            tls,
            router,
            Options::default(),
            CancellationToken::new(),
        );
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            address,
            desk,
            task,
        }
    }

    /// The URL of one of its paths.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.desk.received.lock().unwrap().clone()
    }
}

/// An answer without a body.
pub fn status(status: u16) -> Response {
    Response::builder()
        .status(status)
        .body(Body::empty())
        .unwrap()
}

async fn receive(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    version: Version,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = (desk.answering)(uri.path());
    desk.received.lock().unwrap().push(Received {
        version,
        method,
        target: uri.to_string(),
        headers,
        body,
        peer: peer.address,
    });
    answer
}

/// What an unruly receiver does with a connection whose request it has read.
#[derive(Clone, Copy)]
pub enum Manner {
    /// Nothing.
    Hangs,
    /// Says this, and nothing more.
    Says(&'static str),
    /// Hangs up.
    HangsUp,
}

/// A receiver that keeps to no protocol.
pub struct Unruly {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Unruly {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Unruly {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                held.extend(treat(stream, manner).await);
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The connection, unless it was hung up on.
async fn treat(mut stream: TcpStream, manner: Manner) -> Option<TcpStream> {
    let mut request = [0; 16 * 1024];
    let read = stream.read(&mut request).await.unwrap();
    assert!(read > 0, "a request came");
    match manner {
        Manner::Hangs => Some(stream),
        Manner::Says(words) => {
            stream.write_all(words.as_bytes()).await.unwrap();
            Some(stream)
        }
        Manner::HangsUp => None,
    }
}
