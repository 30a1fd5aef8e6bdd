//! Ten thousand malformed requests: no 5xx, one shape of failure, nothing that should not be told.

mod bodies;
mod case;
mod chance;
mod framing;
mod requests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::client::{Answer, Connection};
use crate::scene::{Engine, Scene};
use case::{Case, Sent};
use chance::Chance;
use requests::{KINDS, TOKEN};

const REQUESTS: usize = 10_000;
const CLIENTS: usize = 8;
const SEED: u64 = 2;

/// What may be met with silence: bytes that are not even the beginning of a request.
const SILENCE: &str = "no HTTP";

/// Kinds that are wrong however they are read; of the others some are fine for a lenient reader, such
/// as a mistake in a field that the path does not know.
const NEVER_FINE: [&str; 17] = [
    "broken chunks",
    "broken header",
    "content type",
    "credential",
    "early end",
    "encoding",
    "expect",
    "length",
    "list",
    "long body",
    "no HTTP",
    "no object",
    "not UTF-8",
    "request id",
    "truncated",
    "two credentials",
    "many headers",
];

/// What only this program should know: its tables, its languages, its libraries, its places.
const INTERNAL: [&str; 30] = [
    "customer_verification",
    "api_keys",
    "audit_records",
    "audit_batches",
    "data_keys",
    "idempotency_keys",
    "select ",
    "insert into",
    "constraint",
    "syntax error at",
    "sqlite",
    "postgres",
    "rusqlite",
    "tokio",
    "serde",
    "hyper",
    "axum",
    "redis",
    "rustls",
    ".rs:",
    "/src/",
    "/tmp/",
    "/home/",
    "/root",
    "crates/",
    "panicked",
    "unwrap",
    "expected value",
    "at line",
    "trailing characters",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_requests_get_one_shape_of_failure_on_sqlite() {
    ten_thousand_get_one_shape_of_failure(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_requests_get_one_shape_of_failure_on_postgres() {
    ten_thousand_get_one_shape_of_failure(Engine::Postgres).await;
}

async fn ten_thousand_get_one_shape_of_failure(engine: Engine) {
    let scene = Scene::start(engine, "malformed").await;
    let office = scene.office().await;
    let auditor = office.create_auditor().await;
    office.close().await;
    let sent = Arc::new(Sent::new(&scene.key.text, &auditor.text));
    let seen = Arc::new(Mutex::new(Table::default()));
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let (sent, seen, port) = (sent.clone(), seen.clone(), scene.server.port());
        clients.spawn(async move {
            for number in (client..REQUESTS).step_by(CLIENTS) {
                let (name, make) = KINDS[number % KINDS.len()];
                let case = make(&sent, &mut Chance::new(SEED, number));
                let answers = play(port, &case).await;
                let mut seen = seen.lock().unwrap();
                for answer in &answers {
                    judge(name, &case, answer, &sent, &mut seen);
                }
                if answers.is_empty() {
                    seen.count(name, "closed");
                }
            }
        });
    }
    clients.join_all().await;
    let log = format!("{}{}", scene.server.stdout(), scene.server.stderr());
    seen.lock().unwrap().judge_all(&sent, &log);
    let office = scene.office().await;
    office.verify_audit().await;
    office.close().await;
}

/// How often which kind of request got which answer, and what was wrong.
#[derive(Default)]
struct Table {
    counts: BTreeMap<(&'static str, String), usize>,
    complaints: Vec<String>,
}

impl Table {
    fn count(&mut self, kind: &'static str, outcome: &str) {
        *self.counts.entry((kind, outcome.to_owned())).or_default() += 1;
    }

    /// Ends the test if there was anything wrong with the answers together, or with the log.
    fn judge_all(&mut self, sent: &Sent, log: &str) {
        self.print();
        for ((kind, outcome), count) in &self.counts {
            let silent = outcome == "closed" && *kind != SILENCE;
            let fine = outcome.starts_with('2') && NEVER_FINE.contains(kind);
            if silent || fine {
                self.complaints
                    .push(format!("{count} times {outcome}: {kind}"));
            }
        }
        // The start tells which database is used; requests have no part in it.
        let lines = log.lines().filter(|line| !line.contains(" serving "));
        let said = lines.collect::<Vec<_>>().join("\n");
        for leak in sent.leaks(&said).into_iter().chain(internal(&said)) {
            self.complaints.push(format!("the log tells {leak}"));
        }
        let some: Vec<_> = self.complaints.iter().take(30).cloned().collect();
        let count = self.complaints.len();
        assert!(some.is_empty(), "{count}, such as:\n{}", some.join("\n"));
    }

    fn print(&self) {
        for ((kind, outcome), count) in &self.counts {
            println!("{kind:24} {outcome:32} {count:6}");
        }
    }
}

/// Sends a case and returns whatever was answered before the connection ended or was given up.
async fn play(port: u16, case: &Case) -> Vec<Answer> {
    let mut connection = Connection::open(port).await.unwrap();
    // The server may have refused, and closed, before everything was sent.
    let _ = connection.send(&case.bytes).await;
    if case.ends {
        let _ = connection.finish_sending().await;
    }
    let mut answers = Vec::new();
    while answers.len() < case.answers {
        match connection.answer_to(case.head).await {
            Ok(Some(answer)) => answers.push(answer),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                panic!("no end: {}", String::from_utf8_lossy(&case.bytes));
            }
            Ok(None) | Err(_) => break,
        }
    }
    answers
}

/// Counts an answer, and notes what is wrong with it.
fn judge(kind: &'static str, case: &Case, answer: &Answer, sent: &Sent, seen: &mut Table) {
    if answer.status < 300 {
        return seen.count(kind, &answer.status.to_string());
    }
    let mut wrong = Vec::new();
    if answer.status >= 500 {
        wrong.push("a failure of the server".to_owned());
    }
    // An answer to HEAD has no body to look at.
    let code = if case.head {
        Some(String::new())
    } else if kind == TOKEN {
        answer.token_error()
    } else {
        answer.error_code()
    };
    if code.is_none() {
        wrong.push("not the shape of failures".to_owned());
    }
    let said = format!("{answer:?} {}", answer.text());
    wrong.extend(sent.leaks(&said));
    wrong.extend(internal(&said));
    if !wrong.is_empty() {
        let asked = String::from_utf8_lossy(&case.bytes[..case.bytes.len().min(300)]);
        let complaint = format!("{kind}: {wrong:?}\n  asked {asked:?}\n  answered {said}");
        seen.complaints.push(complaint);
    }
    let outcome = format!("{} {}", answer.status, code.unwrap_or_default());
    seen.count(kind, &outcome);
}

fn internal(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let found = INTERNAL.iter().filter(|word| text.contains(*word));
    found.map(|word| format!("{word:?}")).collect()
}
