//! What is known of the request that is being answered.
//!
//! The edge opens an exchange when a request arrives; authentication and the use
//! case note what they learn; when the answer is ready, the audit record is made
//! of it. Every fact is noted once.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use domain::seal::{BlindIndex, DataKey};
use jiff::Timestamp;

use crate::credentials::Caller;

/// One request and what was learnt while answering it.
pub struct Exchange {
    /// `X-Request-Id`.
    pub request_id: Arc<str>,
    /// When it arrived.
    pub at: Timestamp,
    /// Where it came from, as far as the proxies are trusted.
    pub address: Option<IpAddr>,
    /// `User-Agent`, cut to a sane length.
    pub user_agent: Option<String>,
    action: OnceLock<&'static str>,
    caller: OnceLock<Caller>,
    subject: OnceLock<BlindIndex>,
    detail: OnceLock<String>,
    client_key: OnceLock<Arc<DataKey>>,
    command: AtomicBool,
    recorded: AtomicBool,
}

impl Exchange {
    /// A request that has just arrived.
    pub fn new(
        request_id: impl Into<Arc<str>>,
        at: Timestamp,
        address: Option<IpAddr>,
        user_agent: Option<String>,
    ) -> Self {
        Self {
            request_id: request_id.into(),
            at,
            address,
            user_agent,
            action: OnceLock::new(),
            caller: OnceLock::new(),
            subject: OnceLock::new(),
            detail: OnceLock::new(),
            client_key: OnceLock::new(),
            command: AtomicBool::new(false),
            recorded: AtomicBool::new(false),
        }
    }

    /// What is asked, as the audit log names it; `request.unknown` until noted.
    pub fn action(&self) -> &'static str {
        self.action.get().copied().unwrap_or("request.unknown")
    }

    /// Notes what is asked.
    pub fn note_action(&self, action: &'static str) {
        let _ = self.action.set(action);
    }

    /// Who asks, once authenticated.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Notes who asks.
    pub fn note_caller(&self, caller: Caller) {
        let _ = self.caller.set(caller);
    }

    /// Notes that it came from the command line of the operator.
    pub fn note_command(&self) {
        self.command.store(true, Ordering::Relaxed);
    }

    /// How the audit log names the credential.
    pub fn credential(&self) -> Arc<str> {
        match self.caller() {
            Some(caller) => caller.shared_credential(),
            None if self.command.load(Ordering::Relaxed) => "command".into(),
            None => Arc::default(),
        }
    }

    /// Whom it concerns.
    pub fn subject(&self) -> Option<BlindIndex> {
        self.subject.get().copied()
    }

    /// Notes whom it concerns.
    pub fn note_subject(&self, subject: BlindIndex) {
        let _ = self.subject.set(subject);
    }

    /// What the audit log says beyond the outcome.
    pub fn detail(&self) -> Option<&str> {
        self.detail.get().map(String::as_str)
    }

    /// Notes something for the audit log; never personal data.
    pub fn note_detail(&self, detail: impl Into<String>) {
        let _ = self.detail.set(detail.into());
    }

    /// The key of the person who sent it, if it is a person that we know.
    pub fn client_key(&self) -> Option<&Arc<DataKey>> {
        self.client_key.get()
    }

    /// Notes that it was sent by a person that we know: their address is sealed under their own key
    /// in the audit log, and forgotten with them.
    pub fn note_client_key(&self, key: DataKey) {
        let _ = self.client_key.set(Arc::new(key));
    }

    /// Whether a record was committed together with the change it tells of.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    /// Notes that the record is durable.
    pub fn mark_recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }
}
