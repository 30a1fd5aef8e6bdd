//! Mails by SMTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use app::mail::{Letter, Mailer};
use domain::mail::Outcome;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::conversation::Conversation;
use super::message::{Sender, form};
use super::server::MailServer;

/// How many conversations are held at once, and kept for the next mail: mail servers turn those away
/// who come with many.
const CONVERSATIONS: usize = 4;

/// Sends mails by one mail server.
pub struct SmtpMailer {
    server: MailServer,
    sender: Sender,
    hello: ClientId,
    timeout: Duration,
    kept: Mutex<Vec<Conversation>>,
    places: Semaphore,
    /// Whether the last word was that the configuration has to be put right.
    misconfigured: AtomicBool,
}

impl SmtpMailer {
    /// A mailer without a connection yet. `name` is what this server calls itself, a host name; an
    /// attempt takes at most `timeout`.
    pub fn new(server: MailServer, sender: Sender, name: &str, timeout: Duration) -> Self {
        Self {
            server,
            sender,
            hello: hello(name),
            timeout,
            kept: Mutex::default(),
            places: Semaphore::new(CONVERSATIONS),
            misconfigured: AtomicBool::new(false),
        }
    }

    async fn attempt(&self, letter: &Letter) -> Outcome {
        let Some(mail) = form(letter, &self.sender) else {
            return Outcome::Unsendable;
        };
        // Cut off after the server took it, a mail would be sent twice: what cannot have at least
        // half of its time is not begun.
        let began = Instant::now();
        let place = tokio::time::timeout(self.timeout / 2, self.places.acquire());
        let Ok(_place) = place.await else {
            return Outcome::Crowded;
        };
        let attempt = async {
            let mut conversation = match self.resumed().await {
                Some(conversation) => conversation,
                None => match Conversation::open(&self.server, &self.hello, self.timeout).await {
                    Ok(conversation) => conversation,
                    Err(trouble) => return trouble.outcome,
                },
            };
            let sent = conversation.send(&mail.from, &mail.to, &mail.bytes).await;
            self.keep(conversation).await;
            sent.map_or_else(|trouble| trouble.outcome, |()| Outcome::Delivered)
        };
        let left = self.timeout.saturating_sub(began.elapsed());
        let outcome = tokio::time::timeout(left, attempt).await;
        outcome.unwrap_or(Outcome::Timeout)
    }

    /// A conversation of an earlier mail that the server has not ended.
    async fn resumed(&self) -> Option<Conversation> {
        loop {
            let mut kept = self.kept.lock().await.pop()?;
            if kept.goes_on().await {
                return Some(kept);
            }
        }
    }

    async fn keep(&self, conversation: Conversation) {
        self.kept.lock().await.push(conversation);
    }

    /// Says once that somebody has to act, and once that they did.
    fn tell(&self, outcome: Outcome) {
        let misconfigured = outcome.is_of_the_configuration();
        if !misconfigured && !outcome.is_delivered() {
            return;
        }
        let was = self.misconfigured.swap(misconfigured, Ordering::Relaxed);
        match (was, misconfigured) {
            (false, true) => {
                let (word, code) = (outcome.word(), outcome.code());
                tracing::error!(word, code, "the mail server does not take mails from here");
            }
            (true, false) => tracing::info!("the mail server takes mails again"),
            _ => {}
        }
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Outcome> {
        async move {
            let outcome = self.attempt(letter).await;
            self.tell(outcome);
            outcome
        }
        .boxed()
    }
}

/// What is said at the beginning: a host name, or an address in its brackets.
pub(crate) fn hello(name: &str) -> ClientId {
    match name.trim_matches(['[', ']']).parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}
