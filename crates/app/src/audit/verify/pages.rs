//! Successive batches of a log with the leaves of what is stored in their places.
//!
//! Writers go on meanwhile, and statements share no snapshot. What is returned is consistent all the
//! same, because a batch and its records are committed together and a log's batches in order.

use domain::audit::Batch;
use store::Store;
use store::tables::audit;
use store::tables::audit_leaves::{self, StoredLeaf};

use super::super::reading::readable;
use crate::Result;

/// Batches read at a time.
const BATCHES: i64 = 512;
/// Records read at a time, unless one batch has more.
const RECORDS: usize = 16_384;

/// Batches and what stands in their places and between them.
pub struct Page {
    pub batches: Vec<Batch>,
    pub leaves: Vec<StoredLeaf>,
}

/// The next batches after `after` and their leaves; the leaves beyond the last batch when there is
/// no further batch; `None` when a batch of them cannot be read.
pub async fn next(store: &Store, log: i64, after: i64) -> Result<Option<Page>> {
    read(store, log, after, BATCHES).await
}

/// The same for the next batch alone.
pub async fn next_alone(store: &Store, log: i64, after: i64) -> Result<Option<Page>> {
    read(store, log, after, 1).await
}

async fn read(store: &Store, log: i64, after: i64, limit: i64) -> Result<Option<Page>> {
    let page = store.read(move |mut tx| {
        Box::pin(async move {
            let mut batches = audit::batches(&mut tx, log, after, limit).await?;
            if batches.is_empty() {
                let beyond = audit_leaves::leaves(&mut tx, log, after + 1, i64::MAX).await?;
                // They are strays only if their batch is not there even when it is looked for
                // after them.
                batches = audit::batches(&mut tx, log, after, limit).await?;
                if batches.is_empty() {
                    return Ok(Page {
                        batches,
                        leaves: beyond,
                    });
                }
            }
            cut(&mut batches);
            let to = batches.last().map_or(after, |batch| batch.number);
            let leaves = audit_leaves::leaves(&mut tx, log, after + 1, to).await?;
            Ok(Page { batches, leaves })
        })
    });
    readable(page.await)
}

/// Leaves as many batches as have few enough records together, and one at least.
fn cut(batches: &mut Vec<Batch>) {
    let mut records = 0;
    let mut fits = |batch: &Batch| {
        records += batch.leaves.len();
        records <= RECORDS
    };
    let fitting = batches.iter().take_while(|batch| fits(batch)).count();
    batches.truncate(fitting.max(1));
}

/// What stands before the first place of a log: the numbers of batches, and leaves.
pub async fn before_the_first(store: &Store, log: i64) -> Result<(Vec<i64>, Vec<StoredLeaf>)> {
    let found = store.read(move |mut tx| {
        Box::pin(async move {
            let (mut numbers, mut after) = (Vec::new(), i64::MIN);
            while let Some(number) = audit::next_batch(&mut tx, log, after).await? {
                if number > 0 {
                    break;
                }
                numbers.push(number);
                after = number;
            }
            let leaves = audit_leaves::leaves(&mut tx, log, i64::MIN, 0).await?;
            Ok((numbers, leaves))
        })
    });
    Ok(found.await?)
}
