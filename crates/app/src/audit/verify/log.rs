//! Checking one log: its batches in their order, the records in their places, and what checkpoints
//! say of it.

use domain::audit::{self as log, Batch, Digest, Head, Span, Tree, leaf_of_head};
use store::Store;
use store::tables::audit_leaves::StoredLeaf;

use super::super::faults::{BatchPlace, Fault, Place, Report};
use super::super::reading;
use super::pages::{self, Page};
use super::vouched::Vouched;
use crate::Result;

/// Batches that are read one by one before pages are tried again.
const ONE_BY_ONE: usize = 200;

/// How far a log was checked.
struct Reached {
    log: i64,
    /// The last batch; 0 before the first.
    batch: i64,
    /// Its head, unless it could not be read and no checkpoint knows it.
    head: Option<Digest>,
    /// What is behind the last span; `None` when a head in it is not known.
    span: Option<Tree>,
    /// Its first batch.
    first: i64,
}

/// Checks a log to its end.
pub async fn check(
    store: &Store,
    log: i64,
    vouched: &mut Vouched,
    report: &mut Report,
    progress: &mut impl FnMut(u64),
) -> Result<()> {
    let (batches, leaves) = pages::before_the_first(store, log).await?;
    let batches = batches.into_iter().map(|batch| BatchPlace { log, batch });
    report.faults.extend(batches.map(Fault::BatchInserted));
    report.faults.extend(strays(log, &leaves));
    let mut reached = Reached {
        log,
        batch: 0,
        head: Some(Head::EMPTY.hash),
        span: Some(Tree::default()),
        first: 1,
    };
    loop {
        if let Some(page) = pages::next(store, log, reached.batch).await? {
            if page.batches.is_empty() {
                report.faults.extend(strays(log, &page.leaves));
                break;
            }
            check_page(&mut reached, &page, report, vouched);
        } else if !check_one_by_one(store, &mut reached, report, vouched).await? {
            break;
        }
        progress(report.records);
    }
    report
        .faults
        .extend(vouched.missing_behind(log, reached.batch));
    Ok(())
}

