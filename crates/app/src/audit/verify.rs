//! Checking the audit log: every record there, unchanged and in its place.
//!
//! Nothing is trusted but the arithmetic: leaves are computed again from the
//! records, roots from the leaves, heads from the roots, and the checkpoints'
//! signatures are checked. What does not fit is named.

use std::collections::{HashMap, HashSet};

use domain::audit::{self as log, Batch, Digest, Head, PublicKey};
use domain::seal::KeyRing;
use jiff::Timestamp;
use store::Store;
use store::tables::audit::{self, Located, Signed};
use store::tables::signing_keys::{self, SigningKey};
use uuid::Uuid;

use super::faults::{BatchPlace, Fault, Place, Report};
use super::reading::{self, Page};
use crate::Result;

/// Batches read at a time.
const PAGE: i64 = 200;

/// How many records there are to check, as far as the batches say.
///
/// # Errors
/// When the database is away.
pub async fn count(store: &Store) -> Result<u64> {
    let records = store
        .read(|mut tx| Box::pin(async move { audit::committed_records(&mut tx).await }))
        .await?;
    Ok(u64::try_from(records).unwrap_or_default())
}

/// Checks everything. With a key ring the signing keys are checked against their
/// sealed halves too; without one, against nothing but each other. Of batches that were
/// committed before `kept_from` the records may be gone. `progress` is told the number of
/// records checked so far.
///
/// # Errors
/// When the database is away. What is wrong with the log is in the report.
pub async fn verify(
    store: &Store,
    ring: Option<&KeyRing>,
    kept_from: Timestamp,
    mut progress: impl FnMut(u64),
) -> Result<Report> {
    let mut report = Report {
        kept_from,
        ..Report::default()
    };
    let mut vouched = Vouched::default();
    check_checkpoints(store, ring, &mut report, &mut vouched).await?;
    let logs = store
        .read(|mut tx| Box::pin(async move { audit::logs(&mut tx).await }))
        .await?;
    for log in logs {
        report.logs += 1;
        check_log(store, log, &mut report, &mut vouched, &mut progress).await?;
    }
    report.faults.extend(vouched.missing());
    Ok(report)
}

/// The batches that checkpoints vouch for, until they are met.
#[derive(Default)]
struct Vouched(HashMap<BatchPlace, (i64, Digest)>);

impl Vouched {
    fn add(&mut self, signed: &Signed) {
        for head in &signed.checkpoint.heads {
            let place = BatchPlace {
                log: head.log,
                batch: head.head.batch,
            };
            self.0
                .entry(place)
                .or_insert((signed.checkpoint.number, head.head.hash));
        }
    }

    fn meet(&mut self, place: BatchPlace, head: Digest) -> Option<Fault> {
        let (checkpoint, hash) = self.0.remove(&place)?;
        (hash != head).then_some(Fault::Contradicted { checkpoint, place })
    }

    fn missing(self) -> impl Iterator<Item = Fault> {
        let mut missing: Vec<_> = self.0.into_iter().collect();
        missing.sort_by_key(|(place, _)| (place.log, place.batch));
        missing
            .into_iter()
            .map(|(place, (checkpoint, _))| Fault::Contradicted { checkpoint, place })
    }
}

