//! How ages were decided: by day, by reason, by state.

use store::tables::age_statistics::{self, day_of};

use super::statistics::Days;
use crate::{App, Ctx, Result};

use store::tables::age_statistics::Totals;

pub use store::tables::age_statistics::OfDay;

/// What a company decided in a period that ends today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Every day of it, the oldest first.
    pub days: Vec<OfDay>,
    /// Why, and how often; the most frequent first.
    pub reasons: Vec<(String, i64)>,
    /// Of which state; the most frequent first.
    pub states: Vec<(String, Totals)>,
}

/// Adds up what the caller's company decided.
///
/// # Errors
/// [`crate::Code::Unavailable`] when the database is away.
pub async fn figures(app: &App, ctx: &Ctx, days: Days) -> Result<Figures> {
    let company = ctx.caller.company().to_owned();
    let to = day_of(app.clock.now());
    let from = to - days.count() + 1;
    let found = app.store.read(move |mut tx| {
        let company = company.clone();
        Box::pin(async move {
            let tx = &mut tx;
            Ok((
                age_statistics::by_day(tx, &company, from, to).await?,
                age_statistics::by_reason(tx, &company, from, to).await?,
                age_statistics::by_state(tx, &company, from, to).await?,
            ))
        })
    });
    let (counted, reasons, states) = found.await?;
    let of = |day| {
        let counted = counted.iter().find(|counted| counted.day == day);
        counted.copied().unwrap_or(OfDay {
            day,
            totals: Totals::default(),
        })
    };
    Ok(Figures {
        days: (from..=to).map(of).collect(),
        reasons,
        states,
    })
}
