//! Searching the audit log: the newest records first, whatever log they stand in, one page at a time.
//!
//! The log is read stretch by stretch, the newest first, until no stretch that is left can hold
//! anything that belongs on the page. A page costs a bounded amount of work: when enough was read for
//! one, it ends with what is certain by then, be it nothing, and the next goes on from there.

use std::collections::{BTreeMap, HashSet};

use data_encoding::BASE64URL_NOPAD;
use domain::access::CompanyId;
use domain::audit::Month;
use domain::contact::{E164, Email};
use domain::number::MobileNumber;
use domain::seal::{BlindIndex, IndexKey};
use jiff::{SignedDuration, Timestamp};
use store::Tx;
use store::tables::audit_search::{self, Found, Position, Stretch};
use uuid::Uuid;

pub use store::tables::audit_search::Filter;

use super::export::{ExportedRecord, Keys};
use crate::{App, Result, ages, customers, numbers};

/// How many stretches are looked up at a time.
const STRETCHES: i64 = 16;

/// How many stretches are read for a page, of some two thousand records each at most.
const ENOUGH: usize = 12;

/// Whom a search is about, as people know them.
pub enum Whom {
    /// A customer, by address.
    Email(Email),
    /// A customer, by phone number.
    Phone(E164),
    /// Whoever holds a mobile number that was verified.
    Number(MobileNumber),
    /// Somebody whose age was verified, by the caller's name for them.
    CustomerId(String),
}

impl Whom {
    /// As records name them.
    pub fn subject(&self, index_key: &IndexKey, company: &CompanyId) -> BlindIndex {
        match self {
            Self::Email(email) => customers::email_index(index_key, company, email),
            Self::Phone(phone) => customers::phone_index(index_key, company, phone),
            Self::Number(number) => numbers::number_index(index_key, company, number),
            Self::CustomerId(id) => ages::key(index_key, company, id).index,
        }
    }
}

/// Where a page begins; for callers it means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Position);

impl Cursor {
    /// Reads what `Display` wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (&[committed_at, log, batch, position], []) = (numbers, rest) else {
            return None;
        };
        Some(Self(Position {
            committed_at: Timestamp::from_microsecond(i64::from_be_bytes(committed_at)).ok()?,
            log: i64::from_be_bytes(log),
            batch: i64::from_be_bytes(batch),
            position: i64::from_be_bytes(position),
        }))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position {
            committed_at,
            log,
            batch,
            position,
        } = self.0;
        let numbers = [committed_at.as_microsecond(), log, batch, position];
        let bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_be_bytes).collect();
        formatter.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

/// A record of a list.
pub struct Listed {
    /// The record, with what is sealed opened.
    pub record: ExportedRecord,
    /// Where a page begins that comes after it.
    pub cursor: String,
}

/// Records, and how the search goes on.
pub struct Page {
    /// The newest first.
    pub listed: Vec<Listed>,
    /// Where the next page begins, if the search was left off before its end. A page may then hold
    /// fewer records than asked for, or none.
    pub left_off: Option<Cursor>,
}

/// At most `count` records that the filter wants behind a cursor, the newest first.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list(app: &App, filter: Filter, after: Option<Cursor>, count: u16) -> Result<Page> {
    let mut keys = Keys::of(app);
    let (found, left_off) = find(app, filter, after, count).await?;
    let mut listed = Vec::with_capacity(found.len());
    for Found { position, located } in found {
        let key = keys.get(located.record.data_key).await?;
        listed.push(Listed {
            record: ExportedRecord::of(located, key),
            cursor: Cursor(position).to_string(),
        });
    }
    Ok(Page { listed, left_off })
}

/// How many records are read at a time where all are wanted.
const MANY: u16 = 500;

/// Everything about a subject of a company, the newest first. The client is opened where it is
/// sealed under one of the subject's own keys: other callers are other people.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list_about(
    app: &App,
    company: &CompanyId,
    subject: BlindIndex,
    own_keys: &HashSet<Uuid>,
) -> Result<Vec<ExportedRecord>> {
    let filter = Filter {
        company_id: Some(company.as_str().to_owned()),
        subject: Some(subject),
        ..Filter::default()
    };
    let (mut keys, mut records, mut after) = (Keys::of(app), Vec::new(), None);
    loop {
        let (found, left_off) = find(app, filter.clone(), after, MANY).await?;
        let last = found.last().map(|found| Cursor(found.position));
        let is_full = found.len() == usize::from(MANY);
        for Found { located, .. } in found {
            let own = located.record.data_key.filter(|key| own_keys.contains(key));
            records.push(ExportedRecord::of(located, keys.get(own).await?));
        }
        after = match left_off {
            None if is_full => last,
            left_off => left_off,
        };
        if after.is_none() {
            return Ok(records);
        }
    }
}

async fn find(
    app: &App,
    filter: Filter,
    after: Option<Cursor>,
    count: u16,
) -> Result<(Vec<Found>, Option<Cursor>)> {
    let after = after.map_or(Position::NEWEST, |cursor| cursor.0);
    let found = app.store.read(move |mut tx| {
        let filter = filter.clone();
        Box::pin(async move { search(&mut tx, &filter, after, usize::from(count)).await })
    });
    Ok(found.await?)
}

