//! The spans of a checkpoint: what is new in each log since the checkpoint before.
//!
//! They are computed before the transaction that stores the checkpoint: batches are never written
//! twice, so nothing that was read here can change until then.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use domain::audit::{Checkpoint, Digest, LogHead, LogSpan, Span, Tree, leaf_of_head};
use store::Store;
use store::tables::audit_leaves;

use crate::Result;

/// Heads read at a time.
const PAGE: i64 = 10_000;

/// The logs with these ends, and what is new in them since `last`.
pub(super) async fn since(
    store: &Store,
    last: Option<&Checkpoint>,
    ends: Vec<LogHead>,
) -> Result<Vec<LogSpan>> {
    let spans = last.map(Checkpoint::spans).unwrap_or_default();
    let covered: BTreeMap<i64, i64> = spans
        .iter()
        .map(|span| (span.end.log, span.end.head.batch))
        .collect();
    let mut logs = Vec::with_capacity(ends.len());
    for end in ends {
        let first = covered.get(&end.log).map_or(1, |covered| covered + 1);
        let mut tree = Tree::default();
        each_page(store, end.log, first..=end.head.batch, |leaves| {
            tree.extend(leaves);
        })
        .await?;
        let root = tree.root();
        logs.push(LogSpan {
            end,
            span: Span { first, root },
        });
    }
    Ok(logs)
}

/// The leaves of a whole span, in order.
pub(super) async fn leaves(
    store: &Store,
    log: i64,
    batches: RangeInclusive<i64>,
) -> Result<Vec<Digest>> {
    let mut all = Vec::new();
    each_page(store, log, batches, |leaves| all.extend(leaves)).await?;
    Ok(all)
}

async fn each_page(
    store: &Store,
    log: i64,
    batches: RangeInclusive<i64>,
    mut each: impl FnMut(Vec<Digest>),
) -> Result<()> {
    let (mut from, to) = batches.into_inner();
    while from <= to {
        let heads = store.read(move |mut tx| {
            Box::pin(async move { audit_leaves::heads(&mut tx, log, from, to, PAGE).await })
        });
        let heads = heads.await?;
        let Some((newest, _)) = heads.last() else {
            break;
        };
        from = newest + 1;
        each(
            heads
                .into_iter()
                .map(|(_, head)| leaf_of_head(head))
                .collect(),
        );
    }
    Ok(())
}
