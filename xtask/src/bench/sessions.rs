//! Open sessions of number verification: made through the server's own interface, their ids and
//! tokens noted from its answers.
//!
//! Guarantees: every session is pending, and nobody has submitted a number to it.
//! Must not: be measured.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::http::{Answers, Request, Session};

/// The path of an initiation.
pub const INITIATE_PATH: &str = "/api/v1/verification/initiate";
/// The path of a submission.
pub const SUBMIT_PATH: &str = "/api/v1/verification/submit";

const CONNECTIONS: u64 = 64;

/// The body of an initiation, each about another number and under another name.
pub fn initiation(kind: &str) -> String {
    format!("{{\"mobileNumber\":\"+44740#######\",\"requestId\":\"{kind}-#######\"}}")
}

/// The body of a submission of the same number by the same link.
pub fn submission() -> String {
    let (session, token) = (crate::http::SESSION, crate::http::TOKEN);
    format!(
        "{{\"verificationId\":\"{session}\",\"mobileNumber\":\"+44740#######\",\
         \"appUserId\":\"user-#######\",\"token\":\"{token}\"}}"
    )
}

/// Opens so many sessions; session `n` is about number `n`.
pub fn open(port: u16, key: &str, kind: &str, count: u64) -> Result<Vec<Session>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let request = Request::post(INITIATE_PATH, key, &initiation(kind));
    let mut opened = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for first in 0..CONNECTIONS.min(count) {
            tasks.spawn(open_some(port, request.clone(), first, count));
        }
        let mut opened = Vec::with_capacity(usize::try_from(count)?);
        while let Some(some) = tasks.join_next().await {
            opened.extend(some??);
        }
        anyhow::Ok(opened)
    })?;
    opened.sort_unstable_by_key(|(number, _)| *number);
    Ok(opened.into_iter().map(|(_, session)| session).collect())
}

/// Every so many'th session, over one connection.
async fn open_some(
    port: u16,
    mut request: Request,
    first: u64,
    count: u64,
) -> Result<Vec<(u64, Session)>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut answers = Answers::new();
    let mut opened = Vec::new();
    for number in (first..count).step_by(CONNECTIONS as usize) {
        stream.write_all(request.about(number)).await?;
        let status = answers.next(&mut stream).await?;
        ensure!(status == 201, "status {status}: {}", answers.body());
        opened.push((number, session(&answers.body())?));
    }
    Ok(opened)
}

fn session(body: &str) -> Result<Session> {
    let answer: Value = serde_json::from_str(body)?;
    let text = |field: &str| answer.get(field).and_then(Value::as_str);
    let (id, link) = text("verificationId")
        .zip(text("deepLink"))
        .context("no link")?;
    let (_, token) = link.rsplit_once('#').context("a link without a token")?;
    Ok(Session {
        id: id.to_owned(),
        token: token.to_owned(),
    })
}
