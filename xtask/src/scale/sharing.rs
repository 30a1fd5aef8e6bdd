//! What all instances have to share: limits, and which keys are dead.
//!
//! Guarantees: a limit is shared when so many requests as it allows, and not one more, are answered
//! by all instances together; a revocation holds when every instance refuses within a second.
//! Must not: be asked through the proxy, which would hide an instance.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use test_support::Server;
use test_support::waiting::wait_for;

use crate::drill::load::{CHECK_PATH, check_body, request};
use crate::drill::site::{COMPANY, SCOPES, ask_once, await_key, get};
use crate::program::{ask, create_key};

use super::estate::Estate;

/// So many requests are allowed, of all instances together.
const ALLOWED: usize = 12;
/// The same, as a key has it.
const LIMIT: &str = "customers=12/1h";
/// Keys that are tried: their counts lie on different nodes of the cluster.
const KEYS: usize = 4;
/// How long after an event limits may hold per instance only.
const SHARED_WITHIN: Duration = Duration::from_secs(20);
/// How soon a revoked key is dead everywhere.
const DEAD_WITHIN: Duration = Duration::from_secs(1);

/// How soon what must be shared was shared.
pub struct Shared {
    limits: Duration,
    revocation: Duration,
}

impl Shared {
    /// For the table.
    pub fn in_words(&self) -> String {
        let limits = match self.limits.as_secs_f64() {
            seconds if seconds < 0.1 => "limits shared at once".to_owned(),
            seconds => format!("limits shared again after {seconds:.1} s"),
        };
        let revocation = self.revocation.as_millis();
        format!("{limits}, a revoked key dead after {revocation} ms")
    }
}

/// Checks both; an error when either is not so.
pub fn check(estate: &Estate) -> Result<Shared> {
    let limits = await_shared_limits(estate)?;
    let revocation = expect_revocation(estate)?;
    Ok(Shared { limits, revocation })
}

/// How long it takes until limits are shared: until every instance says so, and they are exact.
fn await_shared_limits(estate: &Estate) -> Result<Duration> {
    let begin = Instant::now();
    wait_for("sharing of limits by all instances", SHARED_WITHIN, || {
        for server in estate.servers() {
            if !shares_limits(server)? {
                return Ok(None);
            }
        }
        // What the look itself takes is nobody's outage.
        let so_far = begin.elapsed();
        Ok(are_exact(estate)?.then_some(so_far))
    })
}

fn shares_limits(server: &Server) -> Result<bool> {
    let health = get(server.port(), "/health")?;
    Ok(health.contains(r#""limits":{"status":"healthy""#))
}

/// Whether all instances, asked in turn more often than is allowed, answer as often as is allowed,
/// for each of several keys.
fn are_exact(estate: &Estate) -> Result<bool> {
    let office = estate.office()?;
    let keys = (0..KEYS).map(|_| create_key(office, COMPANY, &SCOPES, Some(LIMIT)));
    let keys: Vec<_> = keys.collect::<Result<_>>()?;
    // Who knows a later key knows these, and nothing was taken from their limits.
    let later = create_key(office, COMPANY, &SCOPES, None)?;
    for server in estate.servers() {
        await_key(server, &later)?;
    }
    for key in &keys {
        if take_turns(estate, key)? != ALLOWED {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many of three times as many requests as are allowed are answered.
fn take_turns(estate: &Estate, key: &str) -> Result<usize> {
    let question = request(CHECK_PATH, key, "turn", &check_body("nobody@example.com"));
    let mut allowed = 0;
    for _ in 0..ALLOWED {
        for server in estate.servers() {
            let status = ask_once(server.port(), &question)?;
            ensure!(matches!(status, 200 | 429), "status {status}");
            allowed += usize::from(status == 200);
        }
    }
    Ok(allowed)
}

/// Revokes a key that every instance accepts; how long until none does.
fn expect_revocation(estate: &Estate) -> Result<Duration> {
    let office = estate.office()?;
    let key = create_key(office, COMPANY, &SCOPES, None)?;
    for server in estate.servers() {
        await_key(server, &key)?;
    }
    let id = key.split('_').nth(1).context("a key holds its id")?;
    ask(office, &["keys", "revoke", id])?;
    let begin = Instant::now();
    let question = request(CHECK_PATH, &key, "dead", &check_body("nobody@example.com"));
    for server in estate.servers() {
        wait_for("the end of a revoked key", DEAD_WITHIN, || {
            Ok((ask_once(server.port(), &question)? == 401).then_some(()))
        })?;
    }
    Ok(begin.elapsed())
}
