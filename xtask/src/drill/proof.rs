//! The look afterwards: is everything that was answered still there?
//!
//! Guarantees: every answered write is asked for by the interface, every answered request is looked
//! for in the exported audit log, every completed session at the receiver of webhooks, and the audit
//! log is verified as a whole. One that cannot be found is a loss.
//! Must not: take a failed look for a passed one.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use test_support::Server;
use test_support::waiting::wait_for;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http::Answers;
use crate::program::ask;

use super::load::{CHECK_PATH, PROVEN, Seen, check_body, request};
use super::receiver::Receiver;

/// How long messages may take: leases of the dead end, receivers that failed are tried again.
const ARRIVAL: Duration = Duration::from_secs(75);
/// Connections that ask what is still there.
const CONNECTIONS: usize = 16;
/// How long one question may be refused before that is a failure of the drill.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered and is not there.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// Writes
    pub answers: u64,
    /// Audit records
    pub records: u64,
    /// Messages that never arrived, or not under one id
    pub messages: u64,
    /// Messages that were accepted once more: a loss where no fault excuses it
    pub again: u64,
    /// What is wrong, one sentence each; also what was not lost but should not have been
    pub words: Vec<String>,
}

impl Losses {
    /// Whether everything is as it should be.
    pub fn is_nothing(&self) -> bool {
        self.answers + self.records + self.messages == 0 && self.words.is_empty()
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.records += other.records;
        self.messages += other.messages;
        self.again += other.again;
        self.words.extend(other.words);
    }

    /// Makes it a loss that messages came again.
    pub fn blame_repetition(&mut self) {
        if self.again > 0 {
            let again = self.again;
            let words = format!("{again} messages were told again, which nothing here excuses");
            self.words.push(words);
        }
    }

    fn note(&mut self, count: usize, words: impl FnOnce() -> String) -> u64 {
        if count > 0 {
            self.words.push(words());
        }
        count as u64
    }
}

/// Where to look.
pub struct Place<'a> {
    /// Whose configuration the operator's commands have
    pub server: &'a Server,
    /// The door by which is asked
    pub port: u16,
    /// The load's key
    pub key: &'a str,
    /// Who was told of the load's sessions
    pub receiver: &'a Receiver,
    /// How long after their arrival messages may still come again
    pub repeats: Duration,
}

/// Looks for everything that a load was answered.
pub fn look_back(place: &Place<'_>, seen: &Seen) -> Result<Losses> {
    let mut losses = Losses::default();
    messages(place.receiver, &seen.verified, &mut losses);
    let arrived = Instant::now();
    answers(place, seen, &mut losses)?;
    records(place.server, seen, &mut losses)?;
    let count = usize::try_from(seen.wrong)?;
    losses.note(count, || {
        let words = seen.wrong_words.join("; ");
        format!("{count} answers that no fault excuses: {words}")
    });
    if let Err(error) = ask(place.server, &["audit", "verify"]) {
        losses.words.push(format!("{error:#}"));
    }
    super::rest(place.repeats.saturating_sub(arrived.elapsed()));
    losses.again = place.receiver.told_again(&seen.verified);
    Ok(losses)
}

/// Counts the completed sessions whose message did not arrive, or came under several ids.
pub fn messages(receiver: &Receiver, sessions: &[String], losses: &mut Losses) {
    let arrived = wait_for("every message's arrival", ARRIVAL, || {
        Ok(receiver.missing(sessions).is_empty().then_some(()))
    });
    // What is missing now is counted; that the time was over says no more.
    drop(arrived);
    let missing = receiver.missing(sessions);
    let lost = losses.note(missing.len(), || {
        let first = missing.first().copied().unwrap_or_default();
        format!(
            "{} messages did not arrive, such as that of {first}",
            missing.len()
        )
    });
    let told = receiver.told();
    let several = told.values().filter(|told| told.ids.len() > 1).count();
    let mut sessions_of = BTreeMap::<_, u64>::new();
    for id in told.values().flat_map(|told| &told.ids) {
        *sessions_of.entry(id).or_default() += 1;
    }
    let shared = sessions_of
        .values()
        .filter(|sessions| **sessions > 1)
        .count();
    let unclear = losses.note(several + shared, || {
        format!("{several} sessions were told under several ids, {shared} ids tell of several")
    });
    losses.messages += lost + unclear;
}

/// One question, and what its answer must contain.
struct Question {
    request: String,
    expected: &'static str,
}

