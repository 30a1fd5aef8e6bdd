//! A receiver of webhooks that accepts everything, and counts it.
//!
//! Guarantees: it listens only while it exists, so that deliveries can be made to wait.
//! Must not: look at what it receives; that is what tests do.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Result, anyhow};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::oneshot;

/// A receiver at work, on a thread of its own.
pub struct Receiver {
    heard: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Receiver {
    /// Listens on this port of 127.0.0.1.
    pub fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let heard = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = oneshot::channel();
        let counter = heard.clone();
        let thread = std::thread::spawn(move || receive(listener, &counter, stopped));
        Ok(Self {
            heard,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// How many messages have arrived.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Stops listening.
    pub fn stop(mut self) -> Result<()> {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| {
            ended.map_err(|_| anyhow!("the receiver panicked"))?
        })
    }
}

fn receive(
    listener: TcpListener,
    heard: &Arc<AtomicU64>,
    stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let heard = heard.clone();
    let accept = post(move || async move {
        heard.fetch_add(1, Ordering::Relaxed);
        StatusCode::NO_CONTENT
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let router = Router::new().route("/hook", accept);
        // Connections that are kept open end with the runtime.
        tokio::select! {
            served = axum::serve(listener, router) => Ok(served?),
            _ = stopped => Ok(()),
        }
    })
}
