//! Reading batches and their records as they are checked and exported.
//!
//! Writers go on meanwhile, and statements share no snapshot. What is returned
//! is consistent all the same, because a batch and its records are committed
//! together and a log's batches in order. What cannot be read is told from a
//! database that is away.

use domain::audit::Batch;
use store::tables::audit::{self, Located};
use store::{Error as StoreError, Store};

use crate::{Error, Result};

/// Successive batches of a log, and the records in their places and between them.
pub(super) struct Page {
    pub batches: Vec<Batch>,
    pub records: Vec<Located>,
}

/// Up to `limit` batches after `after` and their records; the records beyond the
/// last batch when there is no further batch; `None` when they cannot be read.
pub(super) async fn page(store: &Store, log: i64, after: i64, limit: i64) -> Result<Option<Page>> {
    let page = store
        .read(move |mut tx| {
            Box::pin(async move {
                let mut batches = audit::batches(&mut tx, log, after, limit).await?;
                if batches.is_empty() {
                    let beyond = audit::records(&mut tx, log, after + 1, i64::MAX).await?;
                    // Records are strays only if their batch is not there even
                    // when it is looked for after them.
                    batches = audit::batches(&mut tx, log, after, limit).await?;
                    if batches.is_empty() {
                        return Ok(Page {
                            batches,
                            records: beyond,
                        });
                    }
                }
                let to = batches.last().map_or(after, |batch| batch.number);
                let records = audit::records(&mut tx, log, after + 1, to).await?;
                Ok(Page { batches, records })
            })
        })
        .await;
    readable(page)
}

/// The number of the first batch after `after`.
pub(super) async fn next(store: &Store, log: i64, after: i64) -> Result<Option<i64>> {
    let next = store
        .read(move |mut tx| Box::pin(async move { audit::next_batch(&mut tx, log, after).await }))
        .await?;
    Ok(next)
}

/// The batch with this number, without its records; `None` when it cannot be read.
pub(super) async fn batch(store: &Store, log: i64, number: i64) -> Result<Option<Batch>> {
    let batches = store
        .read(move |mut tx| {
            Box::pin(async move { audit::batches(&mut tx, log, number - 1, 1).await })
        })
        .await;
    let batch = readable(batches)?.and_then(|batches| batches.into_iter().next());
    Ok(batch.filter(|batch| batch.number == number))
}

/// What was read; `None` when it is malformed, which is no reason to stop.
pub(super) fn readable<T>(read: store::Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt { .. } | StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(Error::from(error)),
    }
}
