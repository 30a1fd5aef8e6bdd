//! Seven years of decisions about ages, for the statistics over them.
//!
//! Guarantees: the counts are made by the server's own command, from the rows.
//! Must not: be taken for a way to seed anything that is answered from the rows themselves; nobody
//! decided on these customers, and nothing in them opens.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use test_support::{Postgres, Server};

use crate::workspace::succeed;

const DAY_MS: u64 = 86_400_000;
/// The longest period of statistics.
const DAYS: u64 = 2557;

/// Fills a server's database with so many decisions and has them counted. `postgres` is the
/// cluster and the URL of the database; without it the server keeps a SQLite file.
pub fn fill(server: &Server, postgres: Option<(&Postgres, &str)>, decisions: u64) -> Result<()> {
    let begin = Instant::now();
    match postgres {
        Some((cluster, url)) => {
            let mut psql = cluster.program("psql");
            let numbers = format!("generate_series(0, {decisions} - 1) AS numbers(n)");
            let sql = insert(decisions, &numbers, &Dialect::POSTGRES)?;
            succeed(psql.args(["--quiet", "--command", &sql, url]))?;
        }
        None => {
            let file = server.directory().join("data/bonafide.db");
            let connection = rusqlite::Connection::open(file)?;
            let numbers = format!(
                "(WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers \
                 WHERE n + 1 < {decisions}) SELECT n FROM numbers)"
            );
            connection.execute_batch(&insert(decisions, &numbers, &Dialect::SQLITE)?)?;
        }
    }
    let filled = begin.elapsed();
    count(server)?;
    let counted = begin.elapsed() - filled;
    eprintln!("  {decisions} decisions in {filled:.1?}, counted in {counted:.1?}");
    Ok(())
}

/// How the two databases say the same.
struct Dialect {
    /// A number with sixteen digits.
    padded: &'static str,
    no_bytes: &'static str,
    no_uuid: &'static str,
    truth: [&'static str; 2],
}

impl Dialect {
    const SQLITE: Self = Self {
        padded: "printf('%016d', n)",
        no_bytes: "X'00'",
        no_uuid: "zeroblob(16)",
        truth: ["1", "0"],
    };
    const POSTGRES: Self = Self {
        padded: "lpad(n::text, 16, '0')",
        no_bytes: "'\\x00'",
        no_uuid: "'00000000-0000-0000-0000-000000000000'",
        truth: ["true", "false"],
    };
}

/// One refused in eight, in five states, evenly over the years until now.
#[expect(
    clippy::disallowed_methods,
    reason = "the server that counts these takes its days from the same clock"
)]
fn insert(decisions: u64, numbers: &str, dialect: &Dialect) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = u64::try_from(now)?;
    let first = now - (DAYS - 1) * DAY_MS;
    let (span, last) = ((DAYS - 1) * DAY_MS, decisions.max(1));
    let Dialect {
        padded,
        no_bytes,
        no_uuid,
        truth: [yes, no],
    } = dialect;
    Ok(format!(
        "INSERT INTO age_decisions (verification_id, company_id, customer_index, decided_at, \
         passed, method, reason, state, age, assurance, source, request_id, data_key, claim) \
         SELECT 'av_' || ({first} + n * {span} / {last}) || '_' || {padded}, 'default', {no_bytes}, \
         ({first} + n * {span} / {last}) * 1000, CASE WHEN n % 8 = 0 THEN {no} ELSE {yes} END, \
         CASE WHEN n % 8 = 0 THEN 'age_check' ELSE 'full_verification' END, \
         CASE WHEN n % 8 = 0 THEN 'under_minimum_age' ELSE 'passed' END, \
         CASE n % 5 WHEN 0 THEN 'TX' WHEN 1 THEN 'CA' WHEN 2 THEN 'FL' WHEN 3 THEN 'OH' ELSE 'NY' END, \
         33, 'self_declared', 'key:bench', 'bench', {no_uuid}, {no_bytes} FROM {numbers}"
    ))
}

fn count(server: &Server) -> Result<()> {
    let output = server
        .command(["ages", "recount"])
        .context("cannot count the decisions")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cannot count the decisions: {said}"
    );
    Ok(())
}
