//! The accept loop: takes connections, speaks HTTP/1.1 and HTTP/2 on them, and ends without losing
//! a request.
//!
//! Guarantees: a client that dawdles (at the TLS handshake, at its first request, inside a header)
//! is cut off; no more than the configured number of connections is served at once, the others wait
//! in the [backlog](BACKLOG); at shutdown every request that reached the server on an established connection
//! is answered, within the time given. It knows nothing about routes, and per request it takes no
//! lock and allocates nothing of its own beyond the extension [`Peer`].

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::TryFutureExt as _;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::signal::Signal;
use super::tls::TlsReloader;
use super::unreadable::Completing;

/// Who is at the other end of the connection that carried a request (an extension of each).
///
/// Behind a proxy this is the proxy. The address is personal: `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection came from.
    pub address: SocketAddr,
    /// Whether the connection itself is encrypted.
    pub tls: bool,
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Peer")
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The listener's limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections served at once, at least 1; further ones wait unaccepted.
    pub max_connections: usize,
    /// The longest TLS handshake.
    pub handshake_timeout: Duration,
    /// How often the files of the certificate are looked at for a change.
    pub certificate_watch: Duration,
    /// The longest wait for a complete request header, an idle keep-alive connection included.
    pub header_timeout: Duration,
    /// At shutdown: how long a connection may still begin a request that was on its way.
    pub drain_grace: Duration,
    /// At shutdown: the listener closes once no connection came for this long.
    pub drain_quiet: Duration,
    /// At shutdown: when connections that are still busy are cut off.
    pub shutdown_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            certificate_watch: Duration::from_secs(2),
            header_timeout: Duration::from_secs(30),
            drain_grace: Duration::from_secs(1),
            drain_quiet: Duration::from_millis(100),
            shutdown_timeout: Duration::from_secs(25),
        }
    }
}

/// Connections that were still busy at the end of the time for shutting down, and were cut off.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0} connections were still busy when the time for shutting down ran out")]
pub struct Abandoned(pub usize);

/// How many connections may wait to be taken. What a burst opens beyond that is left unanswered by the
/// kernel, and knocks again a second later at the earliest; Linux itself allows no more than
/// `net.core.somaxconn`, which is as much by default.
pub const BACKLOG: u32 = 4_096;

/// Listens at an address, with a [backlog](BACKLOG) that takes bursts.
///
/// # Errors
/// When the address is taken, or is not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that starts again need not wait for connections of the one before to fade away.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener` until `shutdown`, then finishes what has begun.
///
/// After `shutdown` every HTTP/1 answer carries `connection: close` and HTTP/2 clients are told to
/// go away; what waits in the backlog is still served; idle connections are closed after
/// [`Options::drain_grace`].
///
/// # Errors
/// [`Abandoned`], when connections had to be cut off.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsReloader>,
    router: Router,
    options: Options,
    shutdown: CancellationToken,
) -> Result<(), Abandoned> {
    let connections = TaskTracker::new();
    if let Some(tls) = &tls {
        tokio::spawn(
            tls.clone()
                .watch(options.certificate_watch, shutdown.clone()),
        );
    }
    let front = Arc::new(Front {
        router,
        tls: tls.map(|tls| TlsAcceptor::from(tls.server_config())),
        protocol: protocol(&options),
        slots: Arc::new(Semaphore::new(
            options.max_connections.clamp(1, Semaphore::MAX_PERMITS),
        )),
        options,
        connections: connections.clone(),
        draining: Signal::default(),
        cut_off: Signal::default(),
    });
    shutdown.run_until_cancelled(front.accept(&listener)).await;
    front.draining.give();
    let deadline = Instant::now() + front.options.shutdown_timeout;
    front.drain_backlog(listener).await;
    connections.close();
    if timeout_at(deadline, connections.wait()).await.is_ok() {
        return Ok(());
    }
    let abandoned = connections.len();
    front.cut_off.give();
    connections.wait().await;
    Err(Abandoned(abandoned))
}

/// Both protocols, with limits that fit an API of small JSON bodies.
fn protocol(options: &Options) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(32 * 1024)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// What all connections share.
struct Front {
    router: Router,
    tls: Option<TlsAcceptor>,
    protocol: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    options: Options,
    connections: TaskTracker,
    draining: Signal,
    cut_off: Signal,
}

