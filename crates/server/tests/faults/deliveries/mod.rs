//! Deliveries under faults: every completion that was answered is told, under one id.

mod crashes;
mod instances;
mod isolation;
mod outages;
pub mod receiver;
mod shutdown;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use domain::webhook::WebhookSecret;
use serde_json::{Value, json};
use test_support::{Server, ServerBuilder};
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, post_to};
use crate::office::{Key, Office};
use receiver::Receiver;

/// Who verifies numbers.
const COMPANY: &str = "acme";

/// The number of every session.
const NUMBER: &str = "+14155550123";

/// How many clients a company has.
const CLIENTS: usize = 8;

/// A company that is told of its sessions.
#[derive(Clone)]
struct Company {
    key: Key,
    secret: WebhookSecret,
}

impl Company {
    /// A new one, whose webhooks go to `url`.
    async fn told(office: &Office, id: &str, url: &str) -> Self {
        Self {
            secret: office.create_company(id, url).await,
            key: office.create_numbers_key(id).await,
        }
    }

    /// Opens so many sessions; returns their ids.
    async fn open_many(&self, port: u16, count: usize) -> Vec<String> {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let company = self.clone();
            let numbers = (client..count).step_by(CLIENTS);
            clients.spawn(async move {
                let mut connection = Connection::open(port).await.unwrap();
                let mut opened = Vec::new();
                for number in numbers {
                    let request = format!("order-{number}");
                    opened.push(company.open(&mut connection, &request).await);
                }
                opened
            });
        }
        clients.join_all().await.into_iter().flatten().collect()
    }

    async fn open(&self, connection: &mut Connection, request: &str) -> String {
        let body = json!({"mobileNumber": NUMBER, "requestId": request}).to_string();
        let path = "/api/v1/verification/initiate";
        let request = post_to(path, &self.key.text, &[], &body);
        let answer = connection.ask(&request).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["verificationId"].as_str().unwrap().to_owned()
    }

    /// Names the right number.
    async fn complete(
        &self,
        connection: &mut Connection,
        session: &str,
    ) -> std::io::Result<Answer> {
        let body = json!({"verificationId": session, "mobileNumber": NUMBER}).to_string();
        let path = "/api/v1/verification/submit";
        connection
            .ask(&post_to(path, &self.key.text, &[], &body))
            .await
    }

    /// Completes sessions one after another; all of them are answered.
    async fn complete_all(&self, port: u16, sessions: &[String]) {
        let mut connection = Connection::open(port).await.unwrap();
        for session in sessions {
            let answer = self.complete(&mut connection, session).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }

    /// Ends the test unless each of these sessions, and no other, was told and accepted, under an
    /// id of its own and signed; returns how often one was accepted again.
    fn expect_told(&self, receiver: &Receiver, sessions: &[String]) -> usize {
        let heard = receiver.heard();
        let (mut ids, mut accepted) = (BTreeMap::<_, BTreeSet<_>>::new(), BTreeMap::new());
        for heard in &heard {
            heard.expect_signed(&self.secret);
            assert_eq!(heard.json()["type"], "verification.verified");
            ids.entry(heard.session())
                .or_default()
                .insert(heard.id.clone());
            *accepted.entry(heard.session()).or_insert(0) += usize::from(heard.accepted);
        }
        let told: BTreeSet<_> = ids.keys().collect();
        assert_eq!(told, sessions.iter().collect(), "no more, and no fewer");
        let all: BTreeSet<_> = ids.values().flatten().collect();
        assert!(ids.values().all(|ids| ids.len() == 1), "one id each");
        assert_eq!(all.len(), sessions.len(), "each its own");
        assert!(accepted.values().all(|times| *times > 0), "all accepted");
        println!(
            "{} sessions, {} messages, {} accepted",
            sessions.len(),
            heard.len(),
            receiver.accepted()
        );
        receiver.accepted() - sessions.len()
    }
}

/// A server that tells receivers on this machine, with all limits off, and tries again and again.
pub fn telling(builder: ServerBuilder) -> ServerBuilder {
    builder
        .variable("ALLOW_PRIVATE_RECEIVERS", "true")
        .variable("WEBHOOK_TIMEOUT", "1s")
        .variable("WEBHOOK_BACKOFF", ["1s"; 60].join(","))
        .variable("LIMIT_INITIATE", "off")
        .variable("LIMIT_SUBMIT", "off")
}

/// Waits, for at most a limit, until something is so.
pub async fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} within {limit:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until so many deliveries are noted as made, and none waits.
async fn until_all_are_noted(server: &Server, count: usize, limit: Duration) {
    until("all are noted", limit, || number_of(server, "waiting") == 0).await;
    assert_eq!(number_of(server, "delivered"), count);
}

/// How many deliveries stand like this.
fn number_of(server: &Server, status: &str) -> usize {
    let listed = listed(server);
    listed.iter().filter(|one| one["status"] == *status).count()
}

/// All deliveries, as the command tells of them.
pub fn listed(server: &Server) -> Vec<Value> {
    let listed = server.command(["deliveries", "list", "--json", "--limit", "10000"]);
    serde_json::from_slice(&listed.unwrap().stdout).unwrap()
}
