//! What a hook leads to: the order is fetched as it is now, and gated, or let go.

use std::sync::Arc;

use domain::contact::{E164, Email};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::gate::{Gate, Placement};
use super::shop::{LightspeedShop, ShopOrder};
use super::write_back::{WriteBack, without_address};
use super::{Envelope, OrderName};
use crate::inbox::{Event, Handled, Handler, Trouble};
use crate::{Code, Error};

/// Processes the shop's hooks.
pub struct LightspeedHooks {
    shop: Arc<dyn LightspeedShop>,
    gate: Arc<dyn Gate>,
    write_back: WriteBack,
}

impl Handler for LightspeedHooks {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, Trouble>> {
        self.follow(event).boxed()
    }
}

/// What is to be done about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// It has to pass the gate.
    Gate,
    /// It will not ship; why.
    End(&'static str),
    /// It is none of our business; why.
    Leave(&'static str),
}

impl LightspeedHooks {
    /// Over a shop and a gate.
    pub fn new(shop: Arc<dyn LightspeedShop>, gate: Arc<dyn Gate>, write_back: WriteBack) -> Self {
        Self {
            shop,
            gate,
            write_back,
        }
    }

    async fn follow(&self, event: &Event) -> Result<Handled, Trouble> {
        let envelope = Envelope::read(&event.body).ok_or(Trouble::person("unreadable"))?;
        let name = envelope.order.ok_or(Trouble::person("no_order"))?;
        match self.shop.order(&name).await? {
            Some(order) => self.judge(&event.company, &order).await,
            None if event.topic == "order.deleted" => self.let_go(&event.company, &name).await,
            // It may not be there yet, for all parts of the shop.
            None => Err(Trouble::again("not_found")),
        }
    }

    async fn judge(&self, company: &str, order: &ShopOrder) -> Result<Handled, Trouble> {
        match course_of(order) {
            Course::Gate => self.gate(company, order).await,
            Course::End(reason) => {
                let ended = self.gate.cancel(company, &order.id, reason).await?;
                Ok(Handled::done(if ended { "ended" } else { "no_hold" }))
            }
            Course::Leave(word) => Ok(Handled::Ignored(word)),
        }
    }

    async fn gate(&self, company: &str, order: &ShopOrder) -> Result<Handled, Trouble> {
        let email = order
            .email
            .as_deref()
            .and_then(|text| Email::parse(text).ok());
        let Some(email) = email else {
            // Nobody can be asked for anything: the shop's staff has to, and is told where it looks.
            self.write_back.write(order, &without_address()).await?;
            return Ok(Handled::done("no_address"));
        };
        let phone = order
            .phone
            .as_deref()
            .and_then(|text| E164::parse(text).ok());
        let placement = Placement {
            order_id: order.id.clone(),
            email,
            phone,
            placed_at: order.placed_at,
        };
        let placed = self.gate.place(company, placement).await;
        let subject = placed.map_err(of_the_gate)?;
        Ok(Handled::Done {
            word: "gated",
            subject: Some(subject),
        })
    }

    /// Of an order that is not there any more only its number is known.
    async fn let_go(&self, company: &str, name: &OrderName) -> Result<Handled, Trouble> {
        let OrderName::Number(number) = name else {
            return Ok(Handled::done("no_hold"));
        };
        let ended = self
            .gate
            .cancel(company, number, "deleted in the shop")
            .await?;
        Ok(Handled::done(if ended { "ended" } else { "no_hold" }))
    }
}

/// That another shop has an order of that number, no trying again helps.
fn of_the_gate(error: Error) -> Trouble {
    match error.problem().code {
        Code::Conflict => Trouble::person("conflict"),
        _ => error.into(),
    }
}

/// Whether there is anything to do about an order.
pub(super) fn is_of_interest(order: &ShopOrder) -> bool {
    !matches!(course_of(order), Course::Leave(_))
}

/// An order that is not paid yet may ship all the same: it has to pass the gate like any other. What
/// is not known is gated as well.
fn course_of(order: &ShopOrder) -> Course {
    match (order.payment.as_str(), order.fulfilment.as_str()) {
        ("INCOMPLETE", _) => Course::Leave("unfinished"),
        ("CANCELLED", _) => Course::End("cancelled in the shop"),
        ("REFUNDED", _) => Course::End("refunded in the shop"),
        (_, "WILL_NOT_DELIVER") => Course::End("will not be delivered, says the shop"),
        (_, "RETURNED") => Course::End("returned, says the shop"),
        (_, "SHIPPED" | "OUT_FOR_DELIVERY" | "DELIVERED") => Course::Leave("has_left"),
        _ => Course::Gate,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn order(payment: &str, fulfilment: &str) -> ShopOrder {
        ShopOrder {
            id: "XJ12H".to_owned(),
            email: Some("ann@example.com".to_owned()),
            phone: None,
            payment: payment.to_owned(),
            fulfilment: fulfilment.to_owned(),
            field: None,
            placed_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn whatever_may_ship_is_gated() {
        for payment in [
            "PAID",
            "AWAITING_PAYMENT",
            "PARTIALLY_REFUNDED",
            "CUSTOM_PAYMENT_STATUS_1",
            "A_STATUS_OF_TOMORROW",
        ] {
            for fulfilment in [
                "AWAITING_PROCESSING",
                "PROCESSING",
                "READY_FOR_PICKUP",
                "CUSTOM_FULFILLMENT_STATUS_3",
                "",
            ] {
                assert_eq!(course_of(&order(payment, fulfilment)), Course::Gate);
            }
        }
    }

    #[test]
    fn what_will_not_ship_is_let_go() {
        for (payment, fulfilment) in [
            ("CANCELLED", "SHIPPED"),
            ("REFUNDED", "PROCESSING"),
            ("PAID", "WILL_NOT_DELIVER"),
            ("PAID", "RETURNED"),
        ] {
            let course = course_of(&order(payment, fulfilment));
            assert!(matches!(course, Course::End(_)), "{payment} {fulfilment}");
        }
    }

    #[test]
    fn carts_and_parcels_on_their_way_are_left_alone() {
        for (payment, fulfilment) in [
            ("INCOMPLETE", "AWAITING_PROCESSING"),
            ("PAID", "SHIPPED"),
            ("PAID", "DELIVERED"),
        ] {
            let course = course_of(&order(payment, fulfilment));
            assert!(matches!(course, Course::Leave(_)), "{payment} {fulfilment}");
        }
    }

    #[test]
    fn whose_order_it_is_is_not_shown() {
        assert!(!format!("{:?}", order("PAID", "PROCESSING")).contains("ann"));
    }
}
