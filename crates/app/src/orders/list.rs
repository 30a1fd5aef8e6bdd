//! A company's orders, the last placed first.

use data_encoding::BASE64URL_NOPAD;
use domain::order::Status;
use jiff::Timestamp;
use store::tables::orders::{self, Order, Position};
use uuid::Uuid;

use super::pen::Pen;
use super::shown::Shown;
use crate::{App, Ctx, Result};

/// Where a page begins; for callers it means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Position);

impl Cursor {
    fn behind(order: &Order) -> Self {
        Self(Position {
            placed_at: order.placed_at,
            id: order.id,
        })
    }

    /// Reads what `Display` wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (placed_at, id) = bytes.split_first_chunk::<8>()?;
        Some(Self(Position {
            placed_at: Timestamp::from_microsecond(i64::from_be_bytes(*placed_at)).ok()?,
            id: Uuid::from_slice(id).ok()?,
        }))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let placed_at = self.0.placed_at.as_microsecond().to_be_bytes();
        let bytes = [placed_at.as_slice(), self.0.id.as_bytes()].concat();
        formatter.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

/// An order of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The order.
    pub order: Shown,
    /// Where a page begins that comes after it.
    pub cursor: String,
}

/// At most `count` orders of the caller's company behind a cursor, all or those of one status.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn list(
    app: &App,
    ctx: &Ctx,
    status: Option<Status>,
    after: Option<Cursor>,
    count: u16,
) -> Result<Vec<Listed>> {
    let company = ctx.caller.company().to_owned();
    let after = after.map_or(Position::NEWEST, |cursor| cursor.0);
    let found = app
        .store
        .read(move |mut tx| {
            let company = company.clone();
            Box::pin(async move {
                orders::list(&mut tx, &company, status, after, i64::from(count)).await
            })
        })
        .await?;
    let (pen, now) = (Pen::of(app), app.clock.now());
    let listed = found.into_iter().map(|found| Listed {
        cursor: Cursor::behind(&found.order).to_string(),
        order: Shown::of(&pen, found, now),
    });
    Ok(listed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        for microsecond in [-1, 0, 1_735_689_600_000_001] {
            let cursor = Cursor(Position {
                placed_at: Timestamp::from_microsecond(microsecond).unwrap(),
                id: Uuid::from_u64_pair(1, 2),
            });
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        let beyond = BASE64URL_NOPAD.encode(&[0x7f; 24]);
        for text in ["", "AAAA", "order-81", "=", &beyond] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
