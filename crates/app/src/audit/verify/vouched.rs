//! The batches that checkpoints vouch for, until they are met.

use std::collections::BTreeMap;

use domain::audit::{Checkpoint, Digest, LogHead, Span};

use super::super::faults::{BatchPlace, Fault};

/// A checkpoint's word for one batch.
#[derive(Debug, Clone, Copy)]
pub struct Voucher {
    /// Whose word.
    pub checkpoint: i64,
    /// The batch's head.
    pub head: Digest,
    /// The span that ends with it, if the checkpoint states spans.
    pub span: Option<Span>,
}

/// All words that were given, by batch.
#[derive(Default)]
pub struct Vouched(BTreeMap<BatchPlace, Voucher>);

impl Vouched {
    /// Takes a checkpoint at its word. Of several words for one batch the first counts, and the
    /// first with a span: the others must say the same, or their spans hold nothing.
    pub fn add(&mut self, checkpoint: &Checkpoint) {
        let spans = checkpoint.spans();
        for (at, LogHead { log, head }) in checkpoint.heads().into_iter().enumerate() {
            let span = spans.get(at).map(|log| log.span);
            let place = BatchPlace {
                log,
                batch: head.batch,
            };
            let voucher = self.0.entry(place).or_insert(Voucher {
                checkpoint: checkpoint.number,
                head: head.hash,
                span,
            });
            voucher.span = voucher.span.or(span);
        }
    }

    /// The word for this batch; words for batches before it in its log are taken back.
    pub fn meet(&mut self, place: BatchPlace) -> Option<Voucher> {
        while let Some(first) = self.first_of(place.log) {
            if first > place {
                return None;
            }
            let voucher = self.0.remove(&first);
            if first == place {
                return voucher;
            }
        }
        None
    }

    fn first_of(&self, log: i64) -> Option<BatchPlace> {
        let places = BatchPlace {
            log,
            batch: i64::MIN,
        }..=BatchPlace {
            log,
            batch: i64::MAX,
        };
        self.0.range(places).next().map(|(place, _)| *place)
    }

    /// What is missing behind the last batch of a log.
    pub fn missing_behind(&mut self, log: i64, last: i64) -> Option<Fault> {
        let mut newest = None;
        while let Some(place) = self.first_of(log) {
            newest = self.0.remove(&place).map(|word| (place, word.checkpoint));
        }
        let (place, checkpoint) = newest?;
        Some(Fault::TailRemoved {
            first: BatchPlace {
                log,
                batch: last.saturating_add(1),
            },
            last: place.batch,
            checkpoint,
        })
    }

    /// Every log of which nothing was met, and the newest checkpoint that knows it.
    pub fn into_missing(self) -> impl Iterator<Item = (i64, i64)> {
        let newest: BTreeMap<i64, i64> = self
            .0
            .into_iter()
            .map(|(place, word)| (place.log, word.checkpoint))
            .collect();
        newest.into_iter()
    }
}