/// Checks what cannot be read as a page; `false` at the end of the log.
async fn check_one_by_one(
    store: &Store,
    reached: &mut Reached,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Result<bool> {
    for _ in 0..ONE_BY_ONE {
        if !check_next(store, reached, report, vouched).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks one batch; `false` when there is no further one. What cannot be read is
/// named, and what can be read of it is checked.
async fn check_next(
    store: &Store,
    reached: &mut Reached,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Result<bool> {
    let log = reached.log;
    let next = reading::next(store, log, reached.batch).await?;
    let page = pages::next_alone(store, log, reached.batch).await?;
    let unreadable = |batch, what: &str| {
        let place = BatchPlace { log, batch };
        Fault::Unreadable(place, what.to_owned())
    };
    match (next, page) {
        (_, Some(page)) if page.batches.is_empty() => {
            report.faults.extend(strays(log, &page.leaves));
            Ok(false)
        }
        (_, Some(page)) => {
            check_page(reached, &page, report, vouched);
            Ok(true)
        }
        (None, None) => {
            let what = "malformed records where no batch is";
            report.faults.push(unreadable(reached.batch + 1, what));
            Ok(false)
        }
        (Some(number), None) => {
            report.faults.push(unreadable(number, "malformed values"));
            match reading::batch(store, log, number).await? {
                Some(batch) => check_place(reached, &batch, report, vouched),
                None => pass_over(reached, number, report, vouched),
            }
            Ok(true)
        }
    }
}

/// Goes on behind a batch that cannot be read. Its head is what a checkpoint says;
/// without one the batch behind it cannot be held against it.
fn pass_over(reached: &mut Reached, batch: i64, report: &mut Report, vouched: &mut Vouched) {
    let place = BatchPlace {
        log: reached.log,
        batch,
    };
    report.faults.extend(removed_between(reached, batch));
    let voucher = vouched.meet(place);
    reached.batch = batch;
    reached.head = voucher.map(|voucher| voucher.head);
    reached.span = None;
    if voucher.is_some_and(|voucher| voucher.span.is_some()) {
        reached.begin_span();
    }
}

fn check_page(reached: &mut Reached, page: &Page, report: &mut Report, vouched: &mut Vouched) {
    let mut leaves = page.leaves.as_slice();
    for batch in &page.batches {
        let (before, rest) = leaves.split_at(until(leaves, batch.number));
        let (own, rest) = rest.split_at(until(rest, batch.number.saturating_add(1)));
        report.faults.extend(strays(reached.log, before));
        check_place(reached, batch, report, vouched);
        check_records(reached.log, batch, own, report);
        leaves = rest;
    }
    report.faults.extend(strays(reached.log, leaves));
}

/// How many of these leaves stand before a batch.
fn until(leaves: &[StoredLeaf], batch: i64) -> usize {
    leaves.partition_point(|leaf| leaf.batch < batch)
}

/// Checks a batch by itself, against the one before it and against a checkpoint.
fn check_place(reached: &mut Reached, batch: &Batch, report: &mut Report, vouched: &mut Vouched) {
    let number = batch.number;
    report.faults.extend(removed_between(reached, number));
    check_batch(reached, batch, report);
    report.batches += 1;
    if reached.batch + 1 != number {
        reached.span = None;
    }
    if let Some(span) = &mut reached.span {
        span.push(leaf_of_head(batch.head));
    }
    reached.batch = number;
    reached.head = Some(batch.head);
    let place = BatchPlace {
        log: reached.log,
        batch: number,
    };
    let Some(voucher) = vouched.meet(place) else {
        return;
    };
    let checkpoint = voucher.checkpoint;
    if voucher.head != batch.head {
        report
            .faults
            .push(Fault::Contradicted { checkpoint, place });
    } else if voucher.span.is_some_and(|span| !reached.is_span(&span)) {
        let what = "its span is not that of the batches";
        report.faults.push(Fault::Checkpoint(checkpoint, what));
    }
    if voucher.span.is_some() {
        reached.begin_span();
    }
}

impl Reached {
    /// Whether a span is the one since the last, as far as that is known.
    fn is_span(&self, span: &Span) -> bool {
        let known = self.span.as_ref();
        known.is_none_or(|known| span.first == self.first && span.root == known.root())
    }

    fn begin_span(&mut self) {
        self.span = Some(Tree::default());
        self.first = self.batch + 1;
    }
}

fn removed_between(reached: &Reached, next: i64) -> Option<Fault> {
    let first = BatchPlace {
        log: reached.log,
        batch: reached.batch + 1,
    };
    (first.batch < next).then(|| Fault::BatchesRemoved(first, next - 1))
}

/// Records that belong to no batch.
fn strays(log: i64, leaves: &[StoredLeaf]) -> impl Iterator<Item = Fault> {
    leaves.iter().map(move |leaf| {
        Fault::Inserted(Place {
            log,
            batch: leaf.batch,
            position: leaf.position,
        })
    })
}

fn check_batch(before: &Reached, batch: &Batch, report: &mut Report) {
    let place = BatchPlace {
        log: before.log,
        batch: batch.number,
    };
    let successive = before.batch + 1 == batch.number;
    let follows = !successive || before.head.is_none_or(|head| batch.previous == head);
    let retired = batch.is_retired();
    let timely = !retired || batch.committed_at < report.kept_from;
    let sized = retired || i64::try_from(batch.leaves.len()) == Ok(batch.size);
    let checks = [
        (follows, "it does not follow the one before"),
        (timely, "its records are gone before their time"),
        (sized, "its size is not the number of its leaves"),
        (
            retired || log::root(&batch.leaves) == batch.root,
            "its root is not that of its leaves",
        ),
        (
            batch.expected_head() == batch.head,
            "its head is not that of its fields",
        ),
    ];
    let faults = checks.into_iter().filter(|(holds, _)| !holds);
    report
        .faults
        .extend(faults.map(|(_, what)| Fault::BatchChanged(place, what)));
}

/// Holds what is stored in a batch's places, in order, against what was committed there.
fn check_records(log: i64, batch: &Batch, stored: &[StoredLeaf], report: &mut Report) {
    if batch.is_retired() {
        // Those that are still there are on their way out: no leaf can be held against them.
        report.retired += u64::try_from(batch.size).unwrap_or_default();
        return;
    }
    let month = batch.month().number();
    let place = |position| Place {
        log,
        batch: batch.number,
        position,
    };
    let missing = |from, to| (from < to).then(|| Fault::Removed(place(from), to - 1));
    let mut next = 0;
    for found in stored {
        let StoredLeaf { position, leaf, .. } = found;
        report.records += 1;
        let committed = usize::try_from(*position)
            .ok()
            .and_then(|position| batch.leaves.get(position));
        match committed {
            Some(committed) if *position >= next => {
                report.faults.extend(missing(next, *position));
                if committed != leaf || found.month != month {
                    report.faults.push(Fault::Changed(place(*position)));
                }
                next = position + 1;
            }
            _ => report.faults.push(Fault::Inserted(place(*position))),
        }
    }
    let end = i64::try_from(batch.leaves.len()).unwrap_or(i64::MAX);
    report.faults.extend(missing(next, end));
}
