//! What it takes to write how an order goes on.

use std::sync::Arc;

use domain::order::Missing;
use domain::random::Random;
use domain::seal::{DataKey, KeyRing};
use domain::standing::Standing;
use jiff::Timestamp;
use store::Tx;
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

    /// The key of an order's customer. Without it nobody can be told of the order; it goes on all
    /// the same, and holds up no other.
    pub async fn key_of(&self, tx: &mut Tx<'_>, order: &Order) -> store::Result<Option<DataKey>> {
        let Some(wrapped) = data_keys::find_by_id(tx, order.data_key).await? else {
            return Ok(None);
        };
        let opened = self.ring.unwrap(&wrapped).inspect_err(|error| {
            tracing::error!(%error, order = %order.id, "nobody is told how an order goes on");
        });
        Ok(opened.ok())
    }
}
