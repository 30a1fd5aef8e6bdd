//! A request that needs the database several times waits for it once.

use std::time::{Duration, Instant};

use test_support::postgres::Settings;
use test_support::{Postgres, Server};
use tokio_postgres::NoTls;

use crate::client::{Answer, PATIENCE, ask_once, check, post};
use crate::office::{Key, Office};
use crate::scene::builder;

/// Two seconds of trying, and some for a busy machine; less than trying twice.
const LONGEST: Duration = Duration::from_millis(3_500);

/// The id of a key that nobody has.
const NOBODYS: &str = "aaaaaaaaaaaa";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_looked_up_is_not_refused() {
    let Stage {
        mut postgres,
        server,
        key,
        ..
    } = Stage::set().await;
    let unknown = check(&key.text.replace(&key.id, NOBODYS), "a@example.com");
    postgres.crash().unwrap();
    // Whoever comes while others wait already waits no longer for it.
    let asked = [0, 300, 1500].map(|after| {
        let (port, unknown) = (server.port(), unknown.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            timed(port, &unknown).await
        })
    });
    for asked in asked {
        expect_unavailable(&asked.await.unwrap());
    }
    postgres.start_again().unwrap();
    until_answered(&server, &unknown, 401).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_under_an_idempotency_key_that_fails_is_waited_for_once() {
    let Stage {
        mut postgres,
        server,
        key,
        url,
    } = Stage::set().await;
    let body = r#"{"email":"a@example.com","verification_type":"veriff","status":true}"#;
    let headers = [("Idempotency-Key", "k-1")];
    let update = post("update-verification", &key.text, &headers, body);
    let held = Held::customers(&url).await;
    let crash = async {
        held.until_somebody_waits().await;
        postgres.crash().unwrap();
    };
    let (answered, ()) = tokio::join!(timed(server.port(), &update), crash);
    expect_unavailable(&answered);
    // Longer than anybody waits for giving the key up.
    tokio::time::sleep(Duration::from_secs(3)).await;
    postgres.start_again().unwrap();
    until_answered(&server, &update, 200).await;
}

/// A server on a PostgreSQL that may be ended, and a key to ask with.
struct Stage {
    postgres: Postgres,
    server: Server,
    key: Key,
    url: String,
}

impl Stage {
    async fn set() -> Self {
        let postgres = Postgres::start(Settings::Durable).unwrap();
        let url = postgres.fresh_database("patience").unwrap();
        let office = Office::open(&url).await;
        let key = office.create_key("off").await;
        office.close().await;
        Self {
            server: builder(&url).start().unwrap(),
            postgres,
            key,
            url,
        }
    }
}

/// The customers, held by another program.
struct Held(tokio_postgres::Client);

impl Held {
    async fn customers(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let hold = "BEGIN; LOCK TABLE customer_verification IN ACCESS EXCLUSIVE MODE";
        client.batch_execute(hold).await.unwrap();
        Self(client)
    }

    async fn until_somebody_waits(&self) {
        let deadline = Instant::now() + PATIENCE;
        let waiting = "SELECT 1 FROM pg_locks WHERE NOT granted";
        while self.0.query(waiting, &[]).await.unwrap().is_empty() {
            assert!(Instant::now() < deadline, "nobody waits for the customers");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn timed(port: u16, request: &[u8]) -> (Answer, Duration) {
    let begin = Instant::now();
    let answer = ask_once(port, request).await.unwrap();
    (answer, begin.elapsed())
}

fn expect_unavailable((answer, took): &(Answer, Duration)) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.error_code().as_deref(), Some("unavailable"));
    assert!(answer.header("retry-after").is_some());
    assert!(*took < LONGEST, "answered after {took:?}");
}

/// Asks until the database is back and the answer certain.
async fn until_answered(server: &Server, request: &[u8], status: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask_once(server.port(), request).await.unwrap();
        if answer.status == status {
            return;
        }
        assert!(Instant::now() < deadline, "{}", answer.text());
    }
}
