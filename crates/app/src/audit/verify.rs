//! Checking the audit log: every record there, unchanged and in its place.
//!
//! Nothing is trusted but the arithmetic: leaves are computed again from the
//! records, roots from the leaves, heads from the roots, and the checkpoints'
//! signatures are checked. What does not fit is named.

use std::collections::{HashMap, HashSet};
use std::fmt;

use domain::audit::{self as log, Batch, Digest, Head, PublicKey};
use domain::seal::KeyRing;
use store::tables::audit::{self, Located, Signed};
use store::tables::signing_keys::{self, SigningKey};
use store::{Error as StoreError, Store};
use uuid::Uuid;

use crate::{Error, Result};

/// Batches read at a time.
const PAGE: i64 = 200;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A record is not the one that was committed.
    Changed(Place),
    /// A record is missing.
    Removed(Place),
    /// A record stands where none was committed.
    Inserted(Place),
    /// A whole batch is missing.
    BatchRemoved(BatchPlace),
    /// A batch does not agree with itself or with the one before it.
    BatchChanged(BatchPlace, &'static str),
    /// A stored value cannot even be read.
    Unreadable(BatchPlace, String),
    /// A checkpoint vouches for a batch that is missing or another.
    Contradicted {
        /// The checkpoint.
        checkpoint: i64,
        /// The batch.
        place: BatchPlace,
    },
    /// A checkpoint is missing or changed, or its signature does not hold.
    Checkpoint(i64, &'static str),
    /// A signing key is not the one that its sealed half makes.
    SigningKey(Uuid),
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The log.
    pub log: i64,
    /// The batch in that log.
    pub batch: i64,
    /// The place in that batch.
    pub position: i64,
}

/// Which batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchPlace {
    /// The log.
    pub log: i64,
    /// The batch in that log.
    pub batch: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "record {}.{}.{}",
            self.log, self.batch, self.position
        )
    }
}

impl fmt::Display for BatchPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "batch {}.{}", self.log, self.batch)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(place) => write!(formatter, "{place} was changed"),
            Self::Removed(place) => write!(formatter, "{place} was removed"),
            Self::Inserted(place) => write!(formatter, "{place} was inserted"),
            Self::BatchRemoved(place) => write!(formatter, "{place} was removed"),
            Self::BatchChanged(place, what) => write!(formatter, "{place} was changed: {what}"),
            Self::Unreadable(place, what) => write!(formatter, "{place} cannot be read: {what}"),
            Self::Contradicted { checkpoint, place } => {
                write!(
                    formatter,
                    "{place} is not the one that checkpoint {checkpoint} vouches for"
                )
            }
            Self::Checkpoint(number, what) => write!(formatter, "checkpoint {number}: {what}"),
            Self::SigningKey(id) => write!(formatter, "signing key {id} was changed"),
        }
    }
}

