//! One request on its way through the server: what the edge must know to finish
//! the answer.

use std::sync::{Arc, OnceLock};

use app::exchange::Exchange;
use app::limits::LimitName;
use app::quota::Verdict;

use super::surface::Surface;
use crate::http::pages;

/// Marks an answer of which no audit record is kept, though one would be of its refusal.
#[derive(Clone)]
pub struct Unrecorded;

/// Travels with the request as an extension.
#[derive(Clone)]
pub struct Visit {
    inner: Arc<Inner>,
    audited: bool,
}

struct Inner {
    exchange: Arc<Exchange>,
    surface: Surface,
    method: &'static str,
    root: String,
    verdict: OnceLock<(LimitName, Verdict)>,
}

impl Visit {
    /// A request that has arrived for a path, with its method as the metrics call it.
    pub fn new(exchange: Exchange, path: &str, method: &'static str) -> Self {
        let surface = Surface::of(path);
        Self {
            inner: Arc::new(Inner {
                exchange: Arc::new(exchange),
                surface,
                method,
                root: pages::root(path),
                verdict: OnceLock::new(),
            }),
            audited: surface.is_audited(),
        }
    }

    /// What the audit log will say.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.inner.exchange
    }

    /// The same request, of which no audit record is kept. It has to be said before
    /// the request is passed on.
    pub fn unaudited(self) -> Self {
        Self {
            audited: false,
            ..self
        }
    }

    /// Whether the request leaves an audit record.
    pub fn is_audited(&self) -> bool {
        self.audited
    }

    /// Which surface it is for.
    pub fn surface(&self) -> Surface {
        self.inner.surface
    }

    /// What leads from its path to the root of the server, for links of pages.
    pub fn root(&self) -> &str {
        &self.inner.root
    }

    /// Its method, as the metrics call it.
    pub fn method(&self) -> &'static str {
        self.inner.method
    }

    /// What the limiter said about which limit, if it was asked.
    pub fn verdict(&self) -> Option<&(LimitName, Verdict)> {
        self.inner.verdict.get()
    }

    /// Notes what the limiter said.
    pub fn note_verdict(&self, name: LimitName, verdict: Verdict) {
        let _ = self.inner.verdict.set((name, verdict));
    }
}
