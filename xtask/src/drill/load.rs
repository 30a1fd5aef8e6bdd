//! Clients at work, at a steady pace, each of which remembers what it was answered.
//!
//! A client goes round four steps: it tells of a proof of a new customer, checks that customer,
//! opens a session for a number, and submits to it. Every request carries an id of its own, by which
//! the audit log knows it.
//!
//! Guarantees: nothing is asked twice; what was not answered, or refused, is left as it is, for
//! nobody promised anything about it. Several doors are tried in turn, as a proxy does.
//! Must not: be a measure of speed; `cargo xtask bench` is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use test_support::waiting::wait_for;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::http::Answers;

/// The longest wait for an answer: twice what a request may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon a load must go on after a fault.
const RECOVERY: Duration = Duration::from_secs(30);
/// The number of every session.
pub const NUMBER: &str = "+14155550123";
/// So many unexpected answers are kept in words.
const KEPT: usize = 3;

/// Who asks whom, and how often.
#[derive(Clone)]
pub struct Plan {
    /// Begins the name of everything that this load makes
    pub name: String,
    /// The doors of the service on 127.0.0.1, tried in turn
    pub ports: Vec<u16>,
    /// What every request is allowed by
    pub key: String,
    /// Clients, each on a connection of its own
    pub clients: u32,
    /// Requests a second, of all clients together
    pub per_second: u32,
    /// Whether proofs are told of as well; otherwise sessions alone
    pub has_customers: bool,
    /// Statuses that this fault may rightly bring about, beside 503
    pub tolerated: &'static [u16],
}

impl Plan {
    /// The time between two requests of one client.
    fn pause(&self) -> Duration {
        Duration::from_secs(1) * self.clients / self.per_second.max(1)
    }
}

/// What the clients of a load saw.
#[derive(Default)]
pub struct Seen {
    /// Customers whose proof was taken
    pub proven: Vec<String>,
    /// Sessions that were opened
    pub opened: Vec<String>,
    /// Those of them that were answered as verified
    pub verified: Vec<String>,
    /// Every answer but 503, by request id
    pub answered: BTreeMap<String, u16>,
    /// Requests that were answered as they should be
    pub good: u64,
    /// Requests that were answered with 503
    pub refused: u64,
    /// Requests without an answer, and those that found no door open
    pub unanswered: u64,
    /// Answers that no fault excuses
    pub wrong: u64,
    /// Some of them, in words
    pub wrong_words: Vec<String>,
    /// Tenths of a second since the start in which something was refused or not answered
    pub refused_tenths: BTreeSet<u64>,
    /// The longest time until an answer
    pub slowest: Duration,
    /// How long the load lasted
    pub lasted: Duration,
}

impl Seen {
    /// Good answers a second.
    pub fn per_second(&self) -> f64 {
        self.good as f64 / self.lasted.as_secs_f64().max(0.001)
    }

    /// For how long there were refusals, in seconds.
    pub fn refused_seconds(&self) -> f64 {
        self.refused_tenths.len() as f64 / 10.0
    }

    fn merge(&mut self, other: Self) {
        self.proven.extend(other.proven);
        self.opened.extend(other.opened);
        self.verified.extend(other.verified);
        self.answered.extend(other.answered);
        self.good += other.good;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.wrong += other.wrong;
        self.wrong_words.extend(other.wrong_words);
        self.wrong_words.truncate(KEPT);
        self.refused_tenths.extend(other.refused_tenths);
        self.slowest = self.slowest.max(other.slowest);
    }

    fn blame(&mut self, words: String) {
        self.wrong += 1;
        if self.wrong_words.len() < KEPT {
            self.wrong_words.push(words);
        }
    }
}

/// What clients and whoever leads them share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    good: AtomicU64,
}

/// A load at work, on a thread of its own.
pub struct Load {
    shared: Arc<Shared>,
    began: Instant,
    thread: JoinHandle<Result<Seen>>,
}