/// What was checked and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Logs.
    pub logs: u64,
    /// Batches.
    pub batches: u64,
    /// Records.
    pub records: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Everything that does not fit; empty when all is well.
    pub faults: Vec<Fault>,
}

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
/// sealed halves too; without one, against nothing but each other. `progress` is
/// told the number of records checked so far.
///
/// # Errors
/// When the database is away. What is wrong with the log is in the report.
pub async fn verify(
    store: &Store,
    ring: Option<&KeyRing>,
    mut progress: impl FnMut(u64),
) -> Result<Report> {
    let mut report = Report::default();
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
    let keys: HashMap<Uuid, PublicKey> = keys
        .into_iter()
        .map(|key| (key.wrapped.id, PublicKey(key.public_key)))
        .collect();
    let (mut number, mut previous) = (0, [0; 32]);
    loop {
        let page = store
            .read(move |mut tx| {
                Box::pin(async move { audit::checkpoints(&mut tx, number, PAGE).await })
            })
            .await?;
        if page.is_empty() {
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
            let holds = keys
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

fn check_signing_key(key: &SigningKey, ring: Option<&KeyRing>) -> Option<Fault> {
    let seed = ring?.unwrap_bytes(&key.wrapped).ok();
    let public = seed
        .and_then(|seed| log::CheckpointKey::from_seed(&seed))
        .map(|key| key.public());
    (public.as_ref().map(|public| &public.0) != Some(&key.public_key))
        .then_some(Fault::SigningKey(key.wrapped.id))
}

async fn check_log(
    store: &Store,
    log: i64,
    report: &mut Report,
    vouched: &mut Vouched,
    progress: &mut impl FnMut(u64),
) -> Result<()> {
    let mut head = Head::EMPTY;
    loop {
        let Some(page) = read_page(store, log, head.batch, PAGE, report).await? else {
            // What cannot be read as a page is read batch by batch.
            match read_page(store, log, head.batch, 1, report).await? {
                Some(page) if page.batches.is_empty() => return Ok(()),
                Some(page) => head = check_page(log, head, page, report, vouched),
                None => {
                    let place = BatchPlace {
                        log,
                        batch: head.batch + 1,
                    };
                    report
                        .faults
                        .push(Fault::Unreadable(place, "malformed values".into()));
                    vouched.0.remove(&place);
                    return Ok(());
                }
            }
            continue;
        };
        if page.batches.is_empty() {
            let beyond = page
                .records
                .iter()
                .map(|located| Fault::Inserted(place_of(located)));
            report.faults.extend(beyond);
            return Ok(());
        }
        head = check_page(log, head, page, report, vouched);
        progress(report.records);
    }
}

struct Page {
    batches: Vec<Batch>,
    records: Vec<Located>,
}

/// Up to `limit` batches and their records; the records beyond the last batch
/// when there is no further batch; `None` when they cannot be read.
async fn read_page(
    store: &Store,
    log: i64,
    after: i64,
    limit: i64,
    _: &mut Report,
) -> Result<Option<Page>> {
    let page = store
        .read(move |mut tx| {
            Box::pin(async move {
                let batches = audit::batches(&mut tx, log, after, limit).await?;
                let to = batches.last().map_or(i64::MAX, |batch| batch.number);
                let records = audit::records(&mut tx, log, after + 1, to).await?;
                Ok(Page { batches, records })
            })
        })
        .await;
    match page {
        Ok(page) => Ok(Some(page)),
        Err(StoreError::Corrupt { .. } | StoreError::Refused(_)) => Ok(None),
        Err(error) => Err(Error::from(error)),
    }
}

fn check_page(
    log: i64,
    mut head: Head,
    page: Page,
    report: &mut Report,
    vouched: &mut Vouched,
) -> Head {
    let mut records: HashMap<i64, Vec<Located>> = HashMap::new();
    for located in page.records {
        records.entry(located.batch).or_default().push(located);
    }
    for batch in page.batches {
        let place = BatchPlace {
            log,
            batch: batch.number,
        };
        for missing in head.batch + 1..batch.number {
            report.faults.push(Fault::BatchRemoved(BatchPlace {
                log,
                batch: missing,
            }));
        }
        check_batch(place, head, &batch, report);
        report.faults.extend(vouched.meet(place, batch.head));
        check_records(
            place,
            &batch,
            records.remove(&batch.number).unwrap_or_default(),
            report,
        );
        report.batches += 1;
        head = batch.as_head();
    }
    let mut stray: Vec<_> = records
        .into_values()
        .flatten()
        .map(|located| place_of(&located))
        .collect();
    stray.sort_by_key(|place| (place.batch, place.position));
    report.faults.extend(stray.into_iter().map(Fault::Inserted));
    head
}

fn check_batch(place: BatchPlace, before: Head, batch: &Batch, report: &mut Report) {
    let follows = before.batch + 1 != batch.number || batch.previous == before.hash;
    let sized = i64::try_from(batch.leaves.len()) == Ok(batch.size);
    let checks = [
        (follows, "it does not follow the one before"),
        (sized, "its size is not the number of its leaves"),
        (
            log::root(&batch.leaves) == batch.root,
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
            Some(leaf) if *leaf != located.record.leaf() => {
                report.faults.push(Fault::Changed(place));
            }
            Some(_) => {}
        }
        met.insert(position);
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