fn answers(place: &Place<'_>, seen: &Seen, losses: &mut Losses) -> Result<()> {
    let customers = seen.proven.iter().map(|customer| Question {
        request: request(CHECK_PATH, place.key, "look-back", &check_body(customer)),
        expected: PROVEN,
    });
    let opened = seen.opened.iter().map(|session| (session, "\"status\":\""));
    let verified = seen.verified.iter();
    let verified = verified.map(|session| (session, "\"status\":\"verified\""));
    let sessions = opened.chain(verified).map(|(session, expected)| Question {
        request: status_request(place.key, session),
        expected,
    });
    let questions: Vec<_> = customers.chain(sessions).collect();
    let asked = questions.len();
    let lost = not_found(place.port, questions)?;
    let count = losses.note(lost.len(), || {
        let first = lost.first().map(String::as_str).unwrap_or_default();
        format!("{} of {asked} writes are not there: {first}", lost.len())
    });
    losses.answers += count;
    Ok(())
}

fn status_request(key: &str, session: &str) -> String {
    format!(
        "GET /api/v1/verification/status/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         X-API-Key: {key}\r\n\r\n"
    )
}

/// What was answered to those questions whose answer is not what it must be.
fn not_found(port: u16, questions: Vec<Question>) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let questions = Arc::new(questions);
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for first in 0..CONNECTIONS {
            tasks.spawn(ask_some(port, questions.clone(), first));
        }
        let mut lost = Vec::new();
        while let Some(some) = tasks.join_next().await {
            lost.extend(some??);
        }
        Ok(lost)
    })
}

/// Asks every so many'th question, again while the service is away.
async fn ask_some(port: u16, questions: Arc<Vec<Question>>, first: usize) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    let mut answers = Answers::new();
    let mut connection = None;
    for question in questions.iter().skip(first).step_by(CONNECTIONS) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match converse(&mut connection, port, &question.request, &mut answers).await {
                Ok(status) if status != 503 => break status,
                _ if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok(_) => bail!("the service does not come back"),
                Err(error) => return Err(error).context("the service does not come back"),
            }
        };
        if status != 200 || !answers.body_contains(question.expected) {
            lost.push(format!("status {status}: {}", answers.body()));
        }
    }
    Ok(lost)
}

async fn converse(
    connection: &mut Option<TcpStream>,
    port: u16,
    request: &str,
    answers: &mut Answers,
) -> Result<u16> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?,
    };
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let status = answers.next(&mut stream).await?;
    if !answers.closes() {
        *connection = Some(stream);
    }
    Ok(status)
}

fn records(server: &Server, seen: &Seen, losses: &mut Losses) -> Result<()> {
    let exported = ask(server, &["audit", "export"])?;
    let records = statuses_of(&exported)?;
    let (mut lost, mut others, mut several) = (Vec::new(), 0, 0);
    for (id, status) in &seen.answered {
        match records.get(id.as_str()).map(Vec::as_slice) {
            None => lost.push(id.as_str()),
            Some([only]) => others += usize::from(*only != u64::from(*status)),
            Some(_) => several += 1,
        }
    }
    let without = losses.note(lost.len(), || {
        let first = lost.first().copied().unwrap_or_default();
        format!("{} requests have no record, such as {first}", lost.len())
    });
    let otherwise = losses.note(others, || {
        format!("{others} requests were answered otherwise than their record says")
    });
    losses.records += without + otherwise;
    losses.note(several, || {
        format!("{several} requests have several records")
    });
    Ok(())
}

/// The statuses of all records, by request.
fn statuses_of(exported: &str) -> Result<BTreeMap<String, Vec<u64>>> {
    let mut statuses = BTreeMap::<_, Vec<u64>>::new();
    for line in exported.lines() {
        let record: Value = serde_json::from_str(line).context("the export is no JSON")?;
        let id = record.get("request_id").and_then(Value::as_str);
        let status = record.get("status").and_then(Value::as_u64);
        let (id, status) = id.zip(status).context("a record without id or status")?;
        statuses.entry(id.to_owned()).or_default().push(status);
    }
    Ok(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_request() {
        let exported =
            "{\"request_id\":\"a-1\",\"status\":200}\n{\"request_id\":\"a-1\",\"status\":503}\n";
        let statuses = statuses_of(exported).unwrap();
        assert_eq!(statuses["a-1"], [200, 503]);
        assert!(statuses_of("nonsense").is_err());
    }

    #[test]
    fn what_was_not_told_is_lost() {
        let receiver = Receiver::start(super::super::receiver::Manner::Accepts).unwrap();
        let mut losses = Losses::default();
        messages(&receiver, &[], &mut losses);
        assert!(losses.is_nothing());
        losses.note(2, || "two things".into());
        assert!(!losses.is_nothing());
    }

    #[test]
    fn a_message_that_came_again_is_a_loss_where_nothing_excuses_it() {
        let mut losses = Losses::default();
        losses.blame_repetition();
        losses.add(Losses {
            again: 2,
            ..Losses::default()
        });
        assert!(losses.is_nothing());
        losses.blame_repetition();
        assert!(!losses.is_nothing());
    }
}
