//! Writing the outcome back to the shop: in a field of the order, and, where that is configured, by
//! its fulfilment status.
//!
//! Only what differs is written, so our own hooks come to rest. The field is written first, whatever
//! becomes of the status, and a status is changed only from one that waits: what staff has decided, or
//! has sent, stays as it is.

use std::sync::Arc;

use domain::standing::Proof;

use super::Standing;
use super::shop::{LightspeedShop, ShopOrder, ShopProblem};

/// The name of our field.
pub const FIELD: &str = "bonafide";

/// What it is called where staff sees it.
pub const FIELD_TITLE: &str = "Customer verification";

/// The fulfilment statuses from which an order may be put on hold.
const WAITING: [&str; 2] = ["AWAITING_PROCESSING", "PROCESSING"];

/// The fulfilment statuses that held and released orders get; none by default, because a change of
/// status sends the customer a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// That of an order that must not ship.
    pub held: Option<String>,
    /// That of one that may, when it had the other.
    pub released: Option<String>,
}

/// Writes to the shop.
#[derive(Clone)]
pub struct WriteBack {
    shop: Arc<dyn LightspeedShop>,
    statuses: Statuses,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// Something was written.
    Something,
    /// The shop showed it already.
    Nothing,
}

/// What the shop is to show of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// In our field.
    pub text: String,
    /// Whether it may ship; `None` when that is not for us to say.
    pub may_ship: Option<bool>,
}

impl WriteBack {
    /// To a shop.
    pub fn new(shop: Arc<dyn LightspeedShop>, statuses: Statuses) -> Self {
        Self { shop, statuses }
    }

    /// The shop that is written to.
    #[must_use]
    pub fn shop(&self) -> &dyn LightspeedShop {
        &*self.shop
    }

    /// Has the shop show where an order stands.
    ///
    /// # Errors
    /// When the shop does not do it.
    pub async fn write_standing(
        &self,
        order: &ShopOrder,
        standing: &Standing,
    ) -> Result<Wrote, ShopProblem> {
        self.write(order, &shown(standing)).await
    }

    /// Whether the shop shows something else of an order than where it stands.
    #[must_use]
    pub fn is_stale(&self, order: &ShopOrder, standing: &Standing) -> bool {
        let shown = shown(standing);
        !order.says(&shown) || self.status_for(order, &shown).is_some()
    }

    /// The field comes first: a status that the shop refuses must not keep staff from reading what is
    /// true.
    pub(super) async fn write(
        &self,
        order: &ShopOrder,
        shown: &Shown,
    ) -> Result<Wrote, ShopProblem> {
        let mut wrote = Wrote::Nothing;
        if !order.says(shown) {
            self.shop.set_field(order, &shown.text).await?;
            wrote = Wrote::Something;
        }
        if let Some(status) = self.status_for(order, shown) {
            let changed = self.shop.set_fulfilment(&order.id, status).await;
            changed.map_err(|problem| of_the_status(problem, status))?;
            wrote = Wrote::Something;
        }
        Ok(wrote)
    }

    /// The status that an order is to get, if it is to get another.
    fn status_for(&self, order: &ShopOrder, shown: &Shown) -> Option<&str> {
        let held = self.statuses.held.as_deref();
        let now = order.fulfilment.as_str();
        match shown.may_ship? {
            false => held.filter(|held| *held != now && WAITING.contains(&now)),
            true => self
                .statuses
                .released
                .as_deref()
                .filter(|released| *released != now && held == Some(now)),
        }
    }
}

impl ShopOrder {
    fn says(&self, shown: &Shown) -> bool {
        self.field.as_deref() == Some(&shown.text)
    }
}

fn of_the_status(problem: ShopProblem, status: &str) -> ShopProblem {
    match problem {
        ShopProblem::Unacceptable => {
            tracing::warn!(
                status,
                "Lightspeed refuses this fulfilment status; see LIGHTSPEED_HELD_STATUS"
            );
            ShopProblem::StatusRefused
        }
        other => other,
    }
}

/// What the shop shows of an order whose customer left no address.
pub(super) fn without_address() -> Shown {
    Shown {
        text: "No e-mail address: check by hand before it ships".to_owned(),
        may_ship: Some(false),
    }
}

fn shown(standing: &Standing) -> Shown {
    let (text, may_ship) = match standing {
        Standing::Held(missing) => (waiting_for(missing), Some(false)),
        Standing::Released => ("Verified: may ship".to_owned(), Some(true)),
        Standing::Expired => (
            "Expired: not verified in time, do not ship".to_owned(),
            Some(false),
        ),
        Standing::Late => (
            "Verified too late: decide whether it ships".to_owned(),
            Some(false),
        ),
        Standing::Cancelled => ("Cancelled".to_owned(), None),
    };
    Shown { text, may_ship }
}

fn waiting_for(missing: &[Proof]) -> String {
    let names = missing.iter().map(|proof| match proof {
        Proof::Veriff => "ID check",
        Proof::Membership => "membership agreement",
        Proof::EmailOptin => "e-mail opt-in",
    });
    format!("Held: waiting for {}", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_says_what_is_missing() {
        let text = |standing| shown(&standing).text;
        assert_eq!(
            text(Standing::Held(vec![Proof::Veriff, Proof::EmailOptin])),
            "Held: waiting for ID check, e-mail opt-in"
        );
        assert_eq!(text(Standing::Released), "Verified: may ship");
        let longest = text(Standing::Held(Proof::ALL.to_vec()));
        assert!(longest.len() <= 255, "the shop's limit");
    }

    #[test]
    fn only_what_was_verified_may_ship() {
        let all = [
            Standing::Held(Proof::ALL.to_vec()),
            Standing::Released,
            Standing::Expired,
            Standing::Late,
            Standing::Cancelled,
        ];
        let may_ship = all.map(|standing| shown(&standing).may_ship);
        let expected = [Some(false), Some(true), Some(false), Some(false), None];
        assert_eq!(may_ship, expected);
    }
}
