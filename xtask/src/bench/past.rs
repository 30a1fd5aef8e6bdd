//! A long audit log, as if a server had written it for a year: for searches in it, and for what a
//! long log costs those who only add to it.
//!
//! Guarantees: batches are closed and chained by the server's own code, so that `audit verify` finds
//! nothing; the index is what a worker would have made of it.
//! Must not: run beside a server: the log is written before one takes it up.

use std::io::{BufWriter, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use domain::audit::{Batch, Head, Month, Outcome, Record, close};
use domain::seal::BlindIndex;
use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use test_support::{Postgres, Server};

use crate::workspace::succeed;

/// Records that were committed together.
const BATCH: u64 = 100;
/// Batches of a block of the index: the first number of them that has 2048 records.
const BLOCK: u64 = 21;
/// Records about one person.
const PER_PERSON: u64 = 100;
/// One of so many records is of a rare kind.
const RARE: u64 = 10_000;
/// One of so many batches lies in the month whose time is over; the others in the year until now.
const OVER: u64 = 12;

/// How many people a log of so many records is about.
pub const fn people(records: u64) -> u64 {
    records / PER_PERSON
}

/// Fills the database of a server that never ran. `postgres` is the cluster and the URL of the
/// database; without it the server keeps a SQLite file.
pub fn fill(server: &Server, postgres: Option<(&Postgres, &str)>, records: u64) -> Result<()> {
    let began = Instant::now();
    let migrated = server.command(["migrate"])?;
    ensure!(migrated.status.success(), "cannot migrate the database");
    let log = Log::of(records)?;
    match postgres {
        Some((cluster, url)) => log.into_postgres(cluster, url)?,
        None => log.into_sqlite(server)?,
    }
    eprintln!(
        "  {records} records of the audit log in {:.1?}",
        began.elapsed()
    );
    Ok(())
}

/// What is to be written.
struct Log {
    batches: u64,
    /// The month whose time is over.
    over: Month,
    now: Timestamp,
}

impl Log {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server that takes this log up has the same clock"
    )]
    fn of(records: u64) -> Result<Self> {
        let now = Timestamp::now();
        Ok(Self {
            batches: records / BATCH,
            over: Month::of(now.checked_sub(SignedDuration::from_hours(24 * 2_590))?),
            now,
        })
    }

    /// When a batch was closed.
    fn closed_at(&self, batch: u64) -> Result<Timestamp> {
        let over = self.batches / OVER;
        let (from, to, place, of) = match batch.checked_sub(over) {
            None => (self.over.begins(), self.over.ends(), batch, over),
            Some(place) => {
                let year = SignedDuration::from_hours(24 * 330);
                (
                    self.now.checked_sub(year)?,
                    self.now,
                    place,
                    self.batches - over,
                )
            }
        };
        let span = u64::try_from(to.duration_since(from).as_micros())?;
        let into = u128::from(span) * u128::from(place) / u128::from(of.max(1));
        let into = SignedDuration::from_micros(i64::try_from(into)?);
        Ok(from.checked_add(into)?)
    }

    /// Every batch with its records, in order.
    fn each(&self, mut write: impl FnMut(&Batch, &[Record]) -> Result<()>) -> Result<()> {
        let mut previous = Head::EMPTY;
        for number in 0..self.batches {
            let at = self.closed_at(number)?;
            let records = (number * BATCH..(number + 1) * BATCH).map(|n| self.record(n, at));
            let records: Vec<_> = records.collect::<Result<_>>()?;
            let leaves = records.iter().map(Record::leaf).collect();
            let batch = close(1, previous, leaves, at);
            previous = batch.as_head();
            write(&batch, &records)?;
        }
        Ok(())
    }

    fn record(&self, n: u64, at: Timestamp) -> Result<Record> {
        let action = match n % 4 {
            _ if n.is_multiple_of(RARE) => "key.create",
            0 => "customer.check",
            1 => "customer.update",
            2 => "order.place",
            _ => "age.verify",
        };
        let refused = n.is_multiple_of(9);
        let person = n % people(self.batches * BATCH).max(1);
        let subject = data_encoding::HEXLOWER.decode(subject(person).as_bytes())?;
        Ok(Record {
            at,
            request_id: format!("{:08x}-0000-7000-8000-{n:012x}", n % 0xffff_ffff).into(),
            company: if n.is_multiple_of(7) {
                "acme"
            } else {
                "default"
            }
            .into(),
            credential: "key:4fzzzxjylrx1".into(),
            action: action.into(),
            subject: BlindIndex::from_bytes(&subject),
            outcome: Outcome {
                code: if refused { "not_found" } else { "ok" }.into(),
                status: if refused { 404 } else { 200 },
            },
            latency: 815,
            occurrences: 1,
            data_key: None,
            client: Some(vec![0xc1; 60]),
            detail: None,
        })
    }

    fn into_sqlite(self, server: &Server) -> Result<()> {
        let file = server.directory().join("data/bonafide.db");
        let connection = rusqlite::Connection::open(file)?;
        connection.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
        let mut batches = connection.prepare(
            "INSERT INTO audit_batches (log, batch, size, committed_at, previous, root, head, \
             leaves) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut rows = connection.prepare(
            "INSERT INTO audit_records (log, batch, position, month, at, request_id, company_id, \
             credential, action, subject, outcome, status, latency, occurrences, client) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        self.each(|batch, records| {
            batches.execute(params![
                batch.log,
                batch.number,
                batch.size,
                batch.committed_at.as_microsecond(),
                batch.previous,
                batch.root,
                batch.head,
                batch.leaves.as_flattened(),
            ])?;
            for (position, record) in (0_i64..).zip(records) {
                rows.execute(params![
                    batch.log,
                    batch.number,
                    position,
                    batch.month().number(),
                    record.at.as_microsecond(),
                    record.request_id,
                    record.company,
                    record.credential,
                    record.action,
                    record
                        .subject
                        .as_ref()
                        .map(|subject| subject.as_bytes().as_slice()),
                    record.outcome.code,
                    record.outcome.status,
                    record.latency,
                    record.occurrences,
                    record.client,
                ])?;
            }
            Ok(())
        })?;
        drop((batches, rows));
        connection.execute_batch(&format!("{}; COMMIT", self.index()))?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(())
    }

    fn into_postgres(self, cluster: &Postgres, url: &str) -> Result<()> {
        let mut months = vec![self.over];
        let mut month = Month::of(self.closed_at(self.batches / OVER)?);
        while month.begins() <= self.now {
            months.push(month);
            month = month.next();
        }
        let months = months.iter().map(|month| month.number().to_string());
        let months = months.collect::<Vec<_>>().join(",");
        run(
            cluster,
            url,
            &format!("SELECT audit_make_month(n) FROM unnest(ARRAY[{months}]::bigint[]) n"),
        )?;
        let mut batches = Copy::into(
            cluster,
            url,
            "audit_batches (log, batch, size, committed_at, previous, root, head, leaves)",
        )?;
        let mut rows = Copy::into(
            cluster,
            url,
            "audit_records (log, batch, position, month, at, request_id, company_id, credential, \
             action, subject, outcome, status, latency, occurrences, client)",
        )?;
        self.each(|batch, records| {
            writeln!(
                batches.rows,
                "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                batch.log,
                batch.number,
                batch.size,
                batch.committed_at.as_microsecond(),
                bytes(&batch.previous),
                bytes(&batch.root),
                bytes(&batch.head),
                bytes(batch.leaves.as_flattened()),
            )?;
            for (position, record) in records.iter().enumerate() {
                let subject = record
                    .subject
                    .as_ref()
                    .map(|subject| bytes(subject.as_bytes()));
                writeln!(
                    rows.rows,
                    "{}\t{}\t{position}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    batch.log,
                    batch.number,
                    batch.month().number(),
                    record.at.as_microsecond(),
                    record.request_id,
                    record.company,
                    record.credential,
                    record.action,
                    subject.as_deref().unwrap_or("\\N"),
                    record.outcome.code,
                    record.outcome.status,
                    record.latency,
                    record.occurrences,
                    bytes(record.client.as_deref().unwrap_or_default()),
                )?;
            }
            Ok(())
        })?;
        batches.finish()?;
        rows.finish()?;
        run(cluster, url, &self.index())
    }

    /// What a worker makes of the log: kinds by blocks, subjects by records; the last piece, too
    /// short for a block, is left to be read.
    fn index(&self) -> String {
        let indexed = self.batches / BLOCK * BLOCK;
        format!(
            "INSERT INTO audit_kinds (committed_from, committed_to, log, first_batch, company_id, \
             action, outcome, from_batch, to_batch, at_from, at_to) SELECT MIN(k.committed_from), \
             MIN(k.committed_to), r.log, (r.batch - 1) / {BLOCK} * {BLOCK} + 1, r.company_id, \
             r.action, r.outcome, MIN(r.batch), MAX(r.batch), MIN(r.at), MAX(r.at) \
             FROM (SELECT (batch - 1) / {BLOCK} AS block, MIN(committed_at) AS committed_from, \
             MAX(committed_at) AS committed_to FROM audit_batches GROUP BY (batch - 1) / {BLOCK}) k \
             JOIN audit_records r ON (r.batch - 1) / {BLOCK} = k.block WHERE r.batch <= {indexed} \
             GROUP BY r.log, (r.batch - 1) / {BLOCK}, r.company_id, r.action, r.outcome; \
             INSERT INTO audit_subjects (month, subject, log, batch, position) \
             SELECT month, subject, log, batch, position FROM audit_records \
             WHERE batch <= {indexed} ORDER BY month, subject, batch, position; \
             INSERT INTO audit_indexed (log, kinds_to, subjects_to) VALUES (1, {indexed}, {indexed})"
        )
    }
}

