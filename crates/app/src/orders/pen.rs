//! What it takes to write how an order goes on.

use std::sync::Arc;

use domain::order::Missing;
use domain::random::Random;
use domain::seal::{DataKey, KeyRing, WrappedKey};
use domain::standing::Standing;
use jiff::Timestamp;
use store::Tx;
use store::tables::customers::Found;
use store::tables::data_keys;
use store::tables::orders::Order;

use super::Policy;
use crate::{App, ages};

/// What it takes to write how an order goes on.
#[derive(Clone)]
pub(crate) struct Pen {
    pub ring: Arc<KeyRing>,
    pub random: Arc<dyn Random>,
    pub policy: Policy,
    pub ages: ages::Policy,
}

impl Pen {
    pub fn of(app: &App) -> Self {
        Self {
            ring: app.key_ring.clone(),
            random: app.random.clone(),
            policy: app.orders.clone(),
            ages: app.ages,
        }
    }

    /// What a customer has not proven at `now`.
    pub fn missing(
        &self,
        standing: &Standing,
        age_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Missing {
        Missing::of(standing, self.ages.identity_by_age(age_until, now))
    }

    /// What the customer of an order has not proven at `now`; of one who is gone, what was missing
    /// last.
    pub fn missing_of(&self, order: &Order, customer: Option<&Found>, now: Timestamp) -> Missing {
        customer.map_or(order.missing, |customer| {
            self.missing(&customer.standing, customer.age_verified_until, now)
        })
    }

    /// The key of an order's customer.
    pub async fn key_of(&self, tx: &mut Tx<'_>, order: &Order) -> store::Result<KeyOf> {
        let wrapped = data_keys::find_by_id(tx, order.data_key).await?;
        Ok(self.opened(order, wrapped.as_ref()))
    }

    /// The key of an order's customer, which was looked up.
    pub fn opened(&self, order: &Order, wrapped: Option<&WrappedKey>) -> KeyOf {
        let Some(wrapped) = wrapped else {
            return KeyOf::Destroyed;
        };
        match self.ring.unwrap(wrapped) {
            Ok(key) => KeyOf::Key(key),
            Err(error) => {
                tracing::error!(%error, order = %order.id, "the key of an order does not open");
                KeyOf::Unreadable
            }
        }
    }
}

/// The key of an order's customer.
pub(crate) enum KeyOf {
    /// It opens.
    Key(DataKey),
    /// It is gone: nobody can be told of the order, which goes on all the same.
    Destroyed,
    /// It does not open here: another instance, or this one with all its master keys, can do what
    /// is to be done.
    Unreadable,
}
