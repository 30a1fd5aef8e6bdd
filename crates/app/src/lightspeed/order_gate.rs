//! The gate over the orders that the server keeps.

use std::sync::Arc;

use domain::order::Status;
use domain::seal::BlindIndex;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Gate, Placement, SOURCE, Standing};
use crate::idempotency::Reply;
use crate::inbox::on_behalf;
use crate::orders::{self, Decision, Request, Settlement, Shown};
use crate::{App, Code, Error, Result};

/// Gates the shop's orders like those of any other shop.
pub struct OrderGate(Arc<App>);

impl OrderGate {
    /// Over the use cases.
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    async fn take_in(&self, company: &str, order: Placement) -> Result<BlindIndex> {
        if self.0.directory.active_company(company).is_none() {
            return Err(Error::new(Code::NotFound, "There is no such company."));
        }
        let ctx = on_behalf(&self.0, company, "order.place")?;
        let request = Request {
            order_id: order.order_id,
            source: Some(SOURCE.as_str().to_owned()),
            email: order.email,
            phone: order.phone,
            placed_at: Some(order.placed_at),
            follows_shop: true,
        };
        orders::place(&self.0, &ctx, request, Reply::unkept()).await?;
        let subject = ctx.exchange.subject();
        subject.ok_or_else(|| Error::internal("an order is nobody's"))
    }

    /// The order, if it is one of this shop: another shop of the company may number alike.
    async fn find(&self, company: &str, order_id: &str) -> Result<Option<Shown>> {
        let ctx = on_behalf(&self.0, company, "order.show")?;
        match orders::show(&self.0, &ctx, order_id).await {
            Ok(story) => Ok(Some(story.order).filter(|order| order.source == SOURCE.as_str())),
            Err(error) if error.problem().code == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, company: &str, order_id: &str, reason: &str) -> Result<bool> {
        let found = self.find(company, order_id).await?;
        if found.is_none_or(|order| order.status == Status::Cancelled) {
            return Ok(false);
        }
        let ctx = on_behalf(&self.0, company, "order.cancel")?;
        let settlement = Settlement {
            decision: Decision::EndInShop,
            reason: reason.to_owned(),
        };
        orders::settle(&self.0, &ctx, order_id, settlement, Reply::unkept()).await?;
        Ok(true)
    }
}

fn standing(order: &Shown) -> Standing {
    match order.status {
        Status::Held => Standing::Held(order.missing.proofs().collect()),
        Status::Released => Standing::Released,
        Status::Expired => Standing::Expired,
        Status::Late => Standing::Late,
        Status::Cancelled => Standing::Cancelled,
    }
}

impl Gate for OrderGate {
    fn place<'a>(
        &'a self,
        company: &'a str,
        order: Placement,
    ) -> BoxFuture<'a, Result<BlindIndex>> {
        self.take_in(company, order).boxed()
    }

    fn cancel<'a>(
        &'a self,
        company: &'a str,
        order_id: &'a str,
        reason: &'static str,
    ) -> BoxFuture<'a, Result<bool>> {
        self.end(company, order_id, reason).boxed()
    }

    fn standing<'a>(
        &'a self,
        company: &'a str,
        order_id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Standing>>> {
        async move {
            let found = self.find(company, order_id).await?;
            Ok(found.as_ref().map(standing))
        }
        .boxed()
    }
}
