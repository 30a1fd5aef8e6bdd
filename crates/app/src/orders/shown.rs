//! An order as it may be shown.

use domain::order::{Missing, Status};
use jiff::Timestamp;
use store::tables::orders::WithCustomer;

use super::pen::Pen;
use crate::customers::Checked;

/// An order as its company sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The shop's number for it.
    pub order_id: String,
    /// The shop it came from.
    pub source: String,
    /// Where it stands.
    pub status: Status,
    /// What is missing now; of an order that is settled, what was missing then.
    pub missing: Missing,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Until when it is, or was, held; `None` once it is settled.
    pub deadline: Option<Timestamp>,
    /// What is known of its customer now.
    pub customer: Checked,
}

impl Shown {
    pub(crate) fn of(pen: &Pen, found: WithCustomer, now: Timestamp) -> Self {
        let WithCustomer { order, customer } = found;
        let customer = Checked::at(customer.as_ref(), &pen.ages, now);
        let is_open = order.status.is_open();
        Self {
            missing: match is_open {
                true => Missing::of(&customer.standing, customer.identity_by_age),
                false => order.missing,
            },
            order_id: order.order_id,
            source: order.source,
            status: order.status,
            placed_at: order.placed_at,
            deadline: is_open.then_some(order.deadline),
            customer,
        }
    }
}