async fn search(
    tx: &mut Tx<'_>,
    filter: &Filter,
    after: Position,
    count: usize,
) -> store::Result<(Vec<Found>, Option<Cursor>)> {
    let mut walk = Walk::begin(tx, filter, after.committed_at).await?;
    let (mut best, mut read) = (Best::new(count), 0);
    while let Some(piece) = walk.next(tx, filter).await? {
        if !best.wants(piece.committed_to()) {
            break;
        }
        let found = match piece {
            Piece::Month(month) => {
                audit_search::search_subject(tx, filter, month, after, best.count()).await?
            }
            Piece::Stretch(stretch) => {
                // Only from an earlier moment on than this page's can the next one go on.
                if read >= ENOUGH && stretch.committed_to < after.committed_at {
                    let left_off = Cursor(Position::behind(stretch.committed_to));
                    return Ok((best.newer_than(stretch.committed_to), Some(left_off)));
                }
                read += 1;
                audit_search::search(tx, filter, stretch, after, best.count()).await?
            }
        };
        best.take(found);
    }
    Ok((best.into_page(), None))
}

/// Something that is searched at once.
enum Piece {
    /// The subject's entries of a month.
    Month(Month),
    /// A run of batches.
    Stretch(Stretch),
}

impl Piece {
    /// The newest of it was committed no later than that.
    fn committed_to(&self) -> Timestamp {
        match self {
            Self::Month(month) => month.ends(),
            Self::Stretch(stretch) => stretch.committed_to,
        }
    }
}

/// Where something may be found that was committed no later than a moment, the newest first. Of a
/// subject what is indexed is known record by record, otherwise by stretches.
struct Walk {
    until: Timestamp,
    /// What is not indexed yet; the newest last.
    tails: Vec<Stretch>,
    /// The next month of the index, if that is where to look and there is one.
    month: Option<Month>,
    /// What is looked up of the index already; the newest last.
    indexed: Vec<Stretch>,
    /// The last stretch that was looked up; `None` at first, and when there are no more.
    last: Option<Stretch>,
    is_over: bool,
}

impl Walk {
    async fn begin(tx: &mut Tx<'_>, filter: &Filter, until: Timestamp) -> store::Result<Self> {
        // The tails are known before what is indexed is read: what is taken into the index meanwhile
        // is then met twice, and never missed.
        let mut tails = audit_search::tails(tx, filter, until).await?;
        tails.sort_by_key(|tail| tail.committed_to);
        let month = match filter.subject {
            None => None,
            Some(_) => {
                let behind = until.checked_add(SignedDuration::from_micros(1));
                last_month(tx, behind.unwrap_or(until)).await?
            }
        };
        Ok(Self {
            until,
            tails,
            month,
            indexed: Vec::new(),
            last: None,
            is_over: filter.subject.is_some(),
        })
    }

    async fn next(&mut self, tx: &mut Tx<'_>, filter: &Filter) -> store::Result<Option<Piece>> {
        if self.indexed.is_empty() && !self.is_over {
            let until = self.until;
            let looked_up =
                audit_search::stretches(tx, filter, until, self.last, STRETCHES).await?;
            self.indexed.extend(looked_up.into_iter().rev());
            self.last = self.indexed.first().copied();
            self.is_over = self.indexed.is_empty();
        }
        let tail = self.tails.last().map(|tail| tail.committed_to);
        let month_ends = self.month.map(Month::ends);
        let indexed = self.indexed.last().map(|stretch| stretch.committed_to);
        // A month before its part that is not indexed: of the two it alone is free.
        if let Some(month) = self.month
            && month_ends >= tail
        {
            self.month = last_month(tx, month.begins()).await?;
            return Ok(Some(Piece::Month(month)));
        }
        let stretch = if tail >= indexed {
            self.tails.pop()
        } else {
            self.indexed.pop()
        };
        Ok(stretch.map(Piece::Stretch))
    }
}

/// The last month before a moment in which anything was recorded.
async fn last_month(tx: &mut Tx<'_>, before: Timestamp) -> store::Result<Option<Month>> {
    let last = audit_search::last_before(tx, before).await?;
    Ok(last.map(Month::of))
}

/// The newest of what was found so far.
struct Best {
    found: BTreeMap<Position, Found>,
    count: usize,
}

impl Best {
    fn new(count: usize) -> Self {
        Self {
            found: BTreeMap::new(),
            count,
        }
    }

    fn count(&self) -> i64 {
        i64::try_from(self.count).unwrap_or(i64::MAX)
    }

    fn take(&mut self, found: Vec<Found>) {
        self.found
            .extend(found.into_iter().map(|found| (found.position, found)));
        while self.found.len() > self.count {
            self.found.pop_first();
        }
    }

    /// Whether something that was committed no later than that could belong here.
    fn wants(&self, committed_to: Timestamp) -> bool {
        let oldest = self.found.first_key_value();
        self.found.len() < self.count
            || oldest.is_some_and(|(oldest, _)| oldest.committed_at <= committed_to)
    }

    /// What cannot be followed by anything that is found later, of what was committed by then.
    fn newer_than(self, committed_at: Timestamp) -> Vec<Found> {
        let mut page = self.into_page();
        page.retain(|found| found.position.committed_at > committed_at);
        page
    }

    fn into_page(self) -> Vec<Found> {
        self.found.into_values().rev().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let cursor = Cursor(Position {
            committed_at: Timestamp::from_microsecond(1_735_689_600_000_001).unwrap(),
            log: 2,
            batch: 3,
            position: 4,
        });
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        let beyond = BASE64URL_NOPAD.encode(&[0x7f; 32]);
        let longer = BASE64URL_NOPAD.encode(&[0; 40]);
        for text in ["", "AAAA", "1.2.3", "=", &beyond, &longer] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
