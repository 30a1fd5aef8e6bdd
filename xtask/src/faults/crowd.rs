//! A crowd of ill-behaved clients, beside the load.
//!
//! Guarantees: each connection does its mischief until it is cut off or the crowd goes home; then it
//! begins anew, so that the pressure lasts.
//! Must not: carry a credential; none of them is a customer.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Between two signs of somebody who takes his time.
const SLOWLY: Duration = Duration::from_millis(300);
/// How long a member of a flood keeps its connection.
const STAY: Duration = Duration::from_millis(500);

/// What a member of the crowd does.
#[derive(Clone, Copy, Debug)]
pub enum Mischief {
    /// Sends the head of a request sign by sign.
    Slowloris,
    /// Sends the body sign by sign.
    SlowBody,
    /// Connects and says nothing.
    HalfOpen,
    /// Asks for the largest page again and again, and reads nothing.
    Deaf,
    /// Sends a megabyte of headers.
    HugeHeaders,
    /// Sends a thousand headers.
    ManyHeaders,
    /// Connects, asks one thing, stays a little and comes again.
    Flood,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    connected: AtomicU64,
    cut_off: AtomicU64,
}

/// A crowd at its mischief, on a thread of its own.
pub struct Crowd {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<()>>,
}

/// What became of a crowd.
pub struct Tally {
    /// Connections that were made
    pub connected: u64,
    /// Those of them that the server ended
    pub cut_off: u64,
}

impl Crowd {
    /// Sends so many of each kind to a port of 127.0.0.1.
    pub fn gather(port: u16, kinds: &'static [(Mischief, u32)]) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || run(port, kinds, &shared)
        });
        Self { shared, thread }
    }

    /// Sends everybody home.
    pub fn disperse(self) -> Result<Tally> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        joined.map_err(|_| anyhow!("the crowd panicked"))??;
        Ok(Tally {
            connected: self.shared.connected.load(Ordering::Relaxed),
            cut_off: self.shared.cut_off.load(Ordering::Relaxed),
        })
    }
}

fn run(port: u16, kinds: &[(Mischief, u32)], shared: &Arc<Shared>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut members = JoinSet::new();
        for (mischief, count) in kinds {
            for _ in 0..*count {
                members.spawn(member(port, *mischief, shared.clone()));
            }
        }
        while !shared.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        members.shutdown().await;
        Ok(())
    })
}

async fn member(port: u16, mischief: Mischief, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
            tokio::time::sleep(SLOWLY).await;
            continue;
        };
        shared.connected.fetch_add(1, Ordering::Relaxed);
        // An error is the server's having enough, which is counted.
        if mischief.act(stream).await.is_err() {
            shared.cut_off.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Mischief {
    async fn act(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::Slowloris => {
                dawdle(stream, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await
            }
            Self::SlowBody => {
                let head = b"POST /api/v1/customer/check-verification HTTP/1.1\r\n\
                    Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n";
                dawdle(stream, head).await
            }
            Self::HalfOpen => until_closed(stream).await,
            Self::Deaf => {
                let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
                loop {
                    stream.write_all(request).await?;
                }
            }
            Self::HugeHeaders => {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Huge: ")
                    .await?;
                stream.write_all(&vec![b'x'; 1 << 20]).await?;
                until_closed(stream).await
            }
            Self::ManyHeaders => {
                stream
                    .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                    .await?;
                stream
                    .write_all("X-One: more\r\n".repeat(1_000).as_bytes())
                    .await?;
                stream.write_all(b"\r\n").await?;
                until_closed(stream).await
            }
            Self::Flood => {
                let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(request).await?;
                let mut answer = [0; 512];
                if stream.read(&mut answer).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                tokio::time::sleep(STAY).await;
                Ok(())
            }
        }
    }
}

/// Sends a beginning, and then sign after sign for ever.
async fn dawdle(mut stream: TcpStream, beginning: &[u8]) -> std::io::Result<()> {
    stream.write_all(beginning).await?;
    loop {
        stream.write_all(b"x").await?;
        tokio::time::sleep(SLOWLY).await;
    }
}

/// Reads until the server has had enough, which is an error here.
async fn until_closed(mut stream: TcpStream) -> std::io::Result<()> {
    let mut heard = [0; 1024];
    while stream.read(&mut heard).await? > 0 {}
    Err(std::io::ErrorKind::UnexpectedEof.into())
}