async fn check_checkpoints(
    store: &Store,
    ring: Option<&KeyRing>,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Result<()> {
    let keys = store
        .read(|mut tx| Box::pin(async move { signing_keys::list(&mut tx).await }))
        .await?;
    report
        .faults
        .extend(keys.iter().filter_map(|key| check_signing_key(key, ring)));
    let (mut number, mut previous) = (0, [0; 32]);
    loop {
        let (page, signers) = read_checkpoints(store, number).await?;
        if page.is_empty() {
            // A signing key is made together with the first checkpoint.
            let removed = number == 0 && !keys.is_empty();
            let fault = removed.then_some(Fault::Checkpoint(1, "was removed"));
            report.faults.extend(fault);
            return Ok(());
        }
        for signed in page {
            let checkpoint = &signed.checkpoint;
            report.checkpoints += 1;
            if checkpoint.number != number + 1 {
                report
                    .faults
                    .push(Fault::Checkpoint(number + 1, "was removed"));
            } else if checkpoint.previous != previous {
                report.faults.push(Fault::Checkpoint(
                    checkpoint.number,
                    "does not follow the one before",
                ));
            }
            let holds = signers
                .get(&signed.signing_key)
                .is_some_and(|key| key.accepts(checkpoint, &signed.signature));
            if !holds {
                report.faults.push(Fault::Checkpoint(
                    checkpoint.number,
                    "its signature does not hold",
                ));
            }
            number = checkpoint.number;
            previous = checkpoint.digest();
            vouched.add(&signed);
        }
    }
}

/// Checkpoints after number `after`, and the keys that signed. The keys are read
/// last, so that no checkpoint made meanwhile is without its key.
async fn read_checkpoints(
    store: &Store,
    after: i64,
) -> Result<(Vec<Signed>, HashMap<Uuid, PublicKey>)> {
    let (page, keys) = store
        .read(move |mut tx| {
            Box::pin(async move {
                let page = audit::checkpoints(&mut tx, after, PAGE).await?;
                Ok((page, signing_keys::list(&mut tx).await?))
            })
        })
        .await?;
    let keys = keys
        .into_iter()
        .map(|key| (key.wrapped.id, PublicKey(key.public_key)));
    Ok((page, keys.collect()))
}

fn check_signing_key(key: &SigningKey, ring: Option<&KeyRing>) -> Option<Fault> {
    let seed = ring?.unwrap_bytes(&key.wrapped).ok();
    let public = seed
        .and_then(|seed| log::CheckpointKey::from_seed(&seed))
        .map(|key| key.public());
    (public.as_ref().map(|public| &public.0) != Some(&key.public_key))
        .then_some(Fault::SigningKey(key.wrapped.id))
}

/// How far a log was checked.
#[derive(Clone, Copy)]
struct Reached {
    /// The last batch; 0 before the first.
    batch: i64,
    /// Its head, unless it could not be read and no checkpoint knows it.
    head: Option<Digest>,
}

async fn check_log(
    store: &Store,
    log: i64,
    report: &mut Report,
    vouched: &mut Vouched,
    progress: &mut impl FnMut(u64),
) -> Result<()> {
    let mut reached = Reached {
        batch: 0,
        head: Some(Head::EMPTY.hash),
    };
    loop {
        if let Some(page) = reading::page(store, log, reached.batch, PAGE).await? {
            if page.batches.is_empty() {
                report.faults.extend(strays(page.records));
                return Ok(());
            }
            reached = check_page(log, reached, page, report, vouched);
        } else {
            // What cannot be read as a page is read batch by batch.
            for _ in 0..PAGE {
                match check_next(store, log, reached, report, vouched).await? {
                    Some(next) => reached = next,
                    None => return Ok(()),
                }
            }
        }
        progress(report.records);
    }
}

/// Checks one batch; `None` when there is no further one. What cannot be read is
/// named, and what can be read of it is checked.
async fn check_next(
    store: &Store,
    log: i64,
    reached: Reached,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Result<Option<Reached>> {
    let next = reading::next(store, log, reached.batch).await?;
    let page = reading::page(store, log, reached.batch, 1).await?;
    match (next, page) {
        (_, Some(page)) if page.batches.is_empty() => {
            report.faults.extend(strays(page.records));
            Ok(None)
        }
        (_, Some(page)) => Ok(Some(check_page(log, reached, page, report, vouched))),
        (None, None) => {
            let batch = reached.batch + 1;
            let what = "malformed records where no batch is".into();
            let place = BatchPlace { log, batch };
            report.faults.push(Fault::Unreadable(place, what));
            Ok(None)
        }
        (Some(batch), None) => {
            let place = BatchPlace { log, batch };
            let what = "malformed values".into();
            report.faults.push(Fault::Unreadable(place, what));
            let batch = reading::batch(store, log, batch).await?;
            Ok(Some(match batch {
                Some(batch) => check_place(place, reached, &batch, report, vouched),
                None => pass_over(place, reached, report, vouched),
            }))
        }
    }
}

/// Goes on behind a batch that cannot be read. Its head is what a checkpoint says;
/// without one the batch behind it cannot be held against it.
fn pass_over(
    place: BatchPlace,
    reached: Reached,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Reached {
    report.faults.extend(removed_between(place, reached));
    Reached {
        batch: place.batch,
        head: vouched.0.remove(&place).map(|(_, head)| head),
    }
}

fn check_page(
    log: i64,
    mut reached: Reached,
    page: Page,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Reached {
    let mut records: HashMap<i64, Vec<Located>> = HashMap::new();
    for located in page.records {
        records.entry(located.batch).or_default().push(located);
    }
    for batch in page.batches {
        let place = BatchPlace {
            log,
            batch: batch.number,
        };
        reached = check_place(place, reached, &batch, report, vouched);
        let records = records.remove(&batch.number).unwrap_or_default();
        check_records(place, &batch, records, report);
    }
    report
        .faults
        .extend(strays(records.into_values().flatten()));
    reached
}

/// Checks a batch by itself, against the one before it and against a checkpoint.
fn check_place(
    place: BatchPlace,
    reached: Reached,
    batch: &Batch,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Reached {
    report.faults.extend(removed_between(place, reached));
    check_batch(place, reached, batch, report);
    report.faults.extend(vouched.meet(place, batch.head));
    report.batches += 1;
    Reached {
        batch: batch.number,
        head: Some(batch.head),
    }
}

fn removed_between(place: BatchPlace, reached: Reached) -> impl Iterator<Item = Fault> {
    let log = place.log;
    (reached.batch + 1..place.batch)
        .map(move |batch| Fault::BatchRemoved(BatchPlace { log, batch }))
}

/// Records that belong to no batch.
fn strays(records: impl IntoIterator<Item = Located>) -> impl Iterator<Item = Fault> {
    let mut places: Vec<_> = records
        .into_iter()
        .map(|located| place_of(&located))
        .collect();
    places.sort_by_key(|place| (place.batch, place.position));
    places.into_iter().map(Fault::Inserted)
}

fn check_batch(place: BatchPlace, before: Reached, batch: &Batch, report: &mut Report) {
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

fn check_records(place: BatchPlace, batch: &Batch, records: Vec<Located>, report: &mut Report) {
    let BatchPlace { log, batch: number } = place;
    if batch.is_retired() {
        // Those that are still there are on their way out: no leaf can be held against them.
        report.retired += u64::try_from(batch.size).unwrap_or_default();
        return;
    }
    let month = batch.month().number();
    let mut met = HashSet::with_capacity(records.len());
    for located in records {
        report.records += 1;
        let position = located.position;
        let place = Place {
            log,
            batch: number,
            position,
        };
        let committed = usize::try_from(position)
            .ok()
            .and_then(|position| batch.leaves.get(position));
        match committed {
            None => report.faults.push(Fault::Inserted(place)),
            Some(leaf) if *leaf != located.record.leaf() || located.month != month => {
                report.faults.push(Fault::Changed(place));
            }
            Some(_) => {}
        }
        if !met.insert(position) {
            report.faults.push(Fault::Inserted(place));
        }
    }
    let expected = 0..i64::try_from(batch.leaves.len()).unwrap_or(i64::MAX);
    let removed = expected.filter(|position| !met.contains(position));
    report.faults.extend(removed.map(|position| {
        Fault::Removed(Place {
            log,
            batch: number,
            position,
        })
    }));
}

fn place_of(located: &Located) -> Place {
    Place {
        log: located.log,
        batch: located.batch,
        position: located.position,
    }
}
