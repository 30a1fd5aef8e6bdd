//! One request on its way through the server: what the edge must know to finish
//! the answer.

use std::sync::{Arc, OnceLock};

use app::exchange::Exchange;
use app::limits::LimitName;
use app::quota::Verdict;

use super::origin::Origin;
use super::surface::Surface;
use crate::http::pages;
use crate::telemetry::traces::Trace;

tokio::task_local! {
    static CURRENT: Visit;
}

/// Does `work` as part of a visit, which can then be asked for by [`current`].
pub fn within<T>(visit: Visit, work: impl Future<Output = T>) -> impl Future<Output = T> {
    CURRENT.scope(visit, work)
}

/// Looks at the visit that this task is answering, if it is answering one: for those who are called
/// without being told, as the report of a panic is.
pub fn current<T>(look: impl FnOnce(&Visit) -> T) -> Option<T> {
    CURRENT.try_with(look).ok()
}

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
    origin: Origin,
    surface: Surface,
    method: &'static str,
    depth: usize,
    trace: Option<Arc<Trace>>,
    verdict: OnceLock<(LimitName, Verdict)>,
}

impl Visit {
    /// A request that has arrived from somewhere for a path, with its method as the metrics call it,
    /// and its trace if it is traced.
    pub fn new(
        exchange: Exchange,
        origin: Origin,
        path: &str,
        method: &'static str,
        trace: Option<Trace>,
    ) -> Self {
        let surface = Surface::of(path);
        Self {
            inner: Arc::new(Inner {
                exchange: Arc::new(exchange),
                origin,
                surface,
                method,
                depth: pages::depth(path),
                trace: trace.map(Arc::new),
                verdict: OnceLock::new(),
            }),
            audited: surface.is_audited(),
        }
    }

    /// What the audit log will say.
    pub fn exchange(&self) -> &Arc<Exchange> {
        &self.inner.exchange
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
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
    pub fn root(&self) -> String {
        pages::root(self.inner.depth)
    }

    /// Its method, as the metrics call it.
    pub fn method(&self) -> &'static str {
        self.inner.method
    }

    /// Its trace, if it is traced.
    pub fn trace(&self) -> Option<&Arc<Trace>> {
        self.inner.trace.as_ref()
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
