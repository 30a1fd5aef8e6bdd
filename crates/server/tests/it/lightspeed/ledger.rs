//! A gate that holds whatever comes, and remembers it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use app::lightspeed::{Gate, Placement, Standing};
use domain::seal::BlindIndex;
use domain::standing::Proof;
use futures_util::future::{BoxFuture, ready};

/// What it remembers.
#[derive(Default)]
pub struct Ledger(Mutex<BTreeMap<String, (String, Standing)>>);

impl Ledger {
    /// Where an order stands, and whose it is.
    pub fn find(&self, order: &str) -> Option<(String, Standing)> {
        self.0.lock().unwrap().get(order).cloned()
    }

    /// Has an order stand elsewhere.
    pub fn set(&self, order: &str, standing: Standing) {
        let mut orders = self.0.lock().unwrap();
        orders.get_mut(order).unwrap().1 = standing;
    }
}

/// Everything is missing.
pub fn held() -> Standing {
    Standing::Held(Proof::ALL.to_vec())
}

impl Gate for Ledger {
    fn place<'a>(
        &'a self,
        company: &'a str,
        order: Placement,
    ) -> BoxFuture<'a, app::Result<BlindIndex>> {
        assert_eq!(company, "default");
        let email = order.email.as_str().to_owned();
        let mut orders = self.0.lock().unwrap();
        orders.entry(order.order_id).or_insert((email, held()));
        let index = BlindIndex::from_bytes(&[7; BlindIndex::LENGTH]).unwrap();
        Box::pin(ready(Ok(index)))
    }

    fn cancel<'a>(
        &'a self,
        _: &'a str,
        order_id: &'a str,
        _: &'static str,
    ) -> BoxFuture<'a, app::Result<bool>> {
        let mut orders = self.0.lock().unwrap();
        let ended = orders.get_mut(order_id).map(|order| {
            let was_open = order.1 != Standing::Cancelled;
            order.1 = Standing::Cancelled;
            was_open
        });
        Box::pin(ready(Ok(ended.unwrap_or_default())))
    }

    fn standing<'a>(
        &'a self,
        _: &'a str,
        order_id: &'a str,
    ) -> BoxFuture<'a, app::Result<Option<Standing>>> {
        Box::pin(ready(Ok(self.find(order_id).map(|(_, standing)| standing))))
    }
}