impl Load {
    /// Starts the clients; returns when the first answers have come.
    pub fn start(plan: Plan) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let began = Instant::now();
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || drive(&plan, &shared, began)
        });
        let load = Self {
            shared,
            began,
            thread,
        };
        load.goes_on()?;
        Ok(load)
    }

    /// Waits until requests are answered that were not yet answered now; how long that took.
    pub fn goes_on(&self) -> Result<Duration> {
        /// More than can have been under way to one client.
        const SOME: u64 = 20;
        let begin = Instant::now();
        let wanted = self.good() + SOME;
        wait_for("good answers under load", RECOVERY, || {
            Ok((self.good() >= wanted).then_some(()))
        })?;
        Ok(begin.elapsed())
    }

    /// Lets every client finish its request; what all of them saw.
    pub fn stop(self) -> Result<Seen> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let lasted = self.began.elapsed();
        let joined = self.thread.join();
        let seen = joined.map_err(|_| anyhow!("the load panicked"))??;
        Ok(Seen { lasted, ..seen })
    }

    fn good(&self) -> u64 {
        self.shared.good.load(Ordering::Relaxed)
    }
}

fn drive(plan: &Plan, shared: &Arc<Shared>, began: Instant) -> Result<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for number in 0..plan.clients {
            let client = Client::new(plan.clone(), number, shared.clone(), began);
            clients.spawn(client.run());
        }
        let mut all = Seen::default();
        while let Some(seen) = clients.join_next().await {
            all.merge(seen.context("a client panicked")?);
        }
        Ok(all)
    })
}

/// What came of one request.
enum Came {
    /// An answer as it should be
    Good,
    /// One that a fault excuses
    Excused,
    /// One that nothing excuses, or none
    Nothing,
}

struct Client {
    plan: Plan,
    number: u32,
    shared: Arc<Shared>,
    began: Instant,
    connection: Option<TcpStream>,
    /// Which door is tried next
    door: usize,
    answers: Answers,
    round: u64,
    seen: Seen,
}

impl Client {
    fn new(plan: Plan, number: u32, shared: Arc<Shared>, began: Instant) -> Self {
        Self {
            plan,
            number,
            shared,
            began,
            connection: None,
            door: number as usize,
            answers: Answers::new(),
            round: 0,
            seen: Seen::default(),
        }
    }

    async fn run(mut self) -> Seen {
        let pause = self.plan.pause();
        // All of them together would come in waves.
        tokio::time::sleep(pause * self.number / self.plan.clients.max(1)).await;
        let mut pace = interval(pause);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_over() {
            if self.plan.has_customers {
                self.tell_and_check(&mut pace).await;
            }
            self.open_and_submit(&mut pace).await;
            self.round += 1;
        }
        self.seen
    }

