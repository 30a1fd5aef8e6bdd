//! Many clients at once, each of which remembers what it was answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::{Answer, Connection, PATIENCE, ask_once, bulk_check, check, post};
use crate::office::Key;

/// The first `occurred_at`, in seconds since 1970: each update happens a second after the last.
const FIRST: i64 = 1_600_000_000;

/// A customer that only one client writes to.
#[derive(Debug, Clone)]
pub struct Customer {
    pub email: String,
    /// Updates that were sent, answered or not.
    pub sent: i64,
    /// The last one that was answered with 200.
    pub answered: i64,
}

impl Customer {
    pub fn new(number: usize) -> Self {
        Self {
            email: format!("customer-{number}@example.com"),
            sent: 0,
            answered: 0,
        }
    }

    /// The next update.
    pub fn next_update(&mut self, key: &Key) -> Vec<u8> {
        self.sent += 1;
        let at = time(self.sent);
        let body = format!(
            r#"{{"email":"{}","verification_type":"veriff","status":true,"metadata":{{"occurred_at":"{at}"}}}}"#,
            self.email
        );
        post("update-verification", &key.text, &[], &body)
    }

    /// Ends the test unless the last answered update is there, or one sent after it.
    pub async fn expect_kept(&self, port: u16, key: &Key) {
        let answer = ask_once(port, &check(&key.text, &self.email))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let kept = answer.json()["veriff_date"].as_str().map(str::to_owned);
        let possible = (self.answered..=self.sent).map(|number| (number > 0).then(|| time(number)));
        assert!(
            possible.clone().any(|time| time == kept),
            "{kept:?} is kept of {self:?}; possible are {:?}",
            possible.collect::<Vec<_>>()
        );
    }
}

fn time(number: i64) -> String {
    jiff::Timestamp::from_second(FIRST + number)
        .unwrap()
        .to_string()
}

/// What the clients of one load share.
#[derive(Default)]
pub struct Progress {
    pub stop: AtomicBool,
    /// Requests answered with 200.
    pub fine: AtomicU64,
}

/// What one client saw.
#[derive(Default)]
pub struct Seen {
    pub customer: Option<Customer>,
    /// Request ids of everything answered, with its status.
    pub answered: Vec<(String, u16)>,
    pub slowest: Duration,
    pub statuses: HashMap<u16, u64>,
    /// Connections that ended while an answer was due.
    pub unanswered: u64,
}

impl Seen {
    pub fn note(&mut self, answer: &Answer, took: Duration) {
        self.answered
            .push((answer.request_id().to_owned(), answer.status));
        self.slowest = self.slowest.max(took);
        *self.statuses.entry(answer.status).or_default() += 1;
    }
}

/// Clients at work.
pub struct Load {
    pub progress: Arc<Progress>,
    clients: JoinSet<Seen>,
}

impl Load {
    /// Starts one client a customer, each on a connection of its own, which it makes anew when it
    /// ends, until told to stop. One request of `reads` + 1 is an update, the others look up.
    pub fn start(port: u16, key: &Key, customers: Vec<Customer>, reads: usize) -> Self {
        let progress = Arc::new(Progress::default());
        let mut clients = JoinSet::new();
        for customer in customers {
            clients.spawn(client(port, key.clone(), customer, reads, progress.clone()));
        }
        Self { progress, clients }
    }

    /// Waits until so many requests were answered with 200 since the start.
    pub async fn reach(&self, count: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.fine() < count {
            assert!(Instant::now() < deadline, "the load does not get going");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How many requests were answered with 200 so far.
    pub fn fine(&self) -> u64 {
        self.progress.fine.load(Ordering::Relaxed)
    }

    /// The time until a request is answered with 200 that was not yet answered now.
    pub async fn recovery(&self) -> Duration {
        let begin = Instant::now();
        self.reach(self.fine() + 1).await;
        begin.elapsed()
    }

    /// Lets every client finish its request, and returns what they saw.
    pub async fn stop(self) -> Vec<Seen> {
        self.progress.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await
    }
}

async fn client(
    port: u16,
    key: Key,
    mut customer: Customer,
    reads: usize,
    progress: Arc<Progress>,
) -> Seen {
    let mut seen = Seen::default();
    let mut connection = None;
    let mut round = 0;
    while !progress.stop.load(Ordering::Relaxed) {
        let Some(open) = &mut connection else {
            connection = Connection::open(port).await.ok();
            if connection.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            continue;
        };
        let turn = round % (reads + 1);
        round += 1;
        let writes = turn == 0;
        let request = match turn {
            0 => customer.next_update(&key),
            1 => check(&key.text, &customer.email),
            _ => bulk_check(&key.text, &customer.email),
        };
        let begin = Instant::now();
        let Ok(answer) = open.ask(&request).await else {
            seen.unanswered += 1;
            connection = None;
            continue;
        };
        seen.note(&answer, begin.elapsed());
        if answer.status == 200 {
            if writes {
                customer.answered = customer.sent;
            }
            progress.fine.fetch_add(1, Ordering::Relaxed);
        } else {
            expect_unavailable(&answer);
        }
        if answer.closes() {
            connection = None;
        }
    }
    seen.customer = Some(customer);
    seen
}

/// While a neighbour is away there is one other answer, with the time to come back.
fn expect_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(
        answer.error_code().as_deref(),
        Some("unavailable"),
        "{}",
        answer.text()
    );
    let after = answer
        .header("retry-after")
        .and_then(|after| after.parse::<u64>().ok());
    assert!(after.is_some_and(|seconds| seconds > 0), "{answer:?}");
}