/// How records name a person, in hexadecimal.
fn subject(person: u64) -> String {
    format!("{person:032}")
}

fn bytes(bytes: &[u8]) -> String {
    format!("\\\\x{}", data_encoding::HEXLOWER.encode(bytes))
}

fn run(cluster: &Postgres, url: &str, sql: &str) -> Result<()> {
    let mut psql = cluster.program("psql");
    succeed(psql.args(["--quiet", "--output=/dev/null", "--command", sql, url]))
}

/// Rows on their way into a table of PostgreSQL.
struct Copy {
    psql: Child,
    rows: BufWriter<ChildStdin>,
}

impl Copy {
    fn into(cluster: &Postgres, url: &str, table: &str) -> Result<Self> {
        let mut psql = cluster.program("psql");
        psql.args([
            "--quiet",
            "--command",
            &format!("COPY {table} FROM STDIN"),
            url,
        ]);
        let mut psql = psql.stdin(Stdio::piped()).spawn()?;
        let rows = psql.stdin.take().context("psql takes nothing")?;
        Ok(Self {
            psql,
            rows: BufWriter::new(rows),
        })
    }

    fn finish(mut self) -> Result<()> {
        self.rows.flush()?;
        drop(self.rows);
        ensure!(self.psql.wait()?.success(), "cannot copy the audit log");
        Ok(())
    }
}