    fn is_over(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// A proof of a new customer, which whoever asks next must find.
    async fn tell_and_check(&mut self, pace: &mut tokio::time::Interval) {
        let customer = format!(
            "{}-{}-{}@example.com",
            self.plan.name, self.number, self.round
        );
        pace.tick().await;
        let told = format!(
            r#"{{"email":"{customer}","verification_type":"veriff","status":true,"metadata":{{"user_agent":"drill"}}}}"#
        );
        let told = self.ask("u", "/api/v1/customer/update-verification", &told, 200);
        if !matches!(told.await, Came::Good) {
            return;
        }
        pace.tick().await;
        let question = check_body(&customer);
        self.seen.proven.push(customer);
        let checked = self.ask("c", CHECK_PATH, &question, 200).await;
        if matches!(checked, Came::Good) && !self.answers.body_contains(PROVEN) {
            let said = format!("a proof was not found: {}", self.answers.body());
            self.seen.blame(said);
        }
    }

    async fn open_and_submit(&mut self, pace: &mut tokio::time::Interval) {
        pace.tick().await;
        let request = format!("{}-{}-{}", self.plan.name, self.number, self.round);
        let body = format!(r#"{{"mobileNumber":"{NUMBER}","requestId":"{request}"}}"#);
        let opened = self.ask("i", "/api/v1/verification/initiate", &body, 201);
        if !matches!(opened.await, Came::Good) {
            return;
        }
        let Some(session) = session_of(&self.answers.body()) else {
            let said = format!("no session: {}", self.answers.body());
            return self.seen.blame(said);
        };
        self.seen.opened.push(session.clone());
        pace.tick().await;
        let body = format!(r#"{{"verificationId":"{session}","mobileNumber":"{NUMBER}"}}"#);
        let submitted = self.ask("s", "/api/v1/verification/submit", &body, 200);
        if matches!(submitted.await, Came::Good) {
            self.seen.verified.push(session);
        }
    }

    /// Asks once, and notes what came of it.
    async fn ask(&mut self, step: &str, path: &str, body: &str, expected: u16) -> Came {
        let id = format!("{}-{}-{}{step}", self.plan.name, self.number, self.round);
        let request = request(path, &self.plan.key, &id, body);
        let asked = Instant::now();
        let answer = timeout(PATIENCE, self.converse(request.as_bytes())).await;
        let Ok(Ok(status)) = answer else {
            self.connection = None;
            self.seen.unanswered += 1;
            self.note_refusal(asked);
            return Came::Nothing;
        };
        self.seen.slowest = self.seen.slowest.max(asked.elapsed());
        if status == 503 {
            self.seen.refused += 1;
            self.note_refusal(asked);
            return Came::Excused;
        }
        self.seen.answered.insert(id, status);
        if status == expected {
            self.seen.good += 1;
            self.shared.good.fetch_add(1, Ordering::Relaxed);
            return Came::Good;
        }
        if self.plan.tolerated.contains(&status) {
            return Came::Excused;
        }
        let said = format!("{path}: {status} {}", self.answers.body());
        self.seen.blame(said);
        Came::Nothing
    }

    async fn converse(&mut self, request: &[u8]) -> Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.knock().await?,
        };
        connection.write_all(request).await?;
        let status = self.answers.next(&mut connection).await?;
        if !self.answers.closes() {
            self.connection = Some(connection);
        }
        Ok(status)
    }

    /// A connection to the next door that opens.
    async fn knock(&mut self) -> Result<TcpStream> {
        let doors = self.plan.ports.len().max(1);
        let mut refusal = anyhow!("no door is known");
        for _ in 0..doors {
            let door = self.plan.ports.get(self.door % doors).copied();
            self.door += 1;
            let address = (Ipv4Addr::LOCALHOST, door.context("a port")?);
            match TcpStream::connect(address).await {
                Ok(connection) => {
                    connection.set_nodelay(true)?;
                    return Ok(connection);
                }
                Err(error) => refusal = error.into(),
            }
        }
        Err(refusal)
    }

    /// From when it was asked until now there was no service for this client.
    fn note_refusal(&mut self, asked: Instant) {
        let tenth = |at: Instant| at.duration_since(self.began).as_millis() / 100;
        let tenths = tenth(asked)..=tenth(Instant::now());
        let tenths = tenths.filter_map(|tenth| u64::try_from(tenth).ok());
        self.seen.refused_tenths.extend(tenths);
    }
}

/// Where customers are checked.
pub const CHECK_PATH: &str = "/api/v1/customer/check-verification";
/// What the answer about a customer with a proof contains.
pub const PROVEN: &str = r#""veriff_approved":true"#;

/// The question about a customer.
pub fn check_body(customer: &str) -> String {
    format!(r#"{{"email":"{customer}"}}"#)
}

/// A POST of JSON under an id of its own.
pub fn request(path: &str, key: &str, id: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\nX-Request-Id: {id}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn session_of(body: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(answer.get("verificationId")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            name: "n".into(),
            ports: vec![1],
            key: "k".into(),
            clients: 50,
            per_second: 1_000,
            has_customers: true,
            tolerated: &[],
        }
    }

    #[test]
    fn the_pace_is_that_of_all_clients_together() {
        assert_eq!(plan().pause(), Duration::from_millis(50));
    }

    #[test]
    fn a_refusal_counts_from_the_question_to_the_answer() {
        let began = Instant::now();
        let mut client = Client::new(plan(), 0, Arc::default(), began);
        client.note_refusal(began);
        let tenths = &client.seen.refused_tenths;
        assert!(tenths.contains(&0) && tenths.len() <= 2, "{tenths:?}");
    }

    #[test]
    fn the_session_stands_in_the_answer() {
        let body = r#"{"verificationId":"nv_1","status":"pending"}"#;
        assert_eq!(session_of(body).as_deref(), Some("nv_1"));
        assert_eq!(session_of("<html>"), None);
    }
}
