//! The erasure list: what was erased, and forgetting it again in a backup from before.
//!
//! Guarantees: whatever is interrupted is taken up the next time, because a key that is on the list
//! and still here says that there is something left to do.

use domain::access::CompanyId;
use domain::seal::BlindIndex;
use store::tables::erasure::{self, Lock, Person};
use store::tables::erasures::{self, Erasure};
use store::{Lane, Tx, Unit, Written};
use uuid::Uuid;

use super::Indexes;
use super::erase::{clear_up, detail};
use super::eraser::{Counts, Eraser};
use crate::audit::Draft;
use crate::exchange::Exchange;
use crate::orders::News;
use crate::{App, Error, Result};

/// How many erasures one transaction takes in.
const BATCH: usize = 200;
/// How many a page has.
const PAGE: i64 = 200;

/// What was forgotten again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Again {
    /// Erasures that this database did not know.
    pub taken_in: u64,
    /// Customers who were there again.
    pub customers: u64,
    /// Other keys that were there again.
    pub other_keys: u64,
}

/// The erasures after one, in the order in which they were made; a page of them.
///
/// # Errors
/// When the database is away.
pub async fn list(app: &App, after: Option<Uuid>) -> Result<Vec<Erasure>> {
    let after = after.unwrap_or(Uuid::nil());
    let listed = app
        .store
        .read(move |mut tx| Box::pin(async move { erasures::list(&mut tx, after, PAGE).await }));
    Ok(listed.await?)
}

/// Takes in a list, and forgets everybody of it who is still, or again, here.
///
/// # Errors
/// When the database is away; what is left is forgotten the next time.
pub async fn forget_again(app: &App, exchange: &Exchange, listed: &[Erasure]) -> Result<Again> {
    let mut again = Again::default();
    for batch in listed.chunks(BATCH) {
        again.taken_in += app.store.write(TakeIn(batch.to_vec())).await?;
    }
    if !any_left(app).await? {
        return Ok(again);
    }
    let draft = app.recorder.draft(exchange).await?;
    while let Some((company, email_index)) = next(app).await? {
        let company = CompanyId::parse(&company).map_err(Error::internal)?;
        let unit = Forget {
            eraser: Eraser::new(app, &company, &exchange.request_id).await?,
            company,
            email_index,
            draft: draft.clone(),
        };
        if let Some(news) = app.store.write(unit).await? {
            news.announce(app);
            again.customers += 1;
        }
    }
    let nobody = BlindIndex::from_bytes(&domain::random::bytes::<{ BlindIndex::LENGTH }>(
        &*app.random,
    ));
    let nobody = nobody.ok_or_else(|| Error::internal("no index of random bytes"))?;
    again.other_keys = app.store.write(DestroyListed { nobody, draft }).await?;
    exchange.mark_recorded();
    clear_up(app).await;
    Ok(again)
}

async fn any_left(app: &App) -> Result<bool> {
    let left = app
        .store
        .read(|mut tx| Box::pin(async move { erasures::any_left(&mut tx).await }));
    Ok(left.await?)
}

async fn next(app: &App) -> Result<Option<(String, BlindIndex)>> {
    let next = app
        .store
        .read(|mut tx| Box::pin(async move { erasures::list_customers(&mut tx, 1).await }));
    Ok(next.await?.pop())
}

struct TakeIn(Vec<Erasure>);

impl Unit for TakeIn {
    type Output = u64;

    fn lane(&self) -> Lane {
        Lane::of(b"erasures")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        let mut taken_in = 0;
        for erasure in &self.0 {
            taken_in += u64::from(erasures::insert(tx, erasure).await?);
        }
        Ok(Written {
            output: taken_in,
            records: Vec::new(),
        })
    }
}

/// Erases a customer whose key is on the list. A legal hold of the backup was ended before that.
struct Forget {
    eraser: Eraser,
    company: CompanyId,
    email_index: BlindIndex,
    draft: Draft,
}

impl Unit for Forget {
    type Output = Option<News>;

    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(self.email_index.as_bytes())
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<Self::Output>> {
        let company = self.company.as_str();
        let person = erasure::find_person(tx, company, self.email_index, Lock::ForUpdate).await?;
        let Some(person) = person else {
            return Ok(Written {
                output: None,
                records: Vec::new(),
            });
        };
        let (counts, mut news) = self.erase(tx, &person).await?;
        let detail = detail(self.eraser.id, self.eraser.now, &counts);
        let mut record = self.draft.clone().finish("ok", 0, Some(detail));
        record.company = company.into();
        record.subject = Some(self.email_index);
        let mut records = vec![record];
        records.extend(news.take_records());
        Ok(Written {
            output: Some(news),
            records,
        })
    }
}

impl Forget {
    async fn erase(&self, tx: &mut Tx<'_>, person: &Person) -> store::Result<(Counts, News)> {
        let indexes = Indexes {
            email: Some(self.email_index),
            ..Indexes::default()
        };
        self.eraser.erase(tx, Some(person), indexes).await
    }
}

/// Destroys what else of the list is here: what hung on a customer when it was erased, but does not
/// in this backup.
struct DestroyListed {
    nobody: BlindIndex,
    draft: Draft,
}

impl Unit for DestroyListed {
    type Output = u64;

    const ALONE: bool = true;

    fn lane(&self) -> Lane {
        Lane::of(b"erasures")
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> store::Result<Written<u64>> {
        erasure::listed_ages(tx, self.nobody).await?;
        erasure::listed_numbers(tx).await?;
        let keys = erasures::destroy_listed(tx).await?;
        let detail = format!("other_keys={keys}");
        Ok(Written {
            output: keys,
            records: vec![self.draft.clone().finish("ok", 0, Some(detail))],
        })
    }
}

impl Again {
    /// Whether anything had come back.
    #[must_use]
    pub const fn found_any(&self) -> bool {
        self.customers > 0 || self.other_keys > 0
    }
}
