//! What the archive did not take: listed, and sent again when somebody has seen to it.

use domain::audit::Record;
use jiff::Timestamp;
use store::tables::archive::{self, Parked};
use store::tables::audit;
use store::{Error as StoreError, Lane, Tx, Unit, Written};

use super::api::Archive;
use super::backfill::Interrupted;
use super::copy::BATCH;
use super::load::Load;
use super::rows::{Row, Table, decision_named};
use crate::exchange::Exchange;
use crate::{App, Result};

/// How many are sent again at a time.
const PAGE: i64 = 200;

/// Up to `limit` of what was not taken.
///
/// # Errors
/// When the database is away.
pub async fn parked(app: &App, limit: i64) -> Result<Vec<Parked>> {
    list(app, ("", ""), limit).await
}

async fn list(app: &App, after: (&str, &str), limit: i64) -> Result<Vec<Parked>> {
    let (kind, name) = (after.0.to_owned(), after.1.to_owned());
    let listed = app.store.read(move |mut tx| {
        let (kind, name) = (kind.clone(), name.clone());
        Box::pin(async move { archive::list_parked(&mut tx, (&kind, &name), limit).await })
    });
    Ok(listed.await?)
}

/// What came of sending everything again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Taken now.
    pub taken: u64,
    /// Refused again; they stay.
    pub refused: u64,
    /// Gone here as well; they are not listed any more.
    pub gone: u64,
}

/// Sends again what was not taken, as it is now.
///
/// # Errors
/// Why it was cut off; what was sent until then is noted.
pub async fn retry(
    app: &App,
    exchange: &Exchange,
    api: &dyn Archive,
) -> std::result::Result<Retried, Interrupted> {
    let mut retried = Retried::default();
    let mut after = (String::new(), String::new());
    loop {
        let page = list(app, (&after.0, &after.1), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.kind.clone(), last.name.clone());
        for parked in page {
            retry_one(app, api, parked, &mut retried).await?;
        }
    }
    let Retried {
        taken,
        refused,
        gone,
    } = retried;
    let draft = app.recorder.draft(exchange).await?;
    let detail = format!("taken={taken} refused={refused} gone={gone}");
    let record = draft.finish("ok", 0, Some(detail));
    let settle = Settle {
        settled: None,
        parked: Vec::new(),
        record: Some(record),
    };
    app.store.write(settle).await?;
    exchange.mark_recorded();
    Ok(retried)
}

async fn retry_one(
    app: &App,
    api: &dyn Archive,
    parked: Parked,
    retried: &mut Retried,
) -> std::result::Result<(), Interrupted> {
    let rows = match find(app, &parked).await {
        Ok(rows) => rows,
        Err(StoreError::Corrupt { .. } | StoreError::Refused(_)) => {
            retried.refused += 1;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let is_gone = rows.is_empty();
    let mut load = Load::new(rows);
    load.send(api).await?;
    let refused = std::mem::take(&mut load.refused);
    match (is_gone, refused.is_empty()) {
        (true, _) => retried.gone += 1,
        (false, true) => retried.taken += 1,
        (false, false) => retried.refused += 1,
    }
    let now: Timestamp = app.clock.now();
    let refused = refused.into_iter().map(|row| Parked {
        kind: row.table.name().to_owned(),
        name: row.name,
        reason: row.reason,
        parked_at: now,
    });
    let settle = Settle {
        settled: Some(parked),
        parked: refused.collect(),
        record: None,
    };
    app.store.write(settle).await?;
    Ok(())
}

/// The rows of something that was not taken; none when it is gone.
async fn find(app: &App, parked: &Parked) -> store::Result<Vec<Row>> {
    let (kind, name) = (parked.kind.clone(), parked.name.clone());
    app.store
        .read(move |mut tx| {
            let (kind, name) = (kind.clone(), name.clone());
            Box::pin(async move {
                if kind == Table::AgeVerifications.name() {
                    let decision = archive::find_decision(&mut tx, &name).await?;
                    return Ok(decision.map(Row::of_decision).into_iter().collect());
                }
                records(&mut tx, &name, kind == BATCH).await
            })
        })
        .await
}

/// The rows of a record, or of a whole batch with its decisions.
async fn records(tx: &mut Tx<'_>, name: &str, whole: bool) -> store::Result<Vec<Row>> {
    let numbers = name.split('.').map(|part| part.parse().ok());
    let numbers: Vec<Option<i64>> = numbers.collect();
    let (Some(Some(log)), Some(Some(batch))) = (numbers.first(), numbers.get(1)) else {
        return Ok(Vec::new());
    };
    let position = numbers.get(2).copied().flatten();
    let mut rows = Vec::new();
    for located in audit::records(tx, *log, *batch, *batch).await? {
        if !whole && position != Some(located.position) {
            continue;
        }
        if let Some(named) = decision_named(located.record.detail.as_deref()).filter(|_| whole) {
            let decision = archive::find_decision(tx, named.as_str()).await?;
            rows.extend(decision.map(Row::of_decision));
        }
        rows.push(Row::of_record(located));
    }
    Ok(rows)
}

struct Settle {
    settled: Option<Parked>,
    parked: Vec<Parked>,
    record: Option<Record>,
}

impl Unit for Settle {
    type Output = ();

    fn lane(&self) -> Lane {
        Lane::of(b"archive")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<()>> {
        // What is refused again may be the same; it is noted anew behind that.
        if let Some(settled) = &self.settled {
            archive::unpark(tx, &settled.kind, &settled.name).await?;
        }
        for parked in &self.parked {
            archive::park(tx, parked).await?;
        }
        Ok(Written {
            output: (),
            records: self.record.clone().into_iter().collect(),
        })
    }
}
