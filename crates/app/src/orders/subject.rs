//! Whom an order is about, looked up by our own name of it or by the shop's.

use domain::contact::Email;
use domain::seal::{BlindIndex, DataKey};
use futures_util::FutureExt as _;
use store::tables::companies;
use store::tables::customers::{self, SealedAddress};
use store::tables::orders::{self, WithCustomer};
use uuid::Uuid;

use crate::customers::place;
use crate::{App, Error, Result};

/// An order, its customer's address and its company's name.
pub(super) struct Subject {
    pub order: WithCustomer,
    pub company_name: String,
    address: SealedAddress,
}

impl Subject {
    /// An order of the company; `None` when the company has no such order, or its customer is gone.
    pub async fn find(app: &App, company: &str, order: Uuid) -> Result<Option<Self>> {
        let company = company.to_owned();
        let looked = app.store.read(move |mut tx| {
            let company = company.clone();
            async move {
                let order = orders::find_by_id(&mut tx, order).await?;
                let Some(order) = order.filter(|found| found.order.company_id == company) else {
                    return Ok(None);
                };
                let index = order.order.email_index;
                let address = customers::find_address(&mut tx, &company, index).await?;
                let company = companies::find(&mut tx, &company).await?;
                Ok(address.zip(company).map(|(address, company)| Self {
                    order,
                    address,
                    company_name: company.name,
                }))
            }
            .boxed()
        });
        Ok(looked.await?)
    }

    /// The name of the customer's data key.
    pub const fn data_key(&self) -> Uuid {
        self.address.data_key.id
    }

    /// The customer's data key.
    pub fn key(&self, app: &App) -> Result<DataKey> {
        Ok(app.key_ring.unwrap(&self.address.data_key)?)
    }

    /// The customer's address.
    pub fn email(&self, app: &App) -> Result<Email> {
        let key = self.key(app)?;
        let plain = key.open(
            place(&self.address.email_index, "email"),
            &self.address.email,
        )?;
        let text = std::str::from_utf8(&plain).map_err(Error::internal)?;
        Email::parse(text).map_err(Error::internal)
    }
}

/// Whose order it is, by the shop's number for it; `None` when the company has none of that number.
pub(super) async fn owner_of(
    app: &App,
    company: &str,
    order_id: &str,
) -> Result<Option<BlindIndex>> {
    let (company, order_id) = (company.to_owned(), order_id.to_owned());
    let found = app.store.read(move |mut tx| {
        let (company, order_id) = (company.clone(), order_id.clone());
        async move { orders::find(&mut tx, &company, &order_id).await }.boxed()
    });
    Ok(found.await?.map(|found| found.order.email_index))
}
