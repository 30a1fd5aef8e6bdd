//! Searching the audit log: the newest records first, whatever log they stand in, one page at a time.
//!
//! What is indexed is read stretch by stretch, the newest first, until no stretch that is left can
//! hold anything that belongs on the page; what is not indexed yet is searched record by record.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use domain::access::CompanyId;
use domain::audit::Month;
use domain::contact::{E164, Email};
use domain::number::MobileNumber;
use domain::seal::{BlindIndex, IndexKey};
use jiff::Timestamp;
use store::Tx;
use store::tables::audit_index::{self, Found, Position, Stretch};

pub use store::tables::audit_index::Filter;

use super::export::{ExportedRecord, Keys};
use crate::{App, Result, ages, customers, numbers};

/// How many stretches are looked up at a time.
const STRETCHES: i64 = 16;

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

/// At most `count` records that the filter wants behind a cursor, the newest first.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list(
    app: &App,
    filter: Filter,
    after: Option<Cursor>,
    count: u16,
) -> Result<Vec<Listed>> {
    let after = after.map_or(Position::NEWEST, |cursor| cursor.0);
    let page = app
        .store
        .read(move |mut tx| {
            let filter = filter.clone();
            Box::pin(async move { page(&mut tx, &filter, after, usize::from(count)).await })
        })
        .await?;
    let mut keys = Keys::of(app);
    let mut listed = Vec::with_capacity(page.len());
    for Found { position, located } in page {
        let key = keys.get(located.record.data_key).await?;
        listed.push(Listed {
            record: ExportedRecord::of(located, key),
            cursor: Cursor(position).to_string(),
        });
    }
    Ok(listed)
}

async fn page(
    tx: &mut Tx<'_>,
    filter: &Filter,
    after: Position,
    count: usize,
) -> store::Result<Vec<Found>> {
    // The tails are known before what is indexed is read: what is taken into the index meanwhile
    // is then met twice, and never missed.
    let tails = audit_index::tails(tx, filter).await?;
    let mut best = Best::new(count);
    for tail in tails {
        best.take(audit_index::search(tx, filter, tail, after, best.count()).await?);
    }
    match filter.subject {
        Some(_) => search_months(tx, filter, after, &mut best).await?,
        None => search_stretches(tx, filter, after, &mut best).await?,
    }
    Ok(best.into_page())
}

/// Searches what is indexed of a subject, month by month.
async fn search_months(
    tx: &mut Tx<'_>,
    filter: &Filter,
    after: Position,
    best: &mut Best,
) -> store::Result<()> {
    let Some((first, last)) = audit_index::extent(tx).await? else {
        return Ok(());
    };
    let first = Month::of(first);
    let mut month = Month::of(last.min(after.committed_at));
    while month >= first && best.wants(month.ends()) {
        best.take(audit_index::search_subject(tx, filter, month, after, best.count()).await?);
        if month.before() == month {
            break;
        }
        month = month.before();
    }
    Ok(())
}

/// Searches what is indexed, stretch by stretch.
async fn search_stretches(
    tx: &mut Tx<'_>,
    filter: &Filter,
    after: Position,
    best: &mut Best,
) -> store::Result<()> {
    let mut last: Option<Stretch> = None;
    loop {
        let until = after.committed_at;
        let stretches = audit_index::stretches(tx, filter, until, last, STRETCHES).await?;
        for stretch in &stretches {
            if !best.wants(stretch.committed_to) {
                return Ok(());
            }
            best.take(audit_index::search(tx, filter, *stretch, after, best.count()).await?);
        }
        match stretches.last() {
            Some(stretch) => last = Some(*stretch),
            None => return Ok(()),
        }
    }
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
