//! One request on its way through the server: what the edge must know to finish
//! the answer.

use std::sync::{Arc, OnceLock};

use app::exchange::Exchange;
use app::quota::Verdict;

use super::surface::Surface;

/// Travels with the request as an extension.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    exchange: Arc<Exchange>,
    surface: Surface,
    verdict: OnceLock<Verdict>,
}

impl Visit {
    /// A request that has arrived.
    pub fn new(exchange: Exchange, surface: Surface) -> Self {
        Self(Arc::new(Inner {
            exchange: Arc::new(exchange),
            surface,
            verdict: OnceLock::new(),
        }))
    }

    /// What the audit log will say.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.0.exchange
    }

    /// Which surface it is for.
    pub fn surface(&self) -> Surface {
        self.0.surface
    }

    /// What the limiter said, if it was asked.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.0.verdict.get()
    }

    /// Notes what the limiter said.
    pub fn note_verdict(&self, verdict: Verdict) {
        let _ = self.0.verdict.set(verdict);
    }
}