impl Front {
    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        let mut trouble = Trouble::default();
        // The semaphore is never closed, so a permit always comes.
        while let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, address)) => {
                    trouble = Trouble::default();
                    self.spawn(stream, address, Some(slot));
                }
                Err(error) => trouble.pause_after(&error).await,
            }
        }
    }

    /// Takes what still arrives for a short while, then empties the backlog and closes it: closing
    /// a listener resets the connections that wait in it, with the requests they carry.
    async fn drain_backlog(self: &Arc<Self>, listener: TcpListener) {
        /// No backlog is longer than this; a flood must not keep the listener open.
        const LONGEST_BACKLOG: usize = 65_536;
        let end = Instant::now() + self.options.drain_grace;
        loop {
            let quiet = Instant::now() + self.options.drain_quiet;
            match timeout_at(quiet.min(end), listener.accept()).await {
                Ok(Ok((stream, address))) => self.spawn(stream, address, None),
                Ok(Err(error)) if concerns_one_connection(&error) => {}
                Ok(Err(_)) | Err(_) => break,
            }
            if Instant::now() >= end {
                break;
            }
        }
        let Ok(listener) = listener.into_std() else {
            return;
        };
        for _ in 0..LONGEST_BACKLOG {
            let Ok((stream, address)) = listener.accept() else {
                return;
            };
            let adopted = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = adopted {
                self.spawn(stream, address, None);
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let front = Arc::clone(self);
        self.connections.spawn(async move {
            let _slot = slot;
            // Boxed, here and where TLS and plain part: a connection that idles costs what it
            // uses, not room for every turn that it could have taken.
            let handling = Box::pin(front.handle(stream, address));
            front.cut_off.cuts_off(handling).await;
        });
    }

    async fn handle(self: &Arc<Self>, stream: TcpStream, address: SocketAddr) {
        // Answers are small and complete: waiting to fill a segment only adds latency. A socket
        // that refuses the option is already dead, which the first read will tell.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            let peer = Peer {
                address,
                tls: false,
            };
            return Box::pin(self.speak(stream, peer)).await;
        };
        match timeout(self.options.handshake_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let peer = Peer { address, tls: true };
                Box::pin(self.speak(stream, peer)).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    /// Speaks HTTP on one connection until it ends by itself, or is ended by a shutdown.
    async fn speak<S>(self: &Arc<Self>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let spoken = Spoken::default();
        let service = service_fn(|request| {
            spoken.note(Request::version(&request));
            Arc::clone(self).answer(request, peer)
        });
        let mut connection = pin!(
            self.protocol
                .serve_connection(TokioIo::new(Completing::new(stream)), service)
        );
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = spoken.still_silent_after(self.options.header_timeout) => return,
            () = self.draining.given() => {}
        }
        // HTTP/2 tells its client which requests will still be answered. HTTP/1 cannot: a request
        // may be on its way, so an idle connection waits a moment before it is closed.
        if !spoken.is_http2() {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = sleep(self.options.drain_grace) => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    /// Calls the router at once; only the future that waits for its answer is kept.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static {
        let mut request = request.map(Body::new);
        let version = request.version();
        request.extensions_mut().insert(peer);
        let answering = self.router.clone().call(request);
        answering.map_ok(move |mut response| {
            if version < Version::HTTP_2 && self.draining.is_given() {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        })
    }
}

/// What a connection has carried so far.
#[derive(Default)]
struct Spoken(AtomicU8);

impl Spoken {
    const HTTP_1: u8 = 1;
    const HTTP_2: u8 = 2;

    fn note(&self, version: Version) {
        let spoken = if version == Version::HTTP_2 {
            Self::HTTP_2
        } else {
            Self::HTTP_1
        };
        self.0.store(spoken, Ordering::Relaxed);
    }

    fn is_http2(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::HTTP_2
    }

    /// Ends after `limit` if there was no request by then, and otherwise never: the HTTP engine
    /// keeps the time of later requests, but not while it still guesses the protocol.
    async fn still_silent_after(&self, limit: Duration) {
        let mut limit = pin!(sleep(limit));
        poll_fn(|context| match self.0.load(Ordering::Relaxed) {
            0 => limit.as_mut().poll(context),
            _ => Poll::Pending,
        })
        .await;
    }
}

/// Accept errors in a row: reported once, answered by longer and longer pauses.
#[derive(Default)]
struct Trouble(u32);

impl Trouble {
    async fn pause_after(&mut self, error: &io::Error) {
        if concerns_one_connection(error) {
            return;
        }
        if self.0 == 0 {
            tracing::error!(%error, "no new connection can be taken, trying again");
        }
        let pause = Duration::from_millis(10 << self.0.min(6));
        self.0 = self.0.saturating_add(1);
        sleep(pause).await;
    }
}

/// Whether an accept error is about a client that went away, not about this process (too many open
/// files, no memory).
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
