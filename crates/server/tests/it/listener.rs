//! The accept loop: what it serves, whom it cuts off, and that a shutdown loses nothing.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use bonafide::http::listener::{Abandoned, Options, Peer, listen, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const REQUEST: &[u8] = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nhello";
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const PATIENCE: Duration = Duration::from_secs(20);

/// A server under test, on a free port.
struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), Abandoned>>,
}

impl Server {
    async fn start(router: Router, options: Options) -> Self {
        let listener = listen(ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(serve(listener, None, router, options, shutdown.clone()));
        Self {
            address,
            shutdown,
            ended,
        }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    async fn end(self) -> Result<(), Abandoned> {
        self.shutdown.cancel();
        timeout(PATIENCE, self.ended).await.unwrap().unwrap()
    }
}

/// A client that writes bytes and reads whole answers.
struct Client(TcpStream);

/// An answer's head in lower case, and its body.
#[derive(Debug)]
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// The next whole answer; `None` if the connection ends before its last byte.
    async fn answer(&mut self) -> Option<Answer> {
        timeout(PATIENCE, self.read_answer())
            .await
            .expect("an answer or an end")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(Answer { head, body })
    }

    /// Whether the server ends the connection without another byte.
    async fn is_ended(&mut self) -> bool {
        let mut rest = Vec::new();
        match timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .unwrap()
        {
            Ok(read) => read == 0,
            Err(_) => true,
        }
    }
}

fn echo() -> Router {
    Router::new().route(
        "/echo",
        post(|body: String| async move {
            tokio::task::yield_now().await;
            body
        }),
    )
}

/// A route whose answers wait for permits, and the count of requests that have begun.
fn gated() -> (Router, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (waits, counts) = (Arc::clone(&gate), Arc::clone(&begun));
    let router = Router::new().route(
        "/slow",
        get(move || async move {
            counts.fetch_add(1, Ordering::SeqCst);
            waits.acquire().await.unwrap().forget();
            "done"
        }),
    );
    (router, gate, begun)
}

async fn until(condition: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the condition holds in time");
}

#[tokio::test]
async fn a_request_knows_its_peer() {
    let router = Router::new().route(
        "/",
        get(|Extension(peer): Extension<Peer>| async move {
            format!("{} {} {peer:?}", peer.address, peer.tls)
        }),
    );
    let server = Server::start(router, Options::default()).await;
    let mut client = server.connect().await;
    let own = client.0.local_addr().unwrap();
    client
        .send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let body = String::from_utf8(client.answer().await.unwrap().body).unwrap();
    assert_eq!(body, format!("{own} false Peer {{ tls: false, .. }}"));
    drop(client);
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_answers_every_request_that_was_sent() {
    let server = Server::start(echo(), Options::default()).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = server.connect().await;
        let answered = Arc::clone(&answered);
        clients.push(tokio::spawn(async move {
            loop {
                client.send(REQUEST).await.expect("the connection is open");
                let answer = client.answer().await.expect("a whole answer");
                assert_eq!(answer.body, b"hello");
                answered.fetch_add(1, Ordering::SeqCst);
                if answer.closes() {
                    return client.is_ended().await;
                }
            }
        }));
    }
    until(|| answered.load(Ordering::SeqCst) > 2_000).await;
    assert_eq!(server.end().await, Ok(()));
    for client in clients {
        assert!(client.await.unwrap(), "closed after its last answer");
    }
}

#[tokio::test]
async fn the_backlog_is_served_before_the_listener_closes() {
    let listener = listen(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(address).await;
        client.send(REQUEST).await.unwrap();
        clients.push(client);
    }
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let ended = serve(listener, None, echo(), Options::default(), shutdown).await;
    assert_eq!(ended, Ok(()));
    for mut client in clients {
        let answer = client.answer().await.expect("a whole answer");
        assert!(answer.closes());
        assert_eq!(answer.body, b"hello");
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_idle_connection_may_still_ask_once_then_it_is_closed() {
    let server = Server::start(echo(), Options::default()).await;
    let (mut asking, mut idle) = (server.connect().await, server.connect().await);
    for client in [&mut asking, &mut idle] {
        client.send(REQUEST).await.unwrap();
        assert!(!client.answer().await.unwrap().closes());
    }
    server.shutdown.cancel();
    asking.send(REQUEST).await.unwrap();
    assert!(asking.answer().await.expect("a whole answer").closes());
    assert!(idle.is_ended().await);
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn a_request_under_way_is_finished_however_long_the_grace() {
    let (router, gate, begun) = gated();
    let options = Options {
        drain_grace: Duration::from_millis(20),
        ..Options::default()
    };
    let server = Server::start(router, options).await;
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    busy.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(|| begun.load(Ordering::SeqCst) == 1).await;
    server.shutdown.cancel();
    assert!(idle.is_ended().await, "the grace is over");
    gate.add_permits(1);
    assert_eq!(busy.answer().await.expect("a whole answer").body, b"done");
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn the_time_for_shutting_down_is_kept() {
    let (router, _gate, begun) = gated();
    let options = Options {
        drain_grace: Duration::from_millis(20),
        shutdown_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let server = Server::start(router, options).await;
    let mut busy = server.connect().await;
    busy.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    until(|| begun.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.end().await, Err(Abandoned(1)));
    assert!(busy.is_ended().await);
}

#[tokio::test]
async fn a_client_that_dawdles_is_cut_off() {
    let options = Options {
        header_timeout: Duration::from_millis(100),
        ..Options::default()
    };
    let server = Server::start(echo(), options).await;
    let mut silent = server.connect().await;
    let mut undecided = server.connect().await;
    undecided.send(b"P").await.unwrap();
    let mut slow = server.connect().await;
    slow.send(b"POST /echo HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut idle = server.connect().await;
    idle.send(REQUEST).await.unwrap();
    assert_eq!(idle.answer().await.unwrap().body, b"hello");
    for client in [&mut silent, &mut undecided, &mut slow, &mut idle] {
        assert!(client.is_ended().await);
    }
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_free_place() {
    let (router, gate, begun) = gated();
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let server = Server::start(router, options).await;
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.send(request).await.unwrap();
    until(|| begun.load(Ordering::SeqCst) == 1).await;
    second.send(request).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(begun.load(Ordering::SeqCst), 1, "the second still waits");
    gate.add_permits(2);
    assert_eq!(first.answer().await.unwrap().body, b"done");
    assert_eq!(second.answer().await.unwrap().body, b"done");
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn a_burst_of_connections_is_let_in_at_once() {
    let (router, gate, begun) = gated();
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    let server = Server::start(router, options).await;
    let mut first = server.connect().await;
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    first.send(request).await.unwrap();
    until(|| begun.load(Ordering::SeqCst) == 1).await;
    // Nobody takes them meanwhile: what does not fit into the backlog is never connected.
    let burst = (0..500).map(|_| server.connect());
    let burst = timeout(PATIENCE, futures_util::future::join_all(burst));
    let mut waiting = burst.await.expect("all are connected");
    for client in &mut waiting {
        client.send(request).await.unwrap();
    }
    gate.add_permits(waiting.len() + 1);
    assert_eq!(first.answer().await.unwrap().body, b"done");
    for client in &mut waiting {
        assert_eq!(client.answer().await.expect("an answer").body, b"done");
    }
    assert_eq!(server.end().await, Ok(()));
}

#[tokio::test]
async fn it_listens_at_addresses_of_either_kind_and_says_when_one_is_taken() {
    let taken = listen(ANY_PORT).unwrap();
    let error = listen(taken.local_addr().unwrap()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    let sixth = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
    if std::net::TcpListener::bind(sixth).is_err() {
        return; // Not every machine has such addresses.
    }
    let listener = listen(sixth).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.is_ipv6());
    TcpStream::connect(address).await.unwrap();
}

#[tokio::test]
async fn http2_requests_under_way_are_finished() {
    let (router, gate, begun) = gated();
    let server = Server::start(router, Options::default()).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("http://{}/slow", server.address);
    let asking: Vec<_> = (0..10)
        .map(|_| tokio::spawn(client.get(&url).send()))
        .collect();
    until(|| begun.load(Ordering::SeqCst) == 10).await;
    server.shutdown.cancel();
    gate.add_permits(10);
    for answer in asking {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.version(), http::Version::HTTP_2);
        assert!(!answer.headers().contains_key("connection"));
        assert_eq!(answer.text().await.unwrap(), "done");
    }
    assert_eq!(server.end().await, Ok(()));
}
